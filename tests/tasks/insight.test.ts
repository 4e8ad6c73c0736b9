import { afterAll, beforeAll, expect, test } from "bun:test";
import { createTransact, type Transact } from "../../app/platform/outbox.ts";
import { type QueueOverrides, queueTable } from "../../app/platform/queue/overrides.ts";
import { createInsightStore } from "../../app/services/tasks/insight/store.ts";
import { startQueueWatch } from "../../app/services/tasks/insight/watch.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { testLogger } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const running = sharedCopy("postgres", { ...adminSettings, KEELSON_RATE_LIMIT_PER_MINUTE: "10000" });
let database: DatabaseClient;
beforeAll(() => {
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test" });
});
afterAll(() => database.close());

const setPaused = async (verb: "pause" | "resume") =>
  request(running.url, `/v1/queues/sandbox-execution/${verb}`, { method: "POST", token: await adminToken(running.url) });

/** What a watch with low thresholds tells. */
function watch(more: QueueOverrides["sandbox-execution"] = { highLoad: 1 }) {
  const said: string[] = [];
  const real = createTransact({ db: database.db, now: () => new Date(), wake: () => undefined });
  const transact: Transact = (work) =>
    real((unit) =>
      work({
        ...unit,
        publish: (contract, event) => {
          if (event.subject === "sandbox-execution") said.push(`${contract.type} ${Reflect.get(Object(event.data), "state")}`);
          unit.publish(contract, event);
        },
      }),
    );
  let leads = true;
  const running = startQueueWatch({
    store: createInsightStore(database.db),
    settings: queueTable({ "sandbox-execution": { highDepth: 5, stuckMs: 100, errorRate: 0.5, ...more } }),
    leads: () => leads,
    transact,
    log: testLogger("watch"),
    everyMs: 20,
  });
  return {
    said,
    setLeads: (value: boolean) => {
      leads = value;
    },
    heard: (what: string) => until(what, () => said.includes(what)),
    [Symbol.asyncDispose]: () => running.stop(),
  };
}

test("deep and stuck: each is told once when it begins and once when it is over", async () => {
  const tasks = tasksOf(running.url, await signUp(running.url));
  await setPaused("pause");
  await using it = watch();
  await Promise.all(Array.from({ length: 8 }, () => tasks.add("1")));
  await it.heard("queue.high_depth begun");
  await it.heard("queue.stuck begun");
  await setPaused("resume");
  await it.heard("queue.high_depth over");
  await it.heard("queue.stuck over");
  expect(it.said.filter((said) => !said.startsWith("task.high_load")).toSorted()).toEqual([
    "queue.high_depth begun",
    "queue.high_depth over",
    "queue.stuck begun",
    "queue.stuck over",
  ]);
});

test("a copy that does not lead says nothing; one that takes over says what it finds", async () => {
  const tasks = tasksOf(running.url, await signUp(running.url));
  await setPaused("pause");
  await using it = watch();
  it.setLeads(false);
  await Promise.all(Array.from({ length: 8 }, () => tasks.add("1")));
  await until("they wait", async () => (await createInsightStore(database.db).health(countsOf(5))).some(({ waiting }) => waiting === 5));
  expect(it.said).toEqual([]);
  it.setLeads(true);
  await it.heard("queue.high_depth begun");
  await setPaused("resume");
  await it.heard("queue.high_depth over");
});

test("when nearly all that may run does", async () => {
  const tasks = tasksOf(running.url, await signUp(running.url));
  await using it = watch({ highLoad: 0.5, activeMax: 4 });
  const ids = await Promise.all([tasks.add("for (;;);"), tasks.add("for (;;);")]);
  await it.heard("task.high_load begun");
  for (const id of ids) await tasks.verb(id, "cancel");
  await it.heard("task.high_load over");
});

test("when half of what ended lately failed; the queue shows why", async () => {
  const user = await signUp(running.url);
  const tasks = tasksOf(running.url, user);
  await using it = watch();
  const done = (await database.sql`select count(*)::int as count from tasks where status = 'completed'`)[0]?.count;
  await Promise.all(Array.from({ length: Math.max(20, done * 2) }, () => tasks.add("throw new Error('no')")));
  await it.heard("queue.error_rate begun");
  await until("the queue shows it", async () => {
    const { queue } = (await request(running.url, "/v1/queues/sandbox-execution", { token: user.token })).body;
    return queue.errors.GiveUp >= 20 && queue.use >= 0 && queue.use <= 1;
  });
});

function countsOf(max: number): Parameters<ReturnType<typeof createInsightStore>["health"]>[0] {
  const table = queueTable();
  return Object.fromEntries(Object.keys(table).map((name) => [name, max])) as Record<keyof typeof table, number>;
}
