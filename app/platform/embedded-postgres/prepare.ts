import { chmod, readFile, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

/** Does what the package's install script does, for installers that run no scripts and archives that keep no links. */
export async function prepareBinaries(folder: string): Promise<void> {
  await Promise.all(["postgres", "initdb"].map((name) => ensureExecutable(join(folder, "bin", name))));
  const links = parseLinks(await readFile(join(folder, "pg-symlinks.json"), "utf8").catch(() => "[]"));
  await Promise.all(links.map((link) => ensureLink(dirname(folder), link)));
}

interface Link {
  readonly source: string;
  readonly target: string;
}

function parseLinks(text: string): Link[] {
  const parsed: unknown = JSON.parse(text);
  return Array.isArray(parsed) ? parsed.filter(isLink) : [];
}

function isLink(value: unknown): value is Link {
  return (
    typeof value === "object" &&
    value !== null &&
    "source" in value &&
    "target" in value &&
    typeof value.source === "string" &&
    typeof value.target === "string"
  );
}

async function ensureLink(parent: string, { source, target }: Link): Promise<void> {
  const at = join(parent, target);
  await symlink(relative(dirname(at), join(parent, source)), at).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EEXIST" && !(cause.code === "EROFS" || cause.code === "EACCES" || cause.code === "EPERM")) throw cause;
  });
}

async function ensureExecutable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o555) !== 0o555) await chmod(path, mode | 0o555);
}
