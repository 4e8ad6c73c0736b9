import { closeSync, openSync } from "node:fs";
import { copyFile, stat, truncate } from "node:fs/promises";

const sizeMax = 4 * 1024 * 1024;

/** The file that the server's messages go to. The server writes to it directly, so its last words survive our death. */
export interface LogFile {
  readonly path: string;
  /** Runs `use` with a descriptor that appends. */
  appending<T>(use: (fd: number) => T): T;
  size(): Promise<number>;
  /** What was written from `offset` on, at most the last 4 KB of it. */
  tail(offset: number): Promise<string>;
  close(): void;
}

/** Keeps the file and one predecessor (`.1`), each at most 4 MB when looked at once a minute. */
export async function openLogFile(path: string): Promise<LogFile> {
  await rotate(path);
  const timer = setInterval(() => void rotate(path), 60_000);
  timer.unref();
  return {
    path,
    appending(use) {
      const fd = openSync(path, "a", 0o600);
      try {
        return use(fd);
      } finally {
        closeSync(fd);
      }
    },
    size: async () => await sizeOf(path),
    async tail(offset) {
      const size = await sizeOf(path);
      const text = await Bun.file(path)
        .slice(size < offset ? 0 : Math.max(offset, size - 4096), size)
        .text()
        .catch(() => "");
      return text.trim();
    },
    close: () => clearInterval(timer),
  };
}

// Copy and truncate, since a running server holds the file open; it appends, so it goes on at the new end.
async function rotate(path: string): Promise<void> {
  if ((await sizeOf(path)) <= sizeMax) return;
  await copyFile(path, `${path}.1`);
  await truncate(path);
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    (found) => found.size,
    () => 0,
  );
}
