import { mkdir, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { platformPackage } from "../app/platform/embedded-postgres/binaries.ts";

/** What a running server never opens: libraries for compiling against it, programs and clients we do not start. */
const unneeded = [
  /\.a$/,
  /^bin\/pg_ctl$/,
  /^lib\/(pkgconfig|postgresql\/pgxs)\//,
  /^lib\/lib(ecpg|pgtypes|xslt|ossp-uuid)/,
  /^share\/postgresql\/.*\.sample$/,
];
const needed = /^share\/postgresql\/(postgresql|pg_hba|pg_ident)\.conf\.sample$/;

/** Level 19 saves another 2 of 18 MB and takes half a minute. */
const compressionLevel = 9;

/** The name that `locateBinaries` looks for in the compiled file; it carries the version, so each version unpacks into a folder of its own. */
export async function archiveName(): Promise<string> {
  const { version } = await Bun.file(join(platformPackage(), "package.json")).json();
  return `postgres-${version}-${process.platform}-${process.arch}.tar.zst`;
}

/** Packs this platform's PostgreSQL into `<folder>/postgres-<version>-<platform>-<arch>.tar.zst`, unless that is there already, and returns its path. */
export async function packPostgres(folder: string): Promise<string> {
  const archive = join(folder, await archiveName());
  if (await Bun.file(archive).exists()) return archive;
  const native = join(platformPackage(), "native");
  const files: Record<string, Uint8Array> = {};
  for (const path of (await Array.fromAsync(new Bun.Glob("**").scan({ cwd: native, onlyFiles: true, followSymlinks: false }))).sort()) {
    if (unneeded.some((pattern) => pattern.test(path)) && !needed.test(path)) continue;
    files[path] = await Bun.file(join(native, path)).bytes();
  }
  const packed = await Bun.zstdCompress(await new Bun.Archive(files).bytes(), { level: compressionLevel });
  await mkdir(dirname(archive), { recursive: true });
  await Bun.write(`${archive}.new`, packed);
  await rename(`${archive}.new`, archive);
  return archive;
}

if (import.meta.main) {
  const archive = await packPostgres(join(import.meta.dir, "..", "dist"));
  console.log(`${basename(archive)}: ${(Bun.file(archive).size / 1e6).toFixed(1)} MB`);
}
