import { dirname, join } from "node:path";
import { embeddedFile } from "../../../platform/embedded-file.ts";

/** The pages of Bull Board, by path below its `dist` folder. */
export type BoardFiles = ReadonlyMap<string, Blob>;

/** From the file that `bun build --compile` made (see `scripts/pack-board.ts`), else from node_modules. */
export async function readBoardFiles(): Promise<BoardFiles> {
  const packed = embeddedFile("bull-board-");
  if (packed) return await new Bun.Archive(await Bun.zstdDecompress(await packed.blob.arrayBuffer())).files();
  const folder = join(boardPackage(), "dist");
  const paths = await Array.fromAsync(new Bun.Glob("**").scan({ cwd: folder, onlyFiles: true }));
  return new Map(paths.map((path) => [path, Bun.file(join(folder, path))]));
}

/** The folder of the package, found from this file and not from the working directory. */
export function boardPackage(): string {
  return dirname(Bun.resolveSync("@bull-board/ui/package.json", import.meta.dir));
}
