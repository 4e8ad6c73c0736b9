import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testPostgres, testRedis } from "../services.ts";
import { tasksOf } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { type Bench, percentile, type Side } from "./harness.ts";
import { residentMegabytes } from "./process-tree.ts";
import { newPrefix } from "./queue.ts";

const crowd = 1_000_000;
/** Enough to keep its workers busy for as long as it is measured. */
const fewer = 30_000;
const strangersTasks = 30;
const cancels = 10;

/** What many waiting tasks do to a copy and to the others' tasks, and how soon a task that runs elsewhere is stopped. */
export const tasksCrowd: readonly Bench[] = [
  {
    name: "tasks-crowd",
    what: "A copy whose sandbox queue has a million tasks of one user waiting, and works them; another user sends one task after the other. Peer: the same with thirty thousand.",
    needsRedis: true,
    rounds: 3,
    measures: [
      { name: "the other's task, accept to end p50", unit: "ms" },
      { name: "the other's task, accept to end p95", unit: "ms" },
      { name: "memory of the copy (RSS)", unit: "MB" },
    ],
    subject: oneCopy("with a million", crowd),
    peer: oneCopy("with 30 000", fewer),
  },
  {
    name: "tasks-cancel",
    what: "From the request to cancel an endless program to the end of the next one on its only cell, asked of another copy. Peer: asked of the copy that runs it.",
    needsRedis: true,
    rounds: 3,
    measures: [
      { name: "p50", unit: "ms" },
      { name: "p95", unit: "ms", bar: { valueMax: 1_000 } },
    ],
    subject: cancelling("asked of another copy", 1),
    peer: cancelling("asked of its own", 0),
  },
];

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

export async function startServer(settings: Readonly<Record<string, string>>): Promise<Server> {
  await using opening = new AsyncDisposableStack();
  const folder = opening.use(await temporaryDataFolder());
  const server = await runServer({
    KEELSON_DATA_DIR: folder.path,
    KEELSON_RATE_LIMIT_PER_MINUTE: "1000000",
    KEELSON_LOGIN_LIMIT_PER_MINUTE: "1000",
    LOG_LEVEL: "warn",
    REDIS_URL: (await testRedis()) ?? "",
    ...settings,
  });
  opening.defer(async () => {
    server.signal("SIGKILL");
    await server.exited;
  });
  await whenReady(server);
  const open = opening.move();
  return { url: server.url, pid: server.pid, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

function oneCopy(what: string, waiting: number): Side {
  return {
    what,
    start: async () => {
      await using opening = new AsyncDisposableStack();
      const databaseUrl = await testPostgres();
      const server = opening.use(await startServer({ DATABASE_URL: databaseUrl, KEELSON_KEY_PREFIX: newPrefix() }));
      await addCrowd(databaseUrl, server.url, waiting);
      const tasks = tasksOf(server.url, await signUp(server.url));
      const open = opening.move();
      return {
        measure: async () => {
          const took: number[] = [];
          for (let sent = 0; sent < strangersTasks; sent += 1) {
            const sentAt = performance.now();
            const id = await tasks.add("1");
            await until("it is done", async () => (await tasks.status(id)) === "completed");
            took.push(performance.now() - sentAt);
          }
          return {
            "the other's task, accept to end p50": percentile(
              took.toSorted((a, b) => a - b),
              0.5,
            ),
            "the other's task, accept to end p95": percentile(
              took.toSorted((a, b) => a - b),
              0.95,
            ),
            "memory of the copy (RSS)": residentMegabytes(server.pid),
          };
        },
        [Symbol.asyncDispose]: () => open.disposeAsync(),
      };
    },
  };
}

/** As many copies of one real task as are asked for. */
async function addCrowd(databaseUrl: string, url: string, count: number): Promise<void> {
  const first = await tasksOf(url, await signUp(url)).add("1", { delayMs: 86_400_000 });
  const sql = postgres(databaseUrl, { max: 1 });
  await sql`
    insert into tasks (id, queue, job, owner_id, group_key, weight, priority, own_priority, status, input, attempts_max, timeout_ms)
    select 'tsk_' || lpad(to_hex(n), 32, '0'), queue, job, owner_id, group_key, weight, priority, own_priority, 'waiting', input, attempts_max, timeout_ms
    from tasks cross join generate_series(1, ${count}::int) as n where id = ${first}`;
  await sql`analyze tasks`;
  await sql.end();
}

function cancelling(what: string, askedOf: 0 | 1): Side {
  return {
    what,
    start: async () => {
      await using opening = new AsyncDisposableStack();
      const shared = { DATABASE_URL: await testPostgres(), KEELSON_KEY_PREFIX: newPrefix(), KEELSON_SANDBOX_CELLS: "1" };
      const works = opening.use(await startServer(shared));
      const other = opening.use(await startServer({ ...shared, KEELSON_ROLES: "api" }));
      const user = await signUp(works.url);
      const open = opening.move();
      return {
        measure: async () => {
          const took: number[] = [];
          for (let round = 0; round < cancels; round += 1) took.push(await cancelOnce([works, other], user, askedOf));
          const sorted = took.toSorted((a, b) => a - b);
          return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) };
        },
        [Symbol.asyncDispose]: () => open.disposeAsync(),
      };
    },
  };
}

async function cancelOnce([works, other]: readonly [Server, Server], user: SignedInUser, askedOf: 0 | 1): Promise<number> {
  const tasks = tasksOf(works.url, user);
  const endless = await tasks.add("for (;;);");
  await until("it runs", async () => (await tasks.status(endless)) === "active");
  const next = await tasks.add("1");
  const askedAt = Date.now();
  await request((askedOf === 0 ? works : other).url, `/v1/tasks/${endless}/cancel`, { method: "POST", token: user.token });
  await until("the next is done", async () => (await tasks.status(next)) === "completed");
  return Date.parse((await tasks.get(next)).finishedAt) - askedAt;
}
