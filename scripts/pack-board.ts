import { dirname, join } from "node:path";
import { boardPackage } from "../app/services/tasks/board/files.ts";
import { packFolder } from "./pack-folder.ts";

/** Packs the pages of Bull Board into `<folder>/bull-board-<version>.tar.zst`, in the one language that ours are in. */
export async function packBoard(folder: string): Promise<string> {
  const root = boardPackage();
  const { version } = await Bun.file(join(root, "package.json")).json();
  return packFolder({
    folder: join(root, "dist"),
    isWanted: (path) => !path.endsWith(".LICENSE.txt") || dirname(path) === "static/js",
    archive: join(folder, `bull-board-${version}.tar.zst`),
  });
}
