import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DataFolder } from "../data-folder.ts";
import { database, role } from "./environment.ts";

/** The address of the server that another copy runs on this data folder; undefined when none does. For commands beside a running copy. */
export async function runningServerUrl(folder: DataFolder): Promise<string | undefined> {
  const pidFile = await readFile(join(folder.path, "database", "postmaster.pid"), "utf8").catch(() => undefined);
  // Line 4 is the port: https://www.postgresql.org/docs/current/storage-file-layout.html
  const port = pidFile?.split("\n")[3]?.trim();
  if (!port || !/^\d+$/.test(port)) return undefined;
  return `postgres://${role}:${await folder.secret("database-password")}@127.0.0.1:${port}/${database}`;
}
