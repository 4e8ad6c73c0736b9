import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomToken } from "../ids.ts";
import type { Launch, Launcher, ServerAccount } from "./account.ts";
import { database, environment, role } from "./environment.ts";
import type { Guard } from "./guard.ts";

export interface Cluster {
  readonly dataDir: string;
  readonly binaries: string;
  readonly account: ServerAccount | undefined;
  readonly launch: Launcher;
  readonly password: string;
  readonly guard: Guard;
  /** False skips flushing to disk: only for data that is thrown away. */
  readonly durable: boolean;
}

/** Makes the database cluster if there is none. It appears under its name only when complete, so being killed half way leaves nothing to trip over. */
export async function initialiseCluster(cluster: Cluster): Promise<void> {
  await removeDrafts(cluster.dataDir);
  if ((await stat(cluster.dataDir).catch(() => undefined)) !== undefined) return await assertSameMajor(cluster);
  const draft = `${cluster.dataDir}.new-${randomToken(6)}`;
  await mkdir(draft, { mode: 0o700 });
  if (cluster.account !== undefined) await chown(draft, cluster.account.uid, cluster.account.gid);
  try {
    await runInitdb(cluster, draft);
    await createRoleAndDatabase(cluster, draft);
    await writeAccessRules(cluster, draft);
    await rename(draft, cluster.dataDir);
  } catch (cause) {
    await rm(draft, { recursive: true, force: true });
    throw cause;
  }
}

async function runInitdb({ binaries, launch, guard, durable }: Cluster, draft: string): Promise<void> {
  await run(
    guard,
    launch([
      join(binaries, "bin", "initdb"),
      `--pgdata=${draft}`,
      "--username=postgres",
      // The superuser has no password and no way in over the network; it exists in single-user mode only.
      "--auth=reject",
      "--encoding=UTF8",
      // Unicode rules that are the same on every machine, whatever locales it has.
      "--locale-provider=builtin",
      "--builtin-locale=C.UTF-8",
      "--locale=C",
      "--data-checksums",
      "--no-instructions",
      ...(durable ? [] : ["--no-sync"]),
    ]),
    "",
  );
}

/** In single-user mode, one statement a line, so that neither a server nor a superuser password is needed. */
async function createRoleAndDatabase({ binaries, launch, guard, password, durable }: Cluster, draft: string): Promise<void> {
  const sql = [`CREATE ROLE ${role} LOGIN CREATEDB PASSWORD '${password}'`, `CREATE DATABASE ${database} OWNER ${role}`];
  const settings = ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", ...(durable ? [] : ["-F"])];
  await run(guard, launch([join(binaries, "bin", "postgres"), "--single", ...settings, "-D", draft, "postgres"]), `${sql.join("\n")}\n`);
}

async function writeAccessRules({ account }: Cluster, draft: string): Promise<void> {
  const path = join(draft, "pg_hba.conf");
  await writeFile(path, `# Only this role, only by password, only from this machine.\nhost all ${role} 127.0.0.1/32 scram-sha-256\n`, {
    mode: 0o600,
  });
  if (account !== undefined) await chown(path, account.uid, account.gid);
}

async function run(guard: Guard, launch: Launch, input: string): Promise<void> {
  const { cmd, ...identity } = launch;
  const child = Bun.spawn(cmd, {
    ...identity,
    cwd: "/",
    env: environment,
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  guard.watch(child.pid);
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  guard.watch(undefined);
  if (code === 0) return;
  throw new Error(
    `PostgreSQL could not make its database (exit ${child.signalCode ?? code}).${hint(err)}\n${`${out}\n${err}`.trim().slice(-4096)}`,
  );
}

function hint(output: string): string {
  if (output.includes("could not look up effective user ID")) {
    return " This user has no entry in /etc/passwd, which initdb needs: run as a user that has one, or set DATABASE_URL.";
  }
  return "";
}

async function removeDrafts(dataDir: string): Promise<void> {
  const parent = dirname(dataDir);
  for (const entry of await readdir(parent)) {
    if (entry.startsWith(`${basename(dataDir)}.new-`)) await rm(join(parent, entry), { recursive: true, force: true, maxRetries: 5 });
  }
}

async function assertSameMajor({ dataDir, binaries }: Cluster): Promise<void> {
  const [made, server] = await Promise.all([readFile(join(dataDir, "PG_VERSION"), "utf8"), majorOf(binaries)]);
  if (made.trim() === server) return;
  throw new Error(
    `The database in ${dataDir} was made by PostgreSQL ${made.trim()}, this is PostgreSQL ${server}. Start the Keelson that made it and dump the database, or set KEELSON_DATA_DIR to a new folder.`,
  );
}

async function majorOf(binaries: string): Promise<string> {
  const child = Bun.spawn([join(binaries, "bin", "postgres"), "--version"], { env: environment, stdout: "pipe", stderr: "ignore" });
  return /(\d+)\./.exec(await new Response(child.stdout).text())?.[1] ?? "unknown";
}
