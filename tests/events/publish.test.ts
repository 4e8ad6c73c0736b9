import { beforeAll, describe, expect, test } from "bun:test";
import { CloudEvent, HTTP } from "cloudevents";
import { request, type SignedInUser, signUp } from "../client.ts";
import { substrates } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { makeTeam, publish, recent, registerType } from "./events.ts";

describe.each(await substrates())("publishing on %s", (substrate) => {
  const running = sharedCopy(substrate, adminSettings);
  let user: SignedInUser;
  let type: string;
  beforeAll(async () => {
    user = await signUp(running.url);
    type = await registerType(running.url);
  });
  const post = (body: unknown, headers: Readonly<Record<string, string>> = {}, token = user.token) =>
    request(running.url, "/v1/events", { token, body, headers });
  const found = async (pattern = type, token = user.token) => (await recent(running.url, token, `?pattern=${pattern}`)).body.data;

  test("one, and it can be read back as a CloudEvent", async () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const answer = await post({ type, subject: "thing-1", key: "k", data: { n: 1 } }, { traceparent, "x-request-id": "mine-1" });
    expect([answer.status, answer.body.ids.length]).toEqual([202, 1]);
    const [event] = await found();
    expect(event).toEqual({
      specversion: "1.0",
      id: answer.body.ids[0],
      source: `/keelson/users/${user.id}`,
      type,
      time: expect.stringMatching(/Z$/),
      subject: "thing-1",
      datacontenttype: "application/json",
      dataschema: expect.stringContaining(`/v1/event-types/${type}?version=1`),
      partitionkey: "k",
      traceparent,
      actor: user.id,
      requestid: "mine-1",
      cursor: expect.any(String),
      data: { n: 1 },
    });
    expect(new CloudEvent(event).validate()).toBe(true);
  });

  test("an array: all are stored, in order; or, when one is refused, none", async () => {
    const own = await registerType(running.url);
    const ids = await publish(
      running.url,
      user.token,
      [1, 2, 3].map((n) => ({ type: own, data: { n } })),
    );
    const stored = await found(own);
    expect(stored.map(({ id }: { id: string }) => id)).toEqual(ids.toReversed());
    expect(
      pointersOf(
        await post([
          { type: own, data: { n: 4 } },
          { type: own, data: { n: "5" } },
        ]),
      ),
    ).toEqual(["/1/data/n"]);
    expectProblem(
      await post([
        { type: own, data: { n: 4 } },
        { type: "no.such", data: {} },
      ]),
      "unknown_event_type",
    );
    expect(await found(own)).toHaveLength(3);
  });

  test("the same id again is stored once; another publisher's, or of another source, is another event", async () => {
    const own = await registerType(running.url);
    const event = { type: own, id: "order 42", data: { n: 1 } };
    const both = await Promise.all([post(event), post(event)]);
    expect(both.map(({ body }) => body.ids)).toEqual([["order 42"], ["order 42"]]);
    expect(await found(own)).toHaveLength(1);
    const eve = await signUp(running.url);
    await publish(running.url, eve.token, event);
    expect(await found(own, eve.token)).toHaveLength(1);
    const structured = { specversion: "1.0", source: "/elsewhere", ...event };
    expect((await post(structured, { "content-type": "application/cloudevents+json" })).status).toBe(202);
    expect(await found(own)).toHaveLength(2);
  });

  describe("CloudEvents by the SDK", () => {
    const make = (over: Readonly<Record<string, unknown>> = {}) =>
      new CloudEvent({
        type,
        source: "/shop",
        subject: "žluťoučký kůň",
        id: crypto.randomUUID(),
        data: { n: 7 },
        partitionkey: "p",
        comexample: "x y",
        ...over,
      });
    const send = async ({ headers, body }: ReturnType<typeof HTTP.binary>) =>
      request(running.url, "/v1/events", {
        token: user.token,
        rawBody: String(body),
        headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)])),
      });
    const stored = async (id: string) => (await found()).find((event: { readonly id: string }) => event.id === id);

    test.each([
      ["structured", (event: CloudEvent<unknown>) => HTTP.structured(event)],
      ["binary", (event: CloudEvent<unknown>) => HTTP.binary(event)],
    ])("%s", async (_, toMessage) => {
      const event = make({ subject: "plain" });
      expect((await send(toMessage(event))).status).toBe(202);
      const { time, ...rest } = JSON.parse(JSON.stringify(event));
      delete rest.datacontenttype;
      expect(await stored(event.id)).toMatchObject({ ...rest, comexample: "x y", partitionkey: "p", data: { n: 7 } });
      expect(Date.parse((await stored(event.id)).time)).toBe(Date.parse(String(time)));
    });

    test("batch", async () => {
      const events = [make(), make(), make()];
      const answer = await request(running.url, "/v1/events", {
        token: user.token,
        body: events.map((event) => event.toJSON()),
        headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8" },
      });
      expect(answer.body.ids).toEqual(events.map(({ id }) => id));
      expect((await stored(events[2]?.id ?? "")).subject).toBe("žluťoučký kůň");
    });

    test("binary: attributes are percent-encoded UTF-8", async () => {
      const headers = { "ce-specversion": "1.0", "ce-id": "b1", "ce-source": "/s", "ce-type": type, "ce-subject": "%C5%BElu%20%25" };
      expect((await post({ n: 1 }, headers)).status).toBe(202);
      expect((await stored("b1")).subject).toBe("žlu %");
    });
  });

  describe("what is refused", () => {
    const structured = { "content-type": "application/cloudevents+json" };
    const whole = () => ({ specversion: "1.0", id: "1", source: "/s", type, data: { n: 1 } });

    test.each([
      ["no type", { data: {} }, ["/type"]],
      ["a type that is none", { type: "a..b", data: {} }, ["/type"]],
      ["an unknown field", { type: "a.b", data: {}, colour: "red" }, ["/colour"]],
      ["control characters", { type: "a.b", subject: "a\nb", data: {} }, ["/subject"]],
      ["half a surrogate pair", { type: "a.b", key: "\ud800", data: {} }, ["/key"]],
      ["nothing at all", [], [""]],
      ["an address that is none", { type: "a.b", audience: "everybody", data: {} }, ["/audience"]],
    ])("%s", async (_, body, pointers) => expect(pointersOf(await post(body))).toEqual(pointers));

    test("data that is not what the schema says: a pointer each", async () => {
      const answer = await post({ type, data: { n: "one" } });
      expect(pointersOf(answer)).toEqual(["/data/n"]);
      expect(answer.body.errors[0].detail).toBe("must be number");
      expect(pointersOf(await post({ type, data: {} }))).toEqual(["/data/n"]);
      expect(pointersOf(await post({ type }))).toEqual(["/data"]);
      expect(pointersOf(await post({ ...whole(), data: { n: [] } }, structured))).toEqual(["/data/n"]);
      const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": type };
      expect(pointersOf(await post({ n: [] }, binary))).toEqual(["/n"]);
    });

    test.each([
      ["another version of CloudEvents", { specversion: "0.3" }, "/specversion"],
      ["binary data", { data_base64: "AAAA" }, "/data_base64"],
      ["data of another type", { datacontenttype: "text/xml" }, "/datacontenttype"],
      ["what only the bus says", { actor: "usr_1" }, "/actor"],
      ["an attribute with a name that is none", { Bad_Name: "x" }, "/Bad_Name"],
      ["an attribute with a value that is none", { foo: { a: 1 } }, "/foo"],
      ["a traceparent that is none", { traceparent: "00-0-0-0" }, "/traceparent"],
    ])("%s", async (_, over, pointer) => expect(pointersOf(await post({ ...whole(), ...over }, structured))).toContain(pointer));

    test("a header that is not percent-encoded", async () => {
      const headers = { "ce-specversion": "1.0", "ce-id": "%ff", "ce-source": "/s", "ce-type": type };
      expect(pointersOf(await post({ n: 1 }, headers))).toEqual(["header.ce-id"]);
    });

    test("more than 256 KiB: 413, also of one in an array", async () => {
      const large = { type, data: { n: 1, pad: "x".repeat(262_144) } };
      expectProblem(await post(large), "payload_too_large");
      expectProblem(await post([{ type, data: { n: 1 } }, large]), "payload_too_large");
      expect((await post({ type, data: { n: 1, pad: "x".repeat(200_000) } })).status).toBe(202);
    });

    test("an unknown type; a type of the program itself; one that only administrators publish", async () => {
      expectProblem(await post({ type: "order.lost", data: {} }), "unknown_event_type");
      expectProblem(await post({ type: "session.revoked", data: {} }, {}, await adminToken(running.url)), "forbidden");
      const credits = { type: "billing.credits_used", subject: user.id, data: { credits: 3 } };
      expectProblem(await post(credits), "forbidden");
      expect((await post(credits, {}, await adminToken(running.url))).status).toBe(202);
      expect(pointersOf(await post({ ...credits, data: { credits: -1 } }, {}, await adminToken(running.url)))).toEqual(["/data/credits"]);
    });

    test("no log-in, a key without the scope, JSON that is none, no JSON", async () => {
      expectProblem(await request(running.url, "/v1/events", { body: { type, data: { n: 1 } } }), "unauthenticated");
      const { body } = await request(running.url, "/v1/api-keys", { token: user.token, body: { name: "r", scopes: ["events:read"] } });
      expectProblem(await post({ type, data: { n: 1 } }, {}, body.key), "insufficient_scope");
      expectProblem(await request(running.url, "/v1/events", { token: user.token, rawBody: "{" }), "malformed_json");
      const headers = { "content-type": "text/plain" };
      expectProblem(await request(running.url, "/v1/events", { token: user.token, rawBody: "hello", headers }), "unsupported_media_type");
    });
  });

  describe("who may see it", () => {
    const sees = async (token: string, of: string) => (await found(of, token)).length;

    test("its publisher and administrators; whom an administrator addresses it to", async () => {
      const own = await registerType(running.url);
      const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
      await publish(running.url, ada.token, { type: own, data: { n: 1 } });
      const admin = await adminToken(running.url);
      expect([await sees(ada.token, own), await sees(eve.token, own), await sees(admin, own)]).toEqual([1, 0, 1]);
      expectProblem(await post({ type: own, audience: eve.id, data: { n: 1 } }, {}, ada.token), "forbidden");
      await publish(running.url, admin, { type: own, audience: eve.id, data: { n: 2 } });
      expect([await sees(ada.token, own), await sees(eve.token, own)]).toEqual([1, 1]);
    });

    test("a team's are its members', and its key sees nothing else", async () => {
      const own = await registerType(running.url);
      const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
      const team = await makeTeam(running.url, ada);
      await publish(running.url, team.key, { type: own, data: { n: 1 } });
      await publish(running.url, ada.token, { type: own, data: { n: 2 } });
      await publish(running.url, await adminToken(running.url), { type: own, audience: team.id, data: { n: 3 } });
      expect([await sees(ada.token, own), await sees(eve.token, own), await sees(team.key, own)]).toEqual([3, 0, 2]);
    });

    test("a type for everybody is published by administrators; one for administrators by anybody, and seen by them alone", async () => {
      const [all, reports] = [
        await registerType(running.url, { audience: "everybody" }),
        await registerType(running.url, { audience: "admins" }),
      ];
      const [eve, admin] = [await signUp(running.url), await adminToken(running.url)];
      expectProblem(await post({ type: all, data: { n: 1 } }), "forbidden");
      await publish(running.url, admin, { type: all, data: { n: 1 } });
      await publish(running.url, user.token, { type: reports, data: { n: 1 } });
      expect([await sees(eve.token, all), await sees(user.token, reports), await sees(admin, reports)]).toEqual([1, 0, 1]);
    });

    test("a team's task tells the team", async () => {
      const [ada, eve] = [await signUp(running.url), await signUp(running.url)];
      const team = await makeTeam(running.url, ada);
      const body = { queue: "sandbox-execution", input: { code: "1" }, delayMs: 60_000 };
      const { task } = (await request(running.url, "/v1/tasks", { token: team.key, body })).body;
      expect((await request(running.url, `/v1/tasks/${task.id}/cancel`, { token: team.key, method: "POST" })).status).toBe(200);
      const cancelled = async (token: string) =>
        (await found("task.changed", token)).filter(
          ({ subject, tenant }: { subject: string; tenant?: string }) => subject === task.id && tenant === team.id,
        ).length;
      const waitUntil = Date.now() + 5_000;
      while ((await cancelled(team.key)) === 0 && Date.now() < waitUntil) await Bun.sleep(20);
      expect([await cancelled(ada.token), await cancelled(team.key), await cancelled(eve.token)]).toEqual([1, 1, 0]);
    });
  });

  test("reading back: pages, times, patterns", async () => {
    const own = await registerType(running.url);
    const first = await publish(
      running.url,
      user.token,
      Array.from({ length: 7 }, (_, n) => ({ type: own, data: { n } })),
    );
    const page = (await recent(running.url, user.token, `?pattern=${own}&limit=3`)).body;
    const next = (await recent(running.url, user.token, `?pattern=${own}&limit=10&cursor=${page.nextCursor}`)).body;
    expect([...page.data, ...next.data].map(({ id }) => id)).toEqual(first.toReversed());
    expect(next.nextCursor).toBeNull();
    expect((await recent(running.url, user.token, `?pattern=no.such&pattern=${own}`)).body.data).toHaveLength(7);
    const [later, earlier] = [new Date(Date.now() + 60_000).toISOString(), new Date(Date.now() - 60_000).toISOString()];
    expect((await recent(running.url, user.token, `?pattern=${own}&since=${later}`)).body.data).toEqual([]);
    expect((await recent(running.url, user.token, `?pattern=${own}&since=${earlier}&until=${later}`)).body.data).toHaveLength(7);
    expect((await recent(running.url, user.token, `?pattern=${own}&until=${earlier}`)).body.data).toEqual([]);
  });

  test("reading back: what is refused", async () => {
    const answer = await recent(running.url, user.token, "?pattern=a.>.b");
    expectProblem(answer, "invalid_pattern");
    expect(answer.body.detail).toContain("at position 3");
    expectProblem(await recent(running.url, user.token, "?cursor=abc"), "invalid_cursor");
    expect(pointersOf(await recent(running.url, user.token, "?limit=0&colour=red&since=yesterday"))).toEqual([
      "query.since",
      "query.limit",
      "query.colour",
    ]);
  });
});
