import { beforeAll, describe, expect, test } from "bun:test";
import { Parser } from "@asyncapi/parser";
import { Glob } from "bun";
import { eventCatalogue } from "../../app/services/event-catalogue.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { publish, recent, registerType } from "./events.ts";

const running = sharedCopy("postgres", adminSettings);
let user: SignedInUser;
let admin: string;
beforeAll(async () => {
  user = await signUp(running.url);
  admin = await adminToken(running.url);
});
const put = (type: string, body: unknown, token = admin, url = running.url) =>
  request(url, `/v1/event-types/${type}`, { method: "PUT", token, body });
const get = (path: string, token = user.token) => request(running.url, `/v1/event-types${path}`, { token });

test("every type that a service defines is in the catalogue, said in words, with a schema", async () => {
  const defined = new Set<string>();
  for (const file of new Glob("app/**/*events.ts").scanSync(`${import.meta.dir}/../..`)) {
    const source = await Bun.file(`${import.meta.dir}/../../${file}`).text();
    for (const [, type] of source.matchAll(/^ {2}type: "([a-z_.]+)",$/gm)) if (type) defined.add(type);
  }
  expect(defined.size).toBeGreaterThan(60);
  expect([...eventCatalogue.keys()].toSorted()).toEqual([...defined].toSorted());
  const { status, body } = await get("");
  expect(status).toBe(200);
  for (const type of defined) {
    const found = body.data.find((it: { readonly type: string }) => it.type === type);
    expect(found, type).toMatchObject({ type, version: expect.any(Number), owner: expect.any(String), schema: { type: "object" } });
    expect(found.description.length, type).toBeGreaterThan(20);
    expect(["owner", "admins", "everybody"]).toContain(found.audience);
  }
});

test("a type is registered, published, and changed into another version; the old one stays readable", async () => {
  const type = "shop.order-created";
  const schema = {
    type: "object",
    properties: { total: { type: "number" }, mail: { type: "string", format: "email" } },
    required: ["total"],
  };
  const created = await put(type, { schema, description: "An order came in.", retentionHours: 2 });
  expect([created.status, created.body.eventType]).toEqual([
    201,
    expect.objectContaining({ type, version: 1, owner: "custom", audience: "owner", publishable: true, schema, retentionHours: 2 }),
  ]);
  await publish(running.url, user.token, { type, data: { total: 1 } });
  expect(
    pointersOf(await request(running.url, "/v1/events", { token: user.token, body: { type, data: { total: 1, mail: "x" } } })),
  ).toEqual(["/data/mail"]);

  const same = await put(type, { schema, description: "Said in other words." });
  expect([same.status, same.body.eventType.version, same.body.eventType.description]).toEqual([200, 1, "Said in other words."]);
  const second = await put(type, { schema: { type: "string" } });
  expect([second.status, second.body.eventType.version]).toEqual([200, 2]);
  expect(pointersOf(await request(running.url, "/v1/events", { token: user.token, body: { type, data: { total: 1 } } }))).toEqual([
    "/data",
  ]);
  await publish(running.url, user.token, { type, data: "two" });
  const { data } = (await recent(running.url, user.token, `?pattern=${type}`)).body;
  expect(data.map(({ dataschema }: { dataschema: string }) => dataschema.split("?")[1])).toEqual(["version=2", "version=1"]);
  expect((await get(`/${type}`)).body.eventType.version).toBe(2);
  expect((await get(`/${type}?version=1`)).body.eventType.schema).toEqual(schema);
  expectProblem(await get(`/${type}?version=3`), "unknown_event_type");
  const told = (await recent(running.url, admin, "?pattern=event_type.registered")).body.data;
  expect(told.filter(({ subject }: { subject: string }) => subject === type)).toHaveLength(3);
});

test("`$ref` within the schema; true for any data", async () => {
  const schema = {
    $defs: { point: { type: "array", items: { type: "number" }, minItems: 2, maxItems: 2 } },
    type: "array",
    items: { $ref: "#/$defs/point" },
  };
  await put("shape.drawn", { schema });
  await publish(running.url, user.token, { type: "shape.drawn", data: [[1, 2]] });
  expect(
    pointersOf(await request(running.url, "/v1/events", { token: user.token, body: { type: "shape.drawn", data: [[1, 2], [1]] } })),
  ).toEqual(["/data/1"]);
  await put("any.thing", { schema: true });
  await publish(running.url, user.token, { type: "any.thing", data: null });
});

describe("what is refused", () => {
  test.each([
    ["no schema", {}, ["/schema"]],
    ["a schema that is none", { schema: { type: "colour" } }, ["/schema"]],
    ["a schema from elsewhere", { schema: { $ref: "https://example.com/schema.json" } }, ["/schema"]],
    ["a pattern that is none", { schema: { type: "string", pattern: "(" } }, ["/schema"]],
    ["an unknown field", { schema: true, colour: "red" }, ["/colour"]],
    ["an audience that is none", { schema: true, audience: "friends" }, ["/audience"]],
    ["a very large schema", { schema: { description: "x".repeat(70_000) } }, ["/schema"]],
  ])("%s", async (_, body, pointers) => expect(pointersOf(await put("a.b", body))).toEqual(pointers));

  test("a name that is none, one of the program's own, no administrator", async () => {
    expect(pointersOf(await put("a..b", { schema: true }))).toEqual(["path.type"]);
    expectProblem(await put("task.changed", { schema: true }), "conflict");
    expectProblem(await put("a.b", { schema: true }, user.token), "forbidden");
    expectProblem(await get("/no.such"), "unknown_event_type");
  });

  test("KEELSON_CUSTOM_EVENTS=false: none can be registered", async () => {
    await using closed = await startTestCopy("postgres", { ...adminSettings, KEELSON_CUSTOM_EVENTS: "false" });
    expectProblem(await put("a.b", { schema: true }, await adminToken(closed.url), closed.url), "forbidden");
  }, 30_000);
});

test("another copy knows a type, and a new version of it, within a second", async () => {
  await using other = await startTestCopy("postgres", { ...adminSettings, DATABASE_URL: running.config.DATABASE_URL ?? "" });
  const type = await registerType(running.url);
  await publish(other.url, user.token, { type, data: { n: 1 } });
  await put(type, { schema: { type: "string" } });
  const tryString = () => request(other.url, "/v1/events", { token: user.token, body: { type, data: "text" } });
  await until("the other copy takes the new version", async () => (await tryString()).status === 202, 1_000);
}, 30_000);

test("/asyncapi.json validates; registered types are for those who are signed in", async () => {
  const type = await registerType(running.url);
  const [open, signedIn] = [
    await request(running.url, "/asyncapi.json"),
    await request(running.url, "/asyncapi.json", { token: user.token }),
  ];
  expect(Object.keys(open.body.components.messages)).toEqual([...eventCatalogue.keys()]);
  expect(Object.keys(signedIn.body.components.messages)).toContain(type);
  const { diagnostics, document } = await new Parser().parse(JSON.stringify(signedIn.body));
  expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([]);
  expect(document?.version()).toBe("3.0.0");
  expect(
    document
      ?.operations()
      .get("publish")
      ?.messages()
      .all()
      .map((message) => message.name()),
  ).toContain(type);
}, 30_000);
