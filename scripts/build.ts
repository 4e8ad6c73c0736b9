import { stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { threadEntries } from "../workers/spawn.ts";
import { packPostgres } from "./pack-postgres.ts";

/** Makes `dist/keelson` for this platform: the program, its threads, migrations, wasm, docs assets and the embedded PostgreSQL in one file. */
const root = join(import.meta.dir, "..");
const outfile = join(root, "dist", process.platform === "win32" ? "keelson.exe" : "keelson");

const startedAt = performance.now();
const archive = await packPostgres(join(root, "dist"));
const built = await Bun.build({
  root,
  // Everything that is loaded by its address and not by an import is an entry of its own.
  entrypoints: [join(root, "app", "main.ts"), ...Object.values(threadEntries).map((entry) => join(root, "workers", `${entry}.ts`)), archive],
  loader: { ".zst": "file" },
  naming: { asset: "[name].[ext]" },
  target: "bun",
  minify: { whitespace: true, syntax: true, identifiers: false, keepNames: true },
  sourcemap: "linked",
  compile: { outfile, autoloadDotenv: true, autoloadBunfig: false },
});
for (const log of built.logs) console.error(String(log));
if (!built.success) process.exit(1);
const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
console.log(`${relative(process.cwd(), outfile)}: ${((await stat(outfile)).size / 1e6).toFixed(0)} MB in ${seconds} s`);
