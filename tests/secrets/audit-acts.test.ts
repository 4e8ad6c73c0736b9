import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { newId } from "../../app/platform/ids.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken, tasksOf } from "../tasks/tasks.ts";
import { until } from "../until.ts";

/** What people do to tasks and queues is in the trail: who, to what, from where, by which request. */
describe("in the trail", () => {
  const running = sharedCopy("postgres", { ...adminSettings, KEELSON_QUEUES: JSON.stringify({ "sandbox-execution": { attempts: 1 } }) });
  let sql: postgres.Sql;
  let admin: string;
  let adminId: string;
  let ada: SignedInUser;
  beforeAll(async () => {
    sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
    admin = await adminToken(running.url);
    adminId = (await request(running.url, "/v1/me", { token: admin })).body.user.id;
    ada = await signUp(running.url);
  });
  afterAll(() => sql.end());

  const post = (path: string, token: string, body?: unknown) =>
    request(running.url, path, { method: "POST", token, ...(body ? { body } : {}) });
  const entry = async (action: string, subject: string, token = admin) => {
    const { data } = (await request(running.url, `/v1/audit?action=${action}&subject=${subject}&limit=1`, { token })).body;
    return data[0];
  };
  const by = (actor: string, requestId: string | null) => ({ actor, requestId, ip: "127.0.0.1", outcome: "success" });

  test("a task that an administrator ends, and its owner sees who did", async () => {
    const id = await tasksOf(running.url, ada).add("1", { delayMs: 600_000 });
    const { headers, status } = await post(`/v1/tasks/${id}/cancel`, admin);
    expect(status).toBe(200);
    expect(await entry("task.controlled", id, ada.token)).toMatchObject({
      ...by(adminId, headers.get("x-request-id")),
      data: { queue: "sandbox-execution", control: "cancel", from: "delayed" },
    });
    expect((await post(`/v1/tasks/${id}/pause`, admin)).status).toBe(409);
    expect((await request(running.url, `/v1/audit?subject=${id}`, { token: admin })).body.data).toHaveLength(1);
  });

  test("a queue that is paused and let go on", async () => {
    for (const [verb, action] of [
      ["pause", "queue.paused"],
      ["resume", "queue.resumed"],
    ] as const) {
      const { headers } = await post(`/v1/queues/sms-message/${verb}`, admin);
      expect(await entry(action, "sms-message")).toMatchObject(by(adminId, headers.get("x-request-id")));
    }
  });

  test("dead letters that are sent again, and forgotten", async () => {
    const tasks = tasksOf(running.url, ada);
    const id = await tasks.add("throw new Error('no')");
    await until("it has failed", async () => ["failed", "dead"].includes(await tasks.status(id)));
    await sql`update tasks set status = 'dead' where id = ${id}`;
    const { headers, body } = await post("/v1/queues/sandbox-execution/redrive", ada.token, { taskIds: [id] });
    expect(body).toEqual({ redriven: 1 });
    expect(await entry("queue.redriven", "sandbox-execution", ada.token)).toMatchObject({
      ...by(ada.id, headers.get("x-request-id")),
      data: { redriven: 1, named: true },
    });
    const purge = await request(running.url, "/v1/queues/sandbox-execution/dead-letters?before=2020-01-01T00:00:00Z", {
      method: "DELETE",
      token: admin,
    });
    expect(await entry("queue.dead_letters_purged", "sandbox-execution")).toMatchObject(by(adminId, purge.headers.get("x-request-id")));
  });

  test("dead letters of a durable group that are tried again", async () => {
    const [group] = await sql`select name from bus_groups limit 1`;
    const eventId = newId("event");
    const event = JSON.stringify({ id: eventId, type: "test.happened", time: new Date().toISOString(), data: {} });
    await sql`
      insert into event_dead_letters (id, group_name, event_id, type, event, attempts, error)
      values (${newId("deadLetter")}, ${group?.name}, ${eventId}, 'test.happened', ${event}, 3, 'no')`;
    const { headers, body } = await post(`/v1/events/groups/${group?.name}/redrive`, admin);
    expect(body).toEqual({ redriven: 1 });
    expect(await entry("event.group_redriven", group?.name)).toMatchObject({
      ...by(adminId, headers.get("x-request-id")),
      data: { redriven: 1, named: false },
    });
  });

  test("a subscription whose events are sent again", async () => {
    const created = await post("/v1/subscriptions", ada.token, { pattern: ["test.>"], url: "https://example.com/hook" });
    const { id } = created.body.subscription ?? {};
    const { headers, status } = await post(`/v1/subscriptions/${id}/replay`, ada.token, { since: "2026-01-01T00:00:00Z" });
    expect(status).toBe(202);
    expect(await entry("subscription.replayed", id, ada.token)).toMatchObject(by(ada.id, headers.get("x-request-id")));
  });
});
