import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemNow } from "../../app/platform/clock.ts";
import { newId } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createRecord } from "../../app/services/sandbox/record.ts";
import { createExecutionStore } from "../../app/services/sandbox/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import type { ExecutionOutcome } from "../../sandbox/execution.ts";
import { testPostgres } from "../services.ts";

let database: DatabaseClient;
beforeAll(async () => {
  const url = await testPostgres();
  await migrate(url);
  database = openDatabase({ url, connectionsMax: 4, applicationName: "test record" });
});
afterAll(() => database.close());

const receipt: ExecutionOutcome["receipt"] = {
  wallMs: 1,
  cpuMs: 1,
  memoryBytesPeak: 1,
  hostCalls: 0,
  seed: "s",
  engine: "test",
  deterministic: false,
  limits: { timeoutMs: 1, memoryBytes: 1, hostCallsMax: 0 },
};
const ended = (id: string, output: unknown) => ({
  row: { id, ownerId: "usr_1", status: "queued" as const, code: "1", input: null, timeoutMs: 1, memoryBytes: 1, createdAt: new Date() },
  outcome: { status: "succeeded" as const, output, logs: [], receipt },
  calls: [],
  signature: null,
  finishedAt: new Date(),
});

test("those that end together are stored together, each with its event; one that can't be stored holds none up", async () => {
  const transact = createTransact({ db: database.db, now: systemNow, wake: () => undefined });
  const record = createRecord({ store: createExecutionStore(database.db), transact });
  await database.sql`insert into users (id, email, role) values ('usr_1', 'a@example.com', 'user')`;
  const ids = Array.from({ length: 20 }, () => newId("execution"));
  const first = await record(ended(ids[0] ?? "", 0));
  expect(first).toMatchObject({ id: ids[0], output: 0 });
  // The first is there already, so it can't be stored once more.
  const stored = await Promise.allSettled(ids.map((id, n) => record(ended(id, n))));
  expect(stored.map(({ status }) => status)).toEqual(["rejected", ...ids.slice(1).map(() => "fulfilled" as const)]);
  expect(stored.slice(1).map((it) => (it.status === "fulfilled" ? [it.value.id, it.value.output] : it))).toEqual(
    ids.slice(1).map((id, n) => [id, n + 1]),
  );
  const [counts] = await database.sql`
    select (select count(*)::int from executions) as executions,
      (select sum(json_array_length(payload))::int from outbox) as events, (select count(*)::int from outbox) as units`;
  expect(counts).toEqual({ executions: 20, events: 20, units: expect.any(Number) });
});
