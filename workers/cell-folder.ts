import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nobody } from "../sandbox/unprivileged.ts";

const prefix = "keelson-cell-";

/** An empty working folder for one cell, named after this process, of the user that the cell becomes. */
export function makeCellFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`));
  if (process.getuid?.() === 0) chownSync(folder, nobody, nobody);
  return folder;
}

export function removeCellFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Removes what processes left that were killed before they could do it themselves. */
export function sweepCellFolders(): void {
  for (const entry of readdirSync(tmpdir())) {
    const owner = entry.startsWith(prefix) ? Number(entry.slice(prefix.length).split("-")[0]) : Number.NaN;
    if (Number.isInteger(owner) && !isAlive(owner)) removeCellFolder(join(tmpdir(), entry));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
