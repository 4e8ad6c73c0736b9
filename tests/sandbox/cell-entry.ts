import { runCell } from "../../sandbox/cell.ts";

await runCell();
