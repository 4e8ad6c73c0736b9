import { chmod, chown, stat } from "node:fs/promises";
import { join } from "node:path";
import postgres from "postgres";
import type { DataFolder } from "../data-folder.ts";
import type { Logger } from "../logger.ts";
import { launcherFor, type ServerAccount, serverAccount } from "./account.ts";
import { locateBinaries } from "./binaries.ts";
import { database, role } from "./environment.ts";
import { freeLoopbackPort } from "./free-port.ts";
import { createGuard } from "./guard.ts";
import { initialiseCluster } from "./initialise.ts";
import { openLogFile } from "./log-file.ts";
import { clearOrphan } from "./orphan.ts";
import { type Server, ServerDidNotStart, type ServerOptions, startServer } from "./server.ts";
import { superviseServer } from "./supervise.ts";

export interface EmbeddedPostgresOptions {
  readonly folder: DataFolder;
  readonly connectionsMax: number;
  readonly log: Logger;
  /** False trades crash safety for speed: only for data that is thrown away. */
  readonly durable?: boolean;
}

export interface EmbeddedPostgres {
  /** `postgres://keelson:…@127.0.0.1:<port>/keelson`, the same for as long as this copy runs, also after the server was restarted. */
  readonly url: string;
  readonly version: string;
  /** The pid of the server, or undefined while it is down and being restarted. */
  pid(): number | undefined;
  /** Stops the server and gives up the lock. Call it after the last client is closed; calling it again is fine. */
  stop(): Promise<void>;
}

/** Runs PostgreSQL on the data folder until `stop`, or until this process ends in any way. Throws when another copy uses the folder. */
export async function startEmbeddedPostgres({
  folder,
  connectionsMax,
  log,
  durable = true,
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  folder.lockForThisCopy();
  await using undo = new AsyncDisposableStack();
  undo.defer(() => folder.close());
  const dataDir = join(folder.path, "database");
  const binaries = await locateBinaries({ unpackInto: folder.path });
  const account = await serverAccount(dataDir);
  if (account !== undefined) await letPass(folder.path, account);
  const launch = await launcherFor(account, [
    folder.path,
    join(binaries, "bin"),
    join(binaries, "lib", "postgresql"),
    join(binaries, "share", "postgresql"),
  ]);
  const password = await folder.secret("database-password");
  const guard = createGuard();
  undo.defer(() => guard.dismiss());
  await initialiseCluster({ dataDir, binaries, account, launch, guard, password, durable });

  const logFile = await openLogFile(join(folder.path, "postgres.log"));
  undo.defer(() => logFile.close());
  const options = { dataDir, binaries, launch, connectionsMax, durable, guard, logFile };
  await clearOrphan(dataDir, log);
  const { server, port } = await startOnFreePort(options);
  const restart = async (): Promise<Server> => {
    await clearOrphan(dataDir, log);
    return await startServer(options, port);
  };
  const supervised = superviseServer({ server, restart, log });
  undo.defer(() => supervised.stop());
  const url = `postgres://${role}:${password}@127.0.0.1:${port}/${database}`;
  const version = await serverVersion(url, folder.path);

  const running = undo.move();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= running.disposeAsync();
    return stopped;
  };
  return { url, version, pid: supervised.pid, stop };
}

/** The folder stays closed to everybody but us and the server's account, which may pass through and not list it. */
async function letPass(folder: string, account: ServerAccount): Promise<void> {
  const { uid, mode } = await stat(folder);
  if (uid !== process.getuid?.() || (mode & 0o001) !== 0) return;
  await chown(folder, uid, account.gid);
  await chmod(folder, 0o710);
}

/** Another program may take the port between our look and the server's bind; processes of a server that was just killed may still hold its memory. */
async function startOnFreePort(options: ServerOptions): Promise<{ server: Server; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freeLoopbackPort();
    try {
      return { server: await startServer(options, port), port };
    } catch (cause) {
      const passing = cause instanceof ServerDidNotStart && /Address already in use|pre-existing shared memory/.test(cause.reason);
      if (!passing || attempt === 10) throw cause;
      await Bun.sleep(100 * attempt);
    }
  }
}

async function serverVersion(url: string, folder: string): Promise<string> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    const [row] = await sql<{ version: string }[]>`SELECT current_setting('server_version') AS version`;
    return row?.version ?? "unknown";
  } catch (cause) {
    if (!(cause instanceof postgres.PostgresError) || cause.code !== "28P01") throw cause;
    const secret = join(folder, "secrets", "database-password");
    throw new Error(
      `The database in ${folder} has another password than the file ${secret} says. Restore that file; it belongs to the database.`,
      { cause },
    );
  } finally {
    await sql.end();
  }
}
