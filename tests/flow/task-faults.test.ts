import { describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import postgres from "postgres";
import { type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { endBackends, type OwnRedis, ownPostgres, ownRedis, testPostgres, testRedis } from "../services.ts";
import { until } from "../until.ts";

// Whatever happens to the parts it stands on: each task that was accepted runs, and ends exactly once in its record.

const settings = { KEELSON_RATE_LIMIT_PER_MINUTE: "100000" };
const perLane = 20;
const lanes = 4;
/** Long enough that some run and many wait when the fault comes. */
const programOf = (n: number) => `const end = Date.now() + 40; while (Date.now() < end); ${n}`;

/** Submits tasks while `fault` happens, as a client does who tries again; returns what each accepted one should put out, by its id. */
async function submitWhile(urlOf: () => string, { token }: SignedInUser, fault: () => Promise<void>): Promise<ReadonlyMap<string, number>> {
  const accepted = new Map<string, number>();
  let submitted = 0;
  const submit = async (n: number): Promise<boolean> => {
    const answer = await fetch(`${urlOf()}/v1/tasks`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ queue: "sandbox-execution", input: { code: programOf(n), timeoutMs: 8_000 } }),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => undefined);
    if (answer?.status !== 202) return false;
    const { task } = (await answer.json()) as { task: { id: string } };
    accepted.set(task.id, n);
    return true;
  };
  const lane = async () => {
    for (let count = 0; count < perLane; count += 1) {
      submitted += 1;
      const n = submitted;
      await until("it is accepted", () => submit(n), 60_000);
    }
  };
  const submitting = Promise.all(Array.from({ length: lanes }, lane));
  await until("some are accepted", () => accepted.size >= lanes * 2, 30_000);
  await fault();
  await submitting;
  return accepted;
}

/** Waits until every task of the user has ended, and looks at what stands in its record. */
async function check(databaseUrl: string, { id: ownerId }: SignedInUser, accepted: ReadonlyMap<string, number>): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 });
  try {
    await until(
      "all have ended",
      async () => {
        const [row] = await sql`select count(*)::int as open from tasks where owner_id = ${ownerId} and finished_at is null`;
        return row?.open === 0;
      },
      60_000,
    );
    const rows = await sql`
      select id, status, result ->> 'output' as output, input ->> 'code' as code, (
        select count(*)::int from task_events, json_array_elements(entries) as entry where task_id = tasks.id and entry ->> 'type' = 'result'
      ) as results, (
        select count(*)::int from task_events, json_array_elements(entries) as entry
        where task_id = tasks.id and entry ->> 'type' = 'state' and entry -> 'data' ->> 'status' = 'active'
      ) as starts
      from tasks where owner_id = ${ownerId}`;
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const [id, n] of accepted) expect([byId.get(id)?.code, byId.get(id)?.output], id).toEqual([programOf(n), String(n)]);
    for (const { id, status, results, starts } of rows) {
      expect({ id, status, results }).toEqual({ id, status: "completed", results: 1 });
      expect(starts, id).toBeGreaterThanOrEqual(1);
    }
  } finally {
    await sql.end();
  }
}

/** All of PostgreSQL's connections end, and it recovers from its log, as after a crash of the machine. */
async function crashPostgres(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  const [row] =
    await sql`select pid from pg_stat_activity where application_name like 'keelson%' and backend_type = 'client backend' limit 1`;
  process.kill(Number(row?.pid), "SIGKILL");
  await sql.end({ timeout: 1 }).catch(() => undefined);
  await until("it has recovered", async () => {
    const again = postgres(url, { max: 1, onnotice: () => undefined });
    const answered = await again`select 1`.catch(() => undefined);
    await again.end({ timeout: 1 });
    return answered !== undefined;
  });
}

async function dropConnections(url: string): Promise<void> {
  const sql = postgres(url, { max: 1 });
  await endBackends(sql);
  await sql.end();
}

interface Broken {
  readonly running: TestCopy;
  readonly redis: OwnRedis;
  readonly databaseUrl: string;
}

describe("faults under load, on Redis", () => {
  const faults: readonly (readonly [string, (broken: Broken) => Promise<void>])[] = [
    ["Redis is killed and starts again", ({ redis }) => redis.killAndStartAgain()],
    [
      "Redis stands still for five seconds",
      async ({ redis }) => {
        redis.signal("SIGSTOP");
        await Bun.sleep(5_000);
        redis.signal("SIGCONT");
      },
    ],
    [
      "Redis drops its connections",
      async ({ redis }) => {
        const client = new Redis(redis.url);
        await client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        client.disconnect();
      },
    ],
    ["PostgreSQL crashes", ({ databaseUrl }) => crashPostgres(databaseUrl)],
    ["a queue thread is killed", async ({ running }) => running.copy.threads.queues[0]?.kill()],
  ];

  test.each(faults)(
    "%s",
    async (_name, fault) => {
      await using redis = await ownRedis();
      if (redis === undefined) return;
      await using database = await ownPostgres();
      const databaseUrl = database.url;
      await using running = await startTestCopy("postgres", { ...settings, DATABASE_URL: databaseUrl, REDIS_URL: redis.url });
      const user = await signUp(running.url);
      const accepted = await submitWhile(
        () => running.url,
        user,
        () => fault({ running, redis, databaseUrl }),
      );
      expect(accepted.size).toBe(lanes * perLane);
      await check(databaseUrl, user, accepted);
    },
    150_000,
  );
});

describe("faults under load, on PostgreSQL", () => {
  test.each([
    ["it crashes", crashPostgres],
    ["it drops its connections", dropConnections],
  ] as const)(
    "%s",
    async (_name, fault) => {
      await using database = await ownPostgres();
      const databaseUrl = database.url;
      await using running = await startTestCopy("postgres", { ...settings, DATABASE_URL: databaseUrl });
      const user = await signUp(running.url);
      const accepted = await submitWhile(
        () => running.url,
        user,
        () => fault(databaseUrl),
      );
      expect(accepted.size).toBe(lanes * perLane);
      await check(databaseUrl, user, accepted);
    },
    150_000,
  );
});

describe.each(["postgres", "redis"] as const)("the process is killed under load, on %s", (substrate) => {
  test("and another takes over", async () => {
    const redisUrl = substrate === "redis" ? await testRedis() : undefined;
    if (substrate === "redis" && redisUrl === undefined) return;
    await using folder = await temporaryDataFolder();
    const databaseUrl = await testPostgres();
    const start = async () => {
      const server = await runServer({
        ...settings,
        DATABASE_URL: databaseUrl,
        ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
        KEELSON_DATA_DIR: folder.path,
        KEELSON_KEY_PREFIX: `faults-${process.pid}`,
      });
      await whenReady(server);
      return server;
    };
    let server = await start();
    try {
      const user = await signUp(server.url);
      const accepted = await submitWhile(
        () => server.url,
        user,
        async () => {
          server.signal("SIGKILL");
          await server.exited;
          server = await start();
        },
      );
      expect(accepted.size).toBe(lanes * perLane);
      await check(databaseUrl, user, accepted);
    } finally {
      server.signal("SIGTERM");
      await server.exited;
    }
  }, 150_000);
});
