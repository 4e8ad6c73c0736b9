import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import postgres, { type Sql } from "postgres";
import { openDataFolder } from "../app/platform/data-folder.ts";
import { freeLoopbackPort } from "../app/platform/embedded-postgres/free-port.ts";
import { createGuard } from "../app/platform/embedded-postgres/guard.ts";
import { startEmbeddedPostgres } from "../app/platform/embedded-postgres/start.ts";
import { createLogger, type Logger } from "../app/platform/logger.ts";
import { until } from "./until.ts";

/** One database server and one Redis for the whole run, started by the first test that asks. Files may each have a fresh module registry, hence the global. */
interface Running {
  server?: Promise<string>;
  template?: Promise<void>;
  redis?: Promise<string | undefined>;
  databases: number;
  readonly stack: AsyncDisposableStack;
}

const slot = Symbol.for("keelson.test-services");
const template = "keelson_template";

/** The URL of a fresh, migrated database that belongs to the caller alone. */
export async function testPostgres(): Promise<string> {
  const state = running();
  const server = await startedServer();
  state.template ??= prepareTemplate(server);
  await state.template;
  return await createDatabase(server, `TEMPLATE ${template}`);
}

/** The URL of a fresh database without any tables. */
export async function emptyPostgres(): Promise<string> {
  return await createDatabase(await startedServer(), "");
}

export interface OwnRedis extends AsyncDisposable {
  readonly url: string;
  /** Without a word to anybody; it has its log of writes (AOF). */
  killAndStartAgain(): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

/** A Redis that its caller may break, with its log of writes (AOF) synced at each. Undefined when there is no program for it. */
export async function ownRedis(): Promise<OwnRedis | undefined> {
  await testRedis();
  const program = findRedis();
  if (program === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const [folder, port] = [await temporaryFolder(stack), await freeLoopbackPort()];
  const persistence = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
  const start = () => startRedisProcess(program, { folder, port, persistence });
  let process = await start();
  stack.defer(() => process.stop());
  const open = stack.move();
  return {
    url: `redis://127.0.0.1:${port}`,
    killAndStartAgain: async () => {
      process.signal("SIGKILL");
      await process.stop();
      process = await start();
    },
    signal: (name) => process.signal(name),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

export interface OwnSentinels extends AsyncDisposable {
  /** As REDIS_SENTINELS takes them. */
  readonly addresses: string;
  readonly name: string;
  /** Ends the master without a word; resolves when the Sentinels have made its replica the next one. */
  killMaster(): Promise<void>;
}

/** A master with one replica, and three Sentinels that watch them. Undefined when there is no program for it. */
export async function ownSentinels(): Promise<OwnSentinels | undefined> {
  await testRedis();
  const program = findRedis();
  if (program === undefined) return undefined;
  await using stack = new AsyncDisposableStack();
  const persistence = ["--save", "", "--appendonly", "yes"];
  const start = async (...more: readonly string[]) => {
    const [folder, port] = [await temporaryFolder(stack), await freeLoopbackPort()];
    const process = await startRedisProcess(program, { folder, port, persistence: [...persistence, ...more] });
    stack.defer(() => process.stop());
    return { port, process };
  };
  const master = await start("--repl-diskless-sync-delay", "0");
  const replica = await start("--replicaof", "127.0.0.1", String(master.port));
  const name = "keelson-test";
  const ports: number[] = [];
  for (const _ of [1, 2, 3]) {
    const [folder, port] = [await temporaryFolder(stack), await freeLoopbackPort()];
    const settings = [
      `sentinel monitor ${name} 127.0.0.1 ${master.port} 2`,
      `sentinel down-after-milliseconds ${name} 1000`,
      `sentinel failover-timeout ${name} 5000`,
    ];
    await Bun.write(join(folder, "sentinel.conf"), `${settings.join("\n")}\n`);
    const sentinel = await startRedisProcess(program, { folder, port, persistence: [], config: join(folder, "sentinel.conf") });
    stack.defer(() => sentinel.stop());
    ports.push(port);
  }
  const ask = async (port: number, ...command: [string, ...string[]]): Promise<unknown> => {
    const client = new Redis(port, "127.0.0.1");
    try {
      return await client.call(...command);
    } finally {
      client.disconnect();
    }
  };
  const agree = async (on: (port: number) => Promise<boolean>) => (await Promise.all(ports.map(on))).every(Boolean);
  await until("the replica has what the master has", async () => String(await ask(replica.port, "ROLE")).includes("connected"), 20_000);
  // Before they know of each other and of the replica they could not agree on a failover.
  await until(
    "the Sentinels know each other and the replica",
    () =>
      agree(async (port) => {
        const [others, replicas] = [await ask(port, "SENTINEL", "sentinels", name), await ask(port, "SENTINEL", "replicas", name)];
        return Array.isArray(others) && others.length === 2 && Array.isArray(replicas) && replicas.length === 1;
      }),
    20_000,
  );
  const open = stack.move();
  return {
    addresses: ports.map((port) => `127.0.0.1:${port}`).join(","),
    name,
    killMaster: async () => {
      master.process.signal("SIGKILL");
      const next = String(replica.port);
      await until(
        "the replica is the master",
        () => agree(async (port) => JSON.stringify(await ask(port, "SENTINEL", "get-master-addr-by-name", name)).includes(next)),
        30_000,
      );
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** A PostgreSQL server that its caller may break, which writes as it does in production; the URL of its only database. */
export async function ownPostgres(): Promise<AsyncDisposable & { readonly url: string }> {
  await using stack = new AsyncDisposableStack();
  const log = testLogger("postgres");
  const folder = await openDataFolder(await temporaryFolder(stack), { log });
  const server = await startEmbeddedPostgres({ folder, connectionsMax: 100, log, durable: true });
  stack.defer(() => server.stop());
  await withAdmin(server.url, (sql) => sql.unsafe("CREATE DATABASE own"));
  const open = stack.move();
  return { url: urlOf(server.url, "own"), [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** Ends all connections to this database but the one it is asked on, and leaves autovacuum alone, which only a superuser may end. */
export async function endBackends(sql: Sql): Promise<void> {
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and usename = current_user and pid <> pg_backend_pid()`;
}

/** The URL of a Redis that all tests share: isolate yourself by a key prefix. Undefined when there is none; then skip, the warning has been given. */
export async function testRedis(): Promise<string | undefined> {
  const state = running();
  state.redis ??= startRedis(state.stack);
  return await state.redis;
}

/** On a crowded machine removing a hundred databases' files can take this long; what is left then, the guards and the next run's sweep see to. */
const stoppingMsMax = 60_000;

/** Stops whatever was started; `tests/preload.ts` calls it after the last test. */
export async function stopTestServices(): Promise<void> {
  const state: unknown = Reflect.get(globalThis, slot);
  Reflect.deleteProperty(globalThis, slot);
  if (isRunning(state)) await Promise.race([state.stack.disposeAsync(), Bun.sleep(stoppingMsMax)]);
}

/** A logger for code under test: silent, unless KEELSON_TEST_LOG is set. */
export function testLogger(part: string): Logger {
  return createLogger({ level: Bun.env.KEELSON_TEST_LOG === undefined ? "silent" : "debug", part });
}

function running(): Running {
  const state: unknown = Reflect.get(globalThis, slot);
  if (isRunning(state)) return state;
  const fresh: Running = { databases: 0, stack: new AsyncDisposableStack() };
  Reflect.set(globalThis, slot, fresh);
  return fresh;
}

function isRunning(state: unknown): state is Running {
  return typeof state === "object" && state !== null && "stack" in state;
}

async function startedServer(): Promise<string> {
  const state = running();
  state.server ??= startServer(state.stack);
  return await state.server;
}

async function startServer(stack: AsyncDisposableStack): Promise<string> {
  const log = testLogger("postgres");
  const folder = await openDataFolder(await temporaryFolder(stack), { log });
  const server = await startEmbeddedPostgres({ folder, connectionsMax: 400, log, durable: false });
  stack.defer(() => server.stop());
  return server.url;
}

async function prepareTemplate(server: string): Promise<void> {
  const { migrate } = await import("../db/migrate.ts");
  await withAdmin(server, (sql) => sql.unsafe(`CREATE DATABASE ${template}`));
  await migrate(urlOf(server, template));
}

async function createDatabase(server: string, options: string): Promise<string> {
  const name = `test_${++running().databases}`;
  await withAdmin(server, (sql) => sql.unsafe(`CREATE DATABASE ${name} ${options}`));
  return urlOf(server, name);
}

async function withAdmin(server: string, use: (sql: postgres.Sql) => PromiseLike<unknown>): Promise<void> {
  const sql = postgres(server, { max: 1, onnotice: () => undefined });
  try {
    await use(sql);
  } finally {
    await sql.end();
  }
}

function urlOf(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function startRedis(stack: AsyncDisposableStack): Promise<string | undefined> {
  const given = Bun.env.REDIS_URL;
  if (given !== undefined && given !== "") return given;
  const program = findRedis() ?? (await installRedis());
  if (program === undefined) {
    const message = "No Redis for the tests: set REDIS_URL, or install redis-server or valkey-server.";
    if (Bun.env.CI === "true") throw new Error(message);
    console.warn(`\n${"!".repeat(80)}\n${message} The Redis half of the tests is SKIPPED.\n${"!".repeat(80)}\n`);
    return undefined;
  }
  const [folder, port] = [await temporaryFolder(stack), await freeLoopbackPort()];
  const process = await startRedisProcess(program, { folder, port, persistence: ["--save", "", "--appendonly", "no"] });
  stack.defer(() => process.stop());
  return `redis://127.0.0.1:${port}`;
}

interface RedisSettings {
  readonly folder: string;
  readonly port: number;
  readonly persistence: readonly string[];
  /** A Sentinel's, which it writes to. */
  readonly config?: string;
}

/** Resolves when it answers. */
async function startRedisProcess(program: string, { folder, port, persistence, config }: RedisSettings) {
  const guard = createGuard();
  const settings = ["--port", String(port), "--bind", "127.0.0.1", ...persistence, "--dir", folder];
  const child = Bun.spawn([program, ...(config ? [config, "--sentinel"] : []), ...settings], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    detached: true,
  });
  guard.watch(child.pid);
  child.unref();
  await until("Redis answers", () => answersPing(port));
  return {
    signal: (name: NodeJS.Signals) => child.kill(name),
    stop: async () => {
      child.kill("SIGCONT");
      child.kill();
      await child.exited;
      await guard.dismiss();
    },
  };
}

function findRedis(): string | undefined {
  return Bun.which("redis-server") ?? Bun.which("valkey-server") ?? undefined;
}

async function installRedis(): Promise<string | undefined> {
  if (process.getuid?.() !== 0 || Bun.which("apt-get") === null) return undefined;
  console.warn("redis-server is missing: installing it with apt-get for the tests");
  for (const args of [["update"], ["install", "-y", "--no-install-recommends", "redis-server"]]) {
    const apt = Bun.spawn(["apt-get", "-qq", ...args], {
      env: { ...Bun.env, DEBIAN_FRONTEND: "noninteractive" },
      stdout: "ignore",
      stderr: "ignore",
    });
    await apt.exited;
  }
  return findRedis();
}

async function answersPing(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const handlers = {
    data: () => resolve(true),
    close: () => resolve(false),
    error: () => resolve(false),
    connectError: () => resolve(false),
  };
  const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: handlers }).catch(() => undefined);
  if (socket === undefined) return false;
  socket.write("PING\r\n");
  const answered = await promise;
  socket.end();
  return answered;
}

/** Named after this process, so that a later run can sweep what a killed run left. */
async function temporaryFolder(stack: AsyncDisposableStack): Promise<string> {
  for (const entry of await readdir(tmpdir())) {
    const owner = /^keelson-test-(\d+)-/.exec(entry)?.[1];
    if (owner !== undefined && !isAlive(Number(owner)))
      await rm(join(tmpdir(), entry), { recursive: true, force: true }).catch(() => undefined);
  }
  const folder = await mkdtemp(join(tmpdir(), `keelson-test-${process.pid}-`));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return cause instanceof Error && "code" in cause && cause.code === "EPERM";
  }
}
