import { chmod, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { prepareBinaries } from "./prepare.ts";

/**
 * Unpacks a `tar.zst` made by `scripts/pack-postgres.ts` into `<into>/<name>`, once: it appears under that name only when complete. Folders left by other versions are
 * removed, so `into` must be locked by us.
 */
export async function unpackPostgres({
  archive,
  name,
  into,
}: {
  readonly archive: Blob;
  readonly name: string;
  readonly into: string;
}): Promise<string> {
  const folder = join(into, name);
  if ((await stat(folder).catch(() => undefined)) !== undefined) return folder;
  for (const entry of await readdir(into)) {
    if (/^postgres-\d/.test(entry)) await rm(join(into, entry), { recursive: true, force: true });
  }
  const draft = join(into, `${name}.new`, "native");
  await mkdir(draft, { recursive: true, mode: 0o755 });
  const tar = await Bun.zstdDecompress(await archive.arrayBuffer());
  await new Bun.Archive(tar).extract(draft);
  await openToAll(draft);
  await prepareBinaries(draft);
  await rename(draft, folder);
  await rm(dirname(draft), { recursive: true });
  return folder;
}

/** Whatever our umask is, the server's account must be able to read what we unpacked. */
async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
}
