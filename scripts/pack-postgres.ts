import { join } from "node:path";
import { platformPackage } from "../app/platform/embedded-postgres/binaries.ts";
import { packFolder } from "./pack-folder.ts";

/** What a running server never opens: libraries for compiling against it, programs and clients we do not start. */
const unneeded = [
  /\.a$/,
  /^bin\/pg_ctl$/,
  /^lib\/(pkgconfig|postgresql\/pgxs)\//,
  /^lib\/lib(ecpg|pgtypes|xslt|ossp-uuid)/,
  /^share\/postgresql\/.*\.sample$/,
];
const needed = /^share\/postgresql\/(postgresql|pg_hba|pg_ident)\.conf\.sample$/;

/** The name that `locateBinaries` looks for in the compiled file; it carries the version, so each version unpacks into a folder of its own. */
export async function archiveName(): Promise<string> {
  const { version } = await Bun.file(join(platformPackage(), "package.json")).json();
  return `postgres-${version}-${process.platform}-${process.arch}.tar.zst`;
}

/** Packs this platform's PostgreSQL into `<folder>/postgres-<version>-<platform>-<arch>.tar.zst`, unless that is there already, and returns its path. */
export async function packPostgres(folder: string): Promise<string> {
  const archive = join(folder, await archiveName());
  const isWanted = (path: string) => needed.test(path) || !unneeded.some((pattern) => pattern.test(path));
  return packFolder({ folder: join(platformPackage(), "native"), isWanted, archive });
}
