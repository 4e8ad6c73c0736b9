import { expect, test } from "bun:test";
import { startTestCopy } from "../copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { recent } from "./events.ts";

test("a copy tells that it started, that a thread was started again, and that it stops", async () => {
  await using first = await startTestCopy("postgres", adminSettings);
  const token = await adminToken(first.url);
  const told = async (type: string) =>
    (await recent(first.url, token, `?pattern=system.${type}`)).body.data.map(({ data }: { data: unknown }) => data);
  await until("it has told", async () => (await told("copy_started")).length === 1);
  expect((await told("copy_started"))[0]).toMatchObject({ roles: ["api", "queue", "bus", "sandbox"], substrate: "postgres" });
  await first.copy.threads.queues[0]?.kill();
  await until("the thread is back", async () => (await told("thread_restarted")).length === 1, 10_000);
  expect((await told("thread_restarted"))[0]).toMatchObject({ thread: "queue-1", restarts: 1 });
  const second = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL: first.config.DATABASE_URL ?? "" });
  await second[Symbol.asyncDispose]();
  await until("the other copy's end is told", async () => (await told("copy_stopping")).length === 1);
}, 60_000);
