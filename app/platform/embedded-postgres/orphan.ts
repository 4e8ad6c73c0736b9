import { readFile, realpath, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Logger } from "../logger.ts";

/**
 * Clears the way for a new server on `dataDir`: ends one that a crashed parent left behind, and removes a pid file that names someone else. Safe only under the lock
 * of the data folder.
 */
export async function clearOrphan(dataDir: string, log: Logger): Promise<void> {
  const path = join(dataDir, "postmaster.pid");
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const pid = Math.abs(Number.parseInt(text, 10));
  if (pid > 0 && (await isPostmasterOf(pid, dataDir))) {
    log.warn({ pid }, "stopping a database server that an earlier copy left behind");
    await endOrphan(pid, dataDir);
    return;
  }
  // The server itself would refuse to start while the pid belongs to any process of its user, or when the file is empty.
  await rm(path, { force: true });
}

async function endOrphan(pid: number, dataDir: string): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    send(pid, signal);
    const deadline = performance.now() + 10_000;
    while (performance.now() < deadline) {
      if (!(await isPostmasterOf(pid, dataDir))) return;
      await Bun.sleep(10);
    }
  }
  throw new Error(`The database server with pid ${pid}, left behind by an earlier copy, does not stop. End it with: kill -QUIT ${pid}`);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ESRCH")) throw cause;
  }
}

/** Asks for the command line and not for the pid alone: pids are reused, and one that ended but was not yet collected by its parent still has its pid. */
async function isPostmasterOf(pid: number, dataDir: string): Promise<boolean> {
  const argv = await argumentsOf(pid);
  if (!/^postgres\b/.test(basename(argv[0] ?? ""))) return false;
  const at = argv.indexOf("-D");
  const named = at === -1 ? undefined : argv[at + 1];
  return named !== undefined && (await realpath(named).catch(() => named)) === (await realpath(dataDir));
}

/** From /proc, where other users' command lines can be read too; elsewhere from `ps`, which loses where one argument ends. */
async function argumentsOf(pid: number): Promise<string[]> {
  if (process.platform === "linux") return (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
  const ps = Bun.spawn(["ps", "-ww", "-o", "args=", "-p", String(pid)], { stdout: "pipe", stderr: "ignore" });
  const [, program = "", dataDir = ""] = /^(.*?\/postgres) -D (.*?) -p \d+/.exec(await new Response(ps.stdout).text()) ?? [];
  return [program, "-D", dataDir];
}
