import { beforeAll, describe, expect, test } from "bun:test";
import { HTTP } from "cloudevents";
import { request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, substrates } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { makeTeam, publish, recent, registerType } from "./events.ts";
import { startReceiver } from "./receiver.ts";

const quick = JSON.stringify({ "webhook-delivery": { attempts: 3, backoff: { pausesMs: [50] }, concurrencyMin: 20, concurrencyMax: 50 } });
const settings = { ...adminSettings, KEELSON_WEBHOOK_NETWORKS: "127.0.0.0/8,::1", KEELSON_QUEUES: quick };
const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, n) => n + from);
const numbers = (events: readonly { readonly data: { readonly n: number } }[]) => events.map(({ data }) => data.n);

describe.each(await substrates())("webhooks on %s", (substrate) => {
  const running = sharedCopy(substrate, settings);
  let user: SignedInUser;
  let type: string;
  beforeAll(async () => {
    user = await signUp(running.url);
    type = await registerType(running.url);
  });
  const call = (path: string, options: Parameters<typeof request>[2] = {}) =>
    request(running.url, `/v1/subscriptions${path}`, { token: user.token, ...options });
  const subscribe = async (body: Readonly<Record<string, unknown>>, token = user.token) => {
    const answer = await call("", { body, token });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return { id: String(answer.body.subscription.id), secret: String(answer.body.secret), subscription: answer.body.subscription };
  };
  const publishSome = (count: number, over: Readonly<Record<string, unknown>> = {}, from = 0) =>
    publish(
      running.url,
      user.token,
      upTo(count, from).map((n) => ({ type, subject: `s${n}`, data: { n }, ...over })),
    );

  test("what happens from now on is sent, signed, as CloudEvents", async () => {
    await using receiver = startReceiver();
    await publishSome(1, { data: { n: -1 } });
    const { id, secret, subscription } = await subscribe({ pattern: type, url: receiver.url, description: "mine" });
    expect(subscription).toEqual({
      ...{ id, pattern: [type], url: receiver.url, description: "mine", status: "active", concurrency: 5 },
      ...{ createdAt: expect.any(String), updatedAt: expect.any(String) },
    });
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const [eventId] = await publishSome(1);
    await until("it came", () => receiver.received.length > 0);
    const [first] = receiver.received;
    if (!first) throw new Error("nothing came");
    expect(receiver.verify(first, secret)).toEqual(first.json);
    expect(() => receiver.verify({ ...first, body: `${first.body} ` }, secret)).toThrow();
    expect(first.json).toMatchObject({ specversion: "1.0", id: eventId, type, subject: "s0", data: { n: 0 } });
    expect(first.headers["content-type"]).toBe("application/cloudevents+json");
    expect(HTTP.toEvent({ headers: first.headers, body: first.body })).toMatchObject({ id: eventId, type });
    expect(Math.abs(Number(first.headers["webhook-timestamp"]) - Date.now() / 1_000)).toBeLessThan(60);
    const stats = await until("it is counted", async () => {
      const { body } = await call(`/${id}/stats`);
      return body.stats.deliveries.delivered === 1 && body.stats.latencyMs && body.stats.lastSuccessAt ? body.stats : undefined;
    });
    expect(stats).toMatchObject({
      deliveries: { pending: 0, dead: 0 },
      errors: 0,
      lag: { events: 0, ms: 0 },
      lastSuccessAt: expect.any(String),
    });
    expect(stats.latencyMs.p50).toBeGreaterThan(0);
    expect(receiver.received).toHaveLength(1);
    expect((await call(`/${id}`, { method: "DELETE" })).status).toBe(204);
    await publishSome(1);
    expectProblem(await call(`/${id}`), "not_found");
  });

  test("a failure is tried again, with the same id; after the last time it is a dead letter, and can be redriven", async () => {
    let isBroken = true;
    await using receiver = startReceiver(() => (isBroken ? new Response("out of order", { status: 500 }) : 200));
    const { id } = await subscribe({ pattern: [type, "no.such"], url: receiver.url });
    await publishSome(1);
    const letter = await until("it is dead", async () => (await call(`/${id}/dead-letters`)).body.data[0]);
    expect(letter).toMatchObject({
      attempts: 3,
      responseStatus: 500,
      error: "answered 500: out of order",
      events: [{ type, data: { n: 0 } }],
    });
    expect(receiver.received).toHaveLength(3);
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"]))).toEqual(new Set([letter.id]));
    expect((await call(`/${id}`)).body.subscription.failingSince).toBeString();
    expect((await call(`/${id}/stats`)).body.stats).toMatchObject({
      deliveries: { dead: 1 },
      errors: 3,
      lastError: "answered 500: out of order",
    });
    const told = await until("it is told", async () => {
      const { data } = (await recent(running.url, user.token, "?pattern=subscription.delivery_died")).body;
      return data.find(({ subject }: { subject: string }) => subject === id);
    });
    expect(told.data).toMatchObject({ deliveryId: letter.id, attempts: 3 });
    isBroken = false;
    expect((await call(`/${id}/redrive`, { body: { deliveryIds: ["dlv_other"] } })).body).toEqual({ redriven: 0 });
    expect((await call(`/${id}/redrive`, { method: "POST" })).body).toEqual({ redriven: 1 });
    await until("it came through", async () => (await call(`/${id}/stats`)).body.stats.deliveries.delivered === 1);
    expect(receiver.received.at(-1)?.headers["webhook-id"]).toBe(letter.id);
    expect((await call(`/${id}/dead-letters`)).body.data).toEqual([]);
    expect((await call(`/${id}`)).body.subscription.failingSince).toBeUndefined();
  }, 20_000);

  test("redirects are not followed; Retry-After is heeded", async () => {
    const later = { status: 429, headers: { "retry-after": "1" } };
    let asked = 0;
    await using busy = startReceiver(() => (++asked === 1 ? new Response(null, later) : 200));
    await using moved = startReceiver(({ path }) =>
      path === "/hook" ? new Response(null, { status: 307, headers: { location: "/elsewhere" } }) : 200,
    );
    const [first, second] = [await subscribe({ pattern: type, url: busy.url }), await subscribe({ pattern: type, url: moved.url })];
    await publishSome(1);
    await until("it was taken the second time", () => busy.received.length >= 2);
    expect((busy.received[1]?.at ?? 0) - (busy.received[0]?.at ?? 0)).toBeGreaterThan(990);
    const letter = await until("it is dead", async () => (await call(`/${second.id}/dead-letters`)).body.data[0]);
    expect(letter).toMatchObject({ responseStatus: 307, error: "answered 307: redirects are not followed" });
    expect(moved.received.every(({ path }) => path === "/hook")).toBe(true);
    for (const { id } of [first, second]) await call(`/${id}`, { method: "DELETE" });
  }, 20_000);

  test("410 disables the subscription; the owner is told, and can enable it again", async () => {
    await using receiver = startReceiver(() => 410);
    const { id } = await subscribe({ pattern: type, url: receiver.url });
    await publishSome(1);
    const disabled = await until("it is disabled", async () => {
      const { subscription } = (await call(`/${id}`)).body;
      return subscription.status === "disabled" ? subscription : undefined;
    });
    expect(disabled.disabledReason).toContain("410");
    await until("it is told", async () => {
      const { data } = (await recent(running.url, user.token, "?pattern=subscription.disabled")).body;
      return data.some(({ subject }: { subject: string }) => subject === id);
    });
    const mail = await until("there is a mail", async () => {
      const { body } = await request(running.url, "/dev/mail.json");
      return body.data.find(
        ({ to, subject }: { to: string; subject: string }) => to === user.email && subject === "A webhook was disabled",
      );
    });
    expect(mail.text).toContain(receiver.url);
    await publishSome(1);
    expectProblem(await call(`/${id}/redrive`, { body: {} }), "conflict");
    expectProblem(await call(`/${id}/replay`, { body: { since: new Date(0).toISOString() } }), "conflict");
    const enabled = await call(`/${id}`, { method: "PATCH", body: { status: "active" } });
    expect([enabled.status, enabled.body.subscription.status, enabled.body.subscription.disabledReason]).toEqual([
      200,
      "active",
      undefined,
    ]);
    expect(receiver.received).toHaveLength(1);
    await call(`/${id}`, { method: "DELETE" });
  }, 20_000);

  test("paused: events wait, and come when it is active again", async () => {
    await using receiver = startReceiver();
    const { id } = await subscribe({ pattern: type, url: receiver.url });
    expect((await call(`/${id}`, { method: "PATCH", body: { status: "paused" } })).body.subscription.status).toBe("paused");
    await publishSome(4);
    await until("they wait", async () => (await call(`/${id}/stats`)).body.stats.lag.events === 4);
    expect(receiver.received).toEqual([]);
    await call(`/${id}`, { method: "PATCH", body: { status: "active" } });
    await until("they came", () => receiver.received.length >= 4);
    expect(numbers(receiver.events()).toSorted()).toEqual(upTo(4));
    await call(`/${id}`, { method: "DELETE" });
  }, 15_000);

  test("batches: up to their size, or what came in their time", async () => {
    await using receiver = startReceiver();
    const { id, subscription } = await subscribe({ pattern: type, url: receiver.url, batch: { size: 10, waitMs: 700 } });
    expect(subscription.batch).toEqual({ size: 10, waitMs: 700 });
    await publishSome(23);
    await until("they came", () => receiver.events().length >= 23);
    expect(numbers(receiver.events()).toSorted((a, b) => a - b)).toEqual(upTo(23));
    expect(receiver.received.length).toBeLessThanOrEqual(6);
    expect(receiver.received.some(({ headers }) => headers["content-type"] === "application/cloudevents-batch+json")).toBe(true);
    await call(`/${id}`, { method: "DELETE" });
  }, 15_000);

  test("concurrency: no more at once, and one key in order", async () => {
    await using receiver = startReceiver(async () => {
      await Bun.sleep(20);
      return 200;
    });
    const { id } = await subscribe({ pattern: type, url: receiver.url, concurrency: 3 });
    await publish(
      running.url,
      user.token,
      upTo(30).map((n) => ({ type, key: `k${n % 5}`, data: { n } })),
    );
    await until("they came", () => receiver.received.length >= 30, 15_000);
    expect(receiver.most()).toBeLessThanOrEqual(3);
    for (const key of upTo(5))
      expect(numbers(receiver.events().filter(({ partitionkey }) => partitionkey === `k${key}`))).toEqual(upTo(6).map((n) => n * 5 + key));
    await call(`/${id}`, { method: "DELETE" });
  }, 25_000);

  test("a rotated secret: both sign until the old one's time is over", async () => {
    await using receiver = startReceiver();
    const { id, secret: old } = await subscribe({ pattern: type, url: receiver.url });
    const rotated = await call(`/${id}/rotate-secret`, { method: "POST" });
    expect(rotated.body.secret).not.toBe(old);
    expect(Date.parse(rotated.body.previousExpiresAt) - Date.now()).toBeGreaterThan(86_000_000);
    await publishSome(1);
    const both = await until("it came", () => receiver.received[0]);
    expect(both.headers["webhook-signature"]?.split(" ")).toHaveLength(2);
    for (const secret of [old, rotated.body.secret]) receiver.verify(both, secret);
    const last = await call(`/${id}/rotate-secret`, { body: { overlapSeconds: 0 } });
    await publishSome(1);
    const alone = await until("the next came", () => receiver.received[1]);
    receiver.verify(alone, last.body.secret);
    receiver.verify(alone, old);
    expect(() => receiver.verify(alone, rotated.body.secret)).toThrow();
    await call(`/${id}`, { method: "DELETE" });
  });

  test("replay, from a time and from an event", async () => {
    await using receiver = startReceiver();
    const before = new Date().toISOString();
    const ids = await publishSome(5);
    const { id } = await subscribe({ pattern: type, url: receiver.url });
    expect((await call(`/${id}/replay`, { body: { since: ids[2] } })).status).toBe(202);
    await until("the last three came", () => receiver.received.length >= 3);
    expect(
      receiver
        .events()
        .map((event) => event.id)
        .toSorted(),
    ).toEqual(ids.slice(2).toSorted());
    await call(`/${id}/replay`, { body: { since: before } });
    await until("all came", () => receiver.received.length >= 8);
    expect(
      receiver
        .events()
        .slice(3)
        .map((event) => event.id)
        .toSorted(),
    ).toEqual(ids.toSorted());
    expect(new Set(receiver.received.map(({ headers }) => headers["webhook-id"])).size).toBe(8);
    expectProblem(await call(`/${id}/replay`, { body: { since: "evt_01a2099ba9ed7649a2831831683038be" } }), "not_found");
    await call(`/${id}`, { method: "DELETE" });
  }, 20_000);

  test("only what the owner may see; a team's subscription gets the team's", async () => {
    await using hers = startReceiver();
    await using teams = startReceiver();
    await using all = startReceiver();
    const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
    const own = await registerType(running.url);
    const team = await makeTeam(running.url, ada);
    await subscribe({ pattern: ">", url: hers.url }, eve.token);
    await subscribe({ pattern: own, url: teams.url }, team.key);
    await subscribe({ pattern: own, url: all.url }, await adminToken(running.url));
    await publish(running.url, ada.token, { type: own, data: { n: 1 } });
    await publish(running.url, team.key, { type: own, data: { n: 2 } });
    await publish(running.url, eve.token, { type: own, data: { n: 3 } });
    await until("the administrator got all", () => all.events().length >= 3);
    await until("she got hers", () => hers.events().some((event) => event.type === own));
    await until("the team got its", () => teams.events().length >= 1);
    expect(numbers(hers.events().filter((event) => event.type === own))).toEqual([3]);
    expect(numbers(teams.events())).toEqual([2]);
    // What delivering does is not itself delivered.
    expect(hers.events().some((event) => event.type === "task.changed")).toBe(false);
  }, 20_000);

  test("somebody else's subscription does not exist; an administrator sees it", async () => {
    await using receiver = startReceiver();
    const { id } = await subscribe({ pattern: type, url: receiver.url });
    const eve = await signUp(running.url);
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["PATCH", "", { status: "paused" }],
      ["DELETE", "", undefined],
      ["GET", "/stats", undefined],
      ["GET", "/dead-letters", undefined],
      ["POST", "/redrive", {}],
      ["POST", "/replay", { since: new Date().toISOString() }],
      ["POST", "/rotate-secret", {}],
    ] as const)
      expectProblem(await call(`/${id}${path}`, { method, token: eve.token, ...(body ? { body } : {}) }), "not_found");
    expect((await call("", { token: eve.token })).body.data).toEqual([]);
    expect((await call(`/${id}`, { token: await adminToken(running.url) })).body.subscription.id).toBe(id);
    expect((await call("?limit=1")).body).toMatchObject({ data: [{ id }], nextCursor: expect.any(String) });
  });

  describe("what is refused", () => {
    test.each([
      ["a literal that is private", "http://10.0.0.1/x"],
      ["metadata of clouds", "http://169.254.169.254/latest/meta-data"],
      ["IPv4 in IPv6", "http://[::ffff:10.0.0.1]/"],
      ["a unique local address", "http://[fd00::1]/"],
      ["nowhere", "http://0.0.0.0/"],
    ])("%s", async (_, url) => {
      expectProblem(await call("", { body: { pattern: type, url } }), "forbidden_address");
    });

    test.each([
      ["no URL", { pattern: "a.b" }, ["/url"]],
      ["another protocol", { pattern: "a.b", url: "ftp://example.com" }, ["/url"]],
      ["a password", { pattern: "a.b", url: "https://u:p@example.com" }, ["/url"]],
      ["no pattern", { url: "https://example.com" }, ["/pattern"]],
      ["too many at once", { pattern: "a.b", url: "https://example.com", concurrency: 51 }, ["/concurrency"]],
      ["a large batch", { pattern: "a.b", url: "https://example.com", batch: { size: 101 } }, ["/batch/size"]],
      ["an unknown field", { pattern: "a.b", url: "https://example.com", colour: 1 }, ["/colour"]],
    ])("%s", async (_, body, pointers) => expect(pointersOf(await call("", { body }))).toEqual(pointers));

    test("a bad pattern", async () => {
      const answer = await call("", { body: { pattern: ["ok", "a.>.c"], url: "https://example.com" } });
      expectProblem(answer, "invalid_pattern");
      expect(answer.body.detail).toContain("at position 3");
    });
  });
});

test("by default no private address is sent to, neither said nor found by name", async () => {
  await using copy = await startTestCopy("postgres", { ...adminSettings, KEELSON_SUBSCRIPTIONS_MAX: "1" });
  const user = await signUp(copy.url);
  const subscribe = (url: string) => request(copy.url, "/v1/subscriptions", { token: user.token, body: { pattern: "a.b", url } });
  for (const url of ["http://127.0.0.1:1/x", "http://localhost:1/x", "https://[::1]/", "http://127.1/", "http://0x7f.1/"]) {
    const answer = await subscribe(url);
    expectProblem(answer, "forbidden_address");
    expect(answer.body.errors[0].pointer).toBe("/url");
  }
  expect((await subscribe("https://hooks.example.test/in")).status).toBe(201);
  expectProblem(await subscribe("https://hooks.example.test/in"), "conflict");
}, 30_000);

test("a subscription that has failed for too long is disabled", async () => {
  await using copy = await startTestCopy("postgres", settings);
  await using receiver = startReceiver(() => 500);
  const user = await signUp(copy.url);
  const type = await registerType(copy.url);
  const { body } = await request(copy.url, "/v1/subscriptions", { token: user.token, body: { pattern: type, url: receiver.url } });
  const { id } = body.subscription;
  await publish(copy.url, user.token, { type, data: { n: 1 } });
  const get = async () => (await request(copy.url, `/v1/subscriptions/${id}`, { token: user.token })).body.subscription;
  await until("it fails", async () => (await get()).failingSince !== undefined);
  const { default: postgres } = await import("postgres");
  const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  await sql`update event_subscriptions set failing_since = now() - interval '121 hours' where id = ${id}`;
  await sql.end();
  await publish(copy.url, user.token, { type, data: { n: 2 } });
  const disabled = await until("it is disabled", async () => ((await get()).status === "disabled" ? await get() : undefined), 10_000);
  expect(disabled.disabledReason).toContain("Every delivery has failed since");
}, 40_000);
