import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Launcher } from "./account.ts";
import { environment } from "./environment.ts";
import type { Guard } from "./guard.ts";
import type { LogFile } from "./log-file.ts";

export interface ServerOptions {
  readonly dataDir: string;
  readonly binaries: string;
  readonly launch: Launcher;
  readonly connectionsMax: number;
  readonly durable: boolean;
  readonly guard: Guard;
  readonly logFile: LogFile;
}

/** One run of the server, from spawn to exit. */
export interface Server {
  readonly pid: number;
  /** Resolves with how it ended, in words. */
  readonly exited: Promise<string>;
  /** Fast shutdown; after ten seconds immediate shutdown, which the next start recovers from. */
  stop(): Promise<void>;
}

/** The server ended before it accepted connections. `reason` is its own log. */
export class ServerDidNotStart extends Error {
  override readonly name = "ServerDidNotStart";
  readonly reason: string;

  constructor(how: string, reason: string) {
    super(`The embedded PostgreSQL did not start (${how}):\n${reason}`);
    this.reason = reason;
  }
}

/** Starts the server on 127.0.0.1 and resolves when it accepts connections. Recovery after a crash may take up to two minutes. */
export async function startServer(options: ServerOptions, port: number): Promise<Server> {
  const { guard, logFile } = options;
  const offset = await logFile.size();
  const { cmd, ...identity } = options.launch([
    join(options.binaries, "bin", "postgres"),
    "-D",
    options.dataDir,
    "-p",
    String(port),
    ...settings(options),
  ]);
  // Its own session: Ctrl-C in a terminal must reach us only, so that the server outlives its clients.
  const child = logFile.appending((fd) =>
    Bun.spawn(cmd, { ...identity, cwd: "/", env: environment, stdin: "ignore", stdout: fd, stderr: fd, detached: true }),
  );
  guard.watch(child.pid);
  child.unref();
  const exited = child.exited.then((code) => {
    guard.watch(undefined);
    return `exit ${child.signalCode ?? code}`;
  });
  const stop = async (): Promise<void> => {
    child.ref();
    child.kill("SIGINT");
    const timer = setTimeout(() => child.kill("SIGQUIT"), 10_000);
    await exited;
    clearTimeout(timer);
  };
  if (!(await acceptsConnections(options.dataDir, child))) {
    await stop();
    throw new ServerDidNotStart(await exited, await logFile.tail(offset));
  }
  return { pid: child.pid, exited, stop };
}

async function acceptsConnections(dataDir: string, child: Bun.Subprocess): Promise<boolean> {
  const deadline = performance.now() + 120_000;
  while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
    // Line 1 is the pid, line 8 the state: what pg_ctl reads.
    const lines = (await readFile(join(dataDir, "postmaster.pid"), "utf8").catch(() => "")).split("\n");
    if (Number(lines[0]) === child.pid && lines[7]?.trim() === "ready") return true;
    await Bun.sleep(5);
  }
  return false;
}

/** Given on the command line and not in postgresql.conf, so that a new version changes them for old data too. */
function settings({ connectionsMax, durable }: ServerOptions): string[] {
  const values = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: connectionsMax,
    superuser_reserved_connections: 0,
    shared_buffers: "64MB",
    huge_pages: "off",
    io_method: "sync",
    jit: "off",
    // One machine, no replicas, no archive: the shortest log that still survives a crash.
    wal_level: "minimal",
    max_wal_senders: 0,
    max_wal_size: "256MB",
    min_wal_size: "32MB",
    max_worker_processes: 2,
    max_parallel_workers_per_gather: 0,
    max_logical_replication_workers: 0,
    timezone: "UTC",
    // Statements and their errors may carry secrets, and expected conflicts are no news: the file has what concerns the server.
    log_min_messages: "log",
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
    log_checkpoints: "off",
    log_timezone: "UTC",
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
