import { beforeAll, describe, expect, test } from "bun:test";
import { createGroupStore } from "../../app/platform/bus/group/store.ts";
import { openDatabase } from "../../db/client.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { makeEvent } from "../conformance/bus.ts";
import { substrates } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { publish, registerType } from "./events.ts";

describe.each(await substrates())("insight on %s", (substrate) => {
  const running = sharedCopy(substrate, adminSettings);
  let user: SignedInUser;
  let admin: string;
  beforeAll(async () => {
    user = await signUp(running.url);
    admin = await adminToken(running.url);
    const type = await registerType(running.url);
    await publish(
      running.url,
      user.token,
      Array.from({ length: 20 }, (_, n) => ({ type, data: { n } })),
    );
  });
  const get = (path: string, token = admin) => request(running.url, `/v1/events${path}`, { token });
  const stats = async () => (await get("/stats")).body.stats;

  test("the log, publishing, and the groups with their lag", async () => {
    await until("the group has come to the end", async () => (await stats()).groups[0]?.lag.events === 0);
    const found = await stats();
    expect(found).toMatchObject({ deadLetters: 0, streams: 0, oldestAt: expect.any(String), newestAt: expect.any(String) });
    expect(found.length).toBeGreaterThan(20);
    expect(found.publishMs.p50).toBeGreaterThan(0);
    expect(found.groups).toEqual([
      expect.objectContaining({ name: "webhooks", patterns: [">"], isWorked: true, lag: { events: 0, ms: 0 }, failed: 0, deadLetters: 0 }),
    ]);
    expect(found.groups[0].handled).toBeGreaterThan(20);
    expect(found.groups[0].rate).toBeGreaterThan(0);
  });

  test("a group's dead letters: listed, and redriven by whoever works for it", async () => {
    await using database = {
      client: openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 1, applicationName: "insight" }),
      [Symbol.asyncDispose]: () => database.client.close(),
    };
    const store = createGroupStore(database.client.db);
    const event = { ...makeEvent(7), cursor: "1-0", storedAt: Date.now() };
    const id = await store.bury({ group: "webhooks", event, attempts: 4, error: "no luck" }, database.client.db);
    const { data } = (await get("/groups/webhooks/dead-letters")).body;
    expect(data).toEqual([
      {
        id,
        type: event.type,
        attempts: 4,
        error: "no luck",
        event: expect.objectContaining({ id: event.id, data: { n: 7 } }),
        createdAt: expect.any(String),
      },
    ]);
    expect((await stats()).deadLetters).toBe(1);
    const answer = await request(running.url, "/v1/events/groups/webhooks/redrive", { token: admin, body: { ids: [id] } });
    expect([answer.status, answer.body]).toEqual([202, { redriven: 1 }]);
    await until("it was handled", async () => (await get("/groups/webhooks/dead-letters")).body.data.length === 0);
  });

  test("for Prometheus", async () => {
    const { body } = await request(running.url, "/metrics");
    expect(body).toMatch(/^keelson_event_log_length \d+$/m);
    expect(body).toMatch(/^keelson_event_group_handled\{group="webhooks"\} \d+$/m);
    expect(body).toMatch(/^keelson_event_publish_seconds\{quantile="0.95"\} [\d.e-]+$/m);
  });

  test("for administrators alone", async () => {
    for (const path of ["/stats", "/groups/webhooks/dead-letters"]) expectProblem(await get(path, user.token), "forbidden");
    expectProblem(await get("/groups/none/dead-letters"), "not_found");
    expectProblem(await request(running.url, "/v1/events/groups/webhooks/redrive", { token: user.token, method: "POST" }), "forbidden");
  });
});
