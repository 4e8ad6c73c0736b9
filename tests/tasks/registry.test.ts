import { describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { adminSettings, adminToken, tasksOf } from "./tasks.ts";

const endless = "for (;;);";
const settingsOf = (settings: object) => ({ KEELSON_QUEUES: JSON.stringify({ "sandbox-execution": settings }) });

describe.each(await substrates())("on %s", (substrate) => {
  const running = sharedCopy(substrate, { ...adminSettings, ...settingsOf({ activeMax: 2 }) });

  test("no more run at once than the queue may, on all copies together", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    const ids = await Promise.all(Array.from({ length: 4 }, () => tasks.add(endless, {}, { timeoutMs: 1_500 })));
    const active = async () => (await tasks.list("status=active")).length;
    let most = 0;
    await until("two run", async () => (await active()) === 2);
    await until("all have ended", async () => {
      most = Math.max(most, await active());
      return (await tasks.list("status=failed")).length === ids.length;
    });
    expect(most).toBe(2);
  }, 30_000);
});

describe("the registry of running tasks", () => {
  const running = sharedCopy("postgres", adminSettings);

  test("tells for whom a task runs and what it has in use", async () => {
    const user = await signUp(running.url);
    const tasks = tasksOf(running.url, user);
    const admin = await adminToken(running.url);
    await request(running.url, `/v1/users/${user.id}`, { method: "PATCH", token: admin, body: { tier: "pro" } });
    const id = await tasks.add(endless, {}, { memoryBytes: 8_388_608 });
    const shown = async () => {
      const { body } = await request(running.url, "/v1/tasks/active", { token: admin });
      return body.data.find((it: { id: string }) => it.id === id);
    };
    // With its worker's next report.
    await until("its use is known", async () => (await shown())?.memoryBytes !== undefined);
    expect(await shown()).toMatchObject({ id, ownerId: user.id, tier: "pro", memoryBytes: 8_388_608, thread: "queue-1" });
    expect((await shown()).credits).toBeUndefined();
    await tasks.verb(id, "cancel");
  }, 30_000);
});

test("when its copy shuts down, a task goes back after the grace of its queue, and not that of the copy", async () => {
  const copy = await startTestCopy("postgres", { KEELSON_SHUTDOWN_GRACE_MS: "60000", ...settingsOf({ shutdownGraceMs: 0 }) });
  const tasks = tasksOf(copy.url, await signUp(copy.url));
  const id = await tasks.add(endless);
  await until("it runs", async () => (await tasks.status(id)) === "active");
  await copy[Symbol.asyncDispose]();
  const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  const [row] = await sql`select status, attempts from tasks where id = ${id}`;
  await sql.end();
  expect(row).toEqual({ status: "waiting", attempts: 0 });
}, 60_000);
