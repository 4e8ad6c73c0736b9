import { Database } from "bun:sqlite";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { chmod, link, mkdir, open, readFile, rm, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { randomToken } from "./ids.ts";
import type { Logger } from "./logger.ts";

/** How a secret is made, and how a file that no longer holds one is recognised. */
export interface SecretShape {
  generate(): string | Promise<string>;
  isWellFormed(text: string): boolean;
}

/** 256 random bits as base64url. */
export const randomSecret: SecretShape = {
  generate: () => randomToken(32),
  isWellFormed: (text) => /^[\w-]{43}$/.test(text),
};

export interface DataFolder {
  readonly path: string;
  /** Reads the secret, making it on first use. Copies that race to make it all get the same one. */
  secret(name: string, shape?: SecretShape): Promise<string>;
  /**
   * Refuses a second live copy. Only the embedded database calls this: copies that share an external database may share a folder for its secrets.
   * The kernel drops the lock with the process, so it is never stale.
   */
  lockForThisCopy(): void;
  close(): void;
}

/** Opens the folder that holds everything this copy keeps on disk, made with mode 0700 when it is missing. */
export async function openDataFolder(path: string, { log }: { readonly log: Logger }): Promise<DataFolder> {
  const folder = resolve(path);
  await mkdir(join(folder, "secrets"), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new Error(`Cannot create the data folder ${folder}. Set KEELSON_DATA_DIR to a folder this user may write to.`, { cause });
  });
  let unlock: (() => void) | undefined;
  return {
    path: folder,
    secret: (name, shape = randomSecret) => secretFile(join(folder, "secrets", name), shape, log),
    lockForThisCopy() {
      unlock = takeLock(folder);
    },
    close() {
      unlock?.();
      unlock = undefined;
    },
  };
}

/** The secret in the file at `path`, mode 0600. Never overwrites: a file that is empty or malformed is an error, because what it protected would be lost. */
async function secretFile(path: string, shape: SecretShape, log: Logger): Promise<string> {
  const found = await readSecret(path, shape, log);
  if (found !== undefined) return found;
  const draft = `${path}.${randomToken(6)}.new`;
  try {
    await writeDurably(draft, `${await shape.generate()}\n`);
    // link() fails when the name exists: of several creators exactly one wins, and the name never shows half a secret.
    await link(draft, path).catch(unless("EEXIST"));
  } finally {
    await rm(draft, { force: true });
  }
  const agreed = await readSecret(path, shape, log);
  if (agreed === undefined) throw new Error(`The secret ${path} vanished while it was being made.`);
  return agreed;
}

async function readSecret(path: string, shape: SecretShape, log: Logger): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw new Error(`Cannot read the secret ${path}: run as the user who owns it.`, { cause });
  });
  if (text === undefined) return undefined;
  const secret = text.trimEnd();
  if (!shape.isWellFormed(secret)) {
    throw new Error(
      `The secret ${path} is ${secret === "" ? "empty" : "malformed"}. Restore it from a backup. Remove it only if what it protects may be lost: a new one is made then.`,
    );
  }
  if (((await stat(path)).mode & 0o077) !== 0) {
    log.warn({ path }, "secret was readable by other users; setting its mode to 0600");
    await chmod(path, 0o600);
  }
  return secret;
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** SQLite's exclusive lock is an advisory lock of the kernel on Linux and macOS alike, which Bun offers in no other way. */
function takeLock(folder: string): () => void {
  const holder = join(folder, "keelson.pid");
  const database = new Database(join(folder, "keelson.lock"), { create: true });
  try {
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    if (!isBusy(cause)) throw new Error(`Cannot lock the data folder ${folder}.`, { cause });
    throw new Error(
      `Another copy (${readHolder(holder)}) is using the data folder ${folder}. Stop it, or set KEELSON_DATA_DIR to another folder for this copy.`,
      { cause },
    );
  }
  writeFileSync(holder, `${process.pid}\n`, { mode: 0o600 });
  return () => {
    rmSync(holder, { force: true });
    database.close();
  };
}

function isBusy(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "SQLITE_BUSY";
}

function readHolder(path: string): string {
  try {
    return `pid ${readFileSync(path, "utf8").trim()}`;
  } catch {
    return "of unknown pid";
  }
}

function unless(code: string): (cause: NodeJS.ErrnoException) => void {
  return (cause) => {
    if (cause.code !== code) throw cause;
  };
}
