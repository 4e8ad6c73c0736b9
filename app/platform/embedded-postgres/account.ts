import type { Stats } from "node:fs";
import { readFile, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** PostgreSQL refuses to run as root; this is who it runs as instead. */
export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/** What `Bun.spawn` needs to run a program of PostgreSQL as the right account. */
export interface Launch {
  readonly cmd: string[];
  readonly uid?: number;
  readonly gid?: number;
}

export type Launcher = (cmd: readonly string[]) => Launch;

/** The account for the server: nobody special unless we are root; then the owner of the existing database, else `postgres`, else `nobody`. */
export async function serverAccount(dataDir: string): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(dataDir).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const accounts = parsePasswd(await readFile("/etc/passwd", "utf8").catch(() => ""));
  const account = accounts.get("postgres") ?? accounts.get("nobody");
  if (account === undefined) {
    throw new Error(
      "PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as. Run Keelson as a normal user, or set DATABASE_URL.",
    );
  }
  return account;
}

/**
 * Decides how to start programs as `account` so that they can reach every folder in `mustReach`. Folders on the way that are closed to the account (a clone below
 * /root, a 0700 temporary folder) are passed with the smallest capability that the kernel lets us hand down.
 */
export async function launcherFor(account: ServerAccount | undefined, mustReach: readonly string[]): Promise<Launcher> {
  if (account === undefined) return (cmd) => ({ cmd: [...cmd] });
  const held = await heldCapabilities();
  if (!held.has("setuid") || !held.has("setgid")) {
    throw new Error(
      "PostgreSQL does not run as root, and this root may not become another user (no CAP_SETUID, CAP_SETGID). Run Keelson as a normal user, or set DATABASE_URL.",
    );
  }
  const closed = await firstClosedFolder(account, mustReach);
  if (closed === undefined) return (cmd) => ({ cmd: [...cmd], uid: account.uid, gid: account.gid });
  const setpriv = Bun.which("setpriv");
  const pass = (["dac_read_search", "dac_override"] as const).find((name) => held.has(name));
  if (setpriv === null || pass === undefined || !held.has("setpcap")) {
    throw new Error(
      `PostgreSQL does not run as root, and uid ${account.uid} may not pass through ${closed}. Do one of: chmod o+x ${closed}; set KEELSON_DATA_DIR to a folder it can reach; run Keelson as a normal user.`,
    );
  }
  const identity = [`--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups", `--inh-caps=+${pass}`, `--ambient-caps=+${pass}`];
  // Without this bit access(2), with which PostgreSQL looks for its own programs, does not count the capability.
  const wrapper = [setpriv, ...identity, "--securebits=+no_setuid_fixup", "--"];
  return (cmd) => ({ cmd: [...wrapper, ...cmd] });
}

function parsePasswd(text: string): Map<string, ServerAccount> {
  const accounts = new Map<string, ServerAccount>();
  for (const line of text.split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if (name !== undefined && Number(uid) > 0 && Number(gid) > 0) accounts.set(name, { uid: Number(uid), gid: Number(gid) });
  }
  return accounts;
}

async function firstClosedFolder(account: ServerAccount, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    for (let folder = await realpath(path); ; folder = dirname(folder)) {
      if (!maySearch(await stat(folder), account)) return folder;
      if (folder === dirname(folder)) break;
    }
  }
  return undefined;
}

function maySearch(folder: Stats, account: ServerAccount): boolean {
  if (folder.uid === account.uid) return (folder.mode & 0o100) !== 0;
  if (folder.gid === account.gid) return (folder.mode & 0o010) !== 0;
  return (folder.mode & 0o001) !== 0;
}

/** Bits from linux/capability.h. Docker's default set lacks `dac_read_search`. */
const capabilityBits = { dac_override: 1n, dac_read_search: 2n, setgid: 6n, setuid: 7n, setpcap: 8n } as const;
type Capability = keyof typeof capabilityBits;

/** What we hold and may hand down; off Linux root holds everything but has no such thing to hand down, which the missing `setpriv` tells. */
async function heldCapabilities(): Promise<Set<Capability>> {
  const status = await readFile("/proc/self/status", "utf8").catch(() => undefined);
  const set = (name: string): bigint => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, "m").exec(status ?? "")?.[1] ?? "0"}`);
  const usable = status === undefined ? ~0n : set("CapPrm") & set("CapBnd");
  const names: Capability[] = ["dac_override", "dac_read_search", "setgid", "setuid", "setpcap"];
  return new Set(names.filter((name) => ((usable >> capabilityBits[name]) & 1n) === 1n));
}
