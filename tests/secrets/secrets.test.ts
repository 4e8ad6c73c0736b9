// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import type { ProblemCode } from "../../app/platform/errors.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";
import { eventsAbout, secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", { KEELSON_SECRETS_MAX: "40" });
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

async function newOwner(): Promise<{ readonly user: SignedInUser; readonly mine: ReturnType<typeof secretsOf> }> {
  const user = await signUp(running.url);
  return { user, mine: secretsOf(running.url, user) };
}

test("a secret from its first version to its last", async () => {
  const { user, mine } = await newOwner();
  const created = await mine.create({ name: "billing/stripe", value: "one", labels: { env: "production" } });
  expect(created.status).toBe(201);
  expect(created.body).toEqual({
    secret: {
      id: created.body.secret.id,
      name: "billing/stripe",
      version: 1,
      currentVersion: 1,
      state: "live",
      references: [],
      labels: { env: "production" },
      maxVersions: 10,
      approval: { required: false },
      scope: "user",
      createdBy: user.id,
      createdAt: created.body.secret.createdAt,
      updatedAt: created.body.secret.updatedAt,
    },
  });
  const { id } = created.body.secret;
  expect((await mine.read("billing/stripe")).body).toEqual({ secret: created.body.secret, value: "one" });

  const second = await mine.put("billing/stripe", { value: "two", expectedVersion: 1 });
  expect([second.status, second.body.secret.version]).toEqual([200, 2]);
  const old = await mine.read("billing/stripe", "?version=1");
  expect([old.body.value, old.body.secret.version, old.body.secret.currentVersion]).toEqual(["one", 1, 2]);

  expect((await mine.delete("billing/stripe")).status).toBe(204);
  expectProblem(await mine.read("billing/stripe"), "not_found");
  expectProblem(await mine.delete("billing/stripe"), "not_found");
  expect((await mine.read("billing/stripe", "?version=1")).body.value).toBe("one");
  expect((await mine.list()).body.data).toEqual([]);
  expect((await mine.list("?deleted=true")).body.data[0]).toMatchObject({ id, state: "deleted" });

  expect((await mine.act("billing/stripe", "undelete")).body.secret.state).toBe("live");
  expect((await mine.read("billing/stripe")).body.value).toBe("two");

  const rolledBack = await mine.act("billing/stripe", "rollback", { version: 1 });
  expect(rolledBack.body.secret.version).toBe(3);
  expect((await mine.read("billing/stripe")).body.value).toBe("one");

  expect((await mine.act("billing/stripe", "destroy", { versions: [2] })).status).toBe(200);
  expectProblem(await mine.read("billing/stripe", "?version=2"), "not_found");
  expectProblem(await mine.act("billing/stripe", "undelete", { versions: [2] }), "version_conflict");
  expectProblem(await mine.act("billing/stripe", "rollback", { version: 2 }), "version_conflict");
  const { data } = (await mine.versions("billing/stripe")).body;
  expect(data.map(({ version, state }: { version: number; state: string }) => [version, state])).toEqual([
    [3, "live"],
    [2, "destroyed"],
    [1, "live"],
  ]);
  const [row] = await database`select kept, destroyed_at from secret_versions where secret_id = ${id} and version = 2`;
  expect([row?.kept, row?.destroyed_at instanceof Date]).toEqual([null, true]);

  const types = ["created", "updated", "deleted", "restored", "rolled_back", "destroyed", "read"];
  for (const type of types) await eventsAbout(running.url, user.token, id, `secret.${type}`);
  const acts = await database`select distinct action from audit_log where subject = ${id} and actor_id = ${user.id} and ip is not null`;
  expect(acts.map(({ action }) => action).toSorted()).toEqual(types.map((type) => `secret.${type}`).toSorted());
});

test("a deleted one may be made anew and goes on counting; one that is all destroyed too", async () => {
  const { mine } = await newOwner();
  await mine.create({ name: "a", value: "one" });
  await mine.delete("a");
  expect((await mine.create({ name: "a", value: "two" })).body.secret.version).toBe(2);
  expectProblem(await mine.create({ name: "a", value: "three" }), "conflict");
  expect((await mine.act("a", "destroy")).body.secret.state).toBe("destroyed");
  expectProblem(await mine.read("a"), "not_found");
  expect((await mine.put("a", { value: "three" })).body.secret.version).toBe(3);
});

test("fields, and what is read of them, byte for byte", async () => {
  const { mine } = await newOwner();
  const fields = { user: "ada", password: "\u0000\n\ufeff\u{1f511} päss", empty: "" };
  const created = await mine.create({ name: "database", value: fields });
  expect(created.body.secret.fields).toEqual(["user", "password", "empty"]);
  expect((await mine.read("database")).body.value).toEqual(fields);
  const like = '{"a":"looks like fields"}';
  await mine.create({ name: "text", value: like });
  expect((await mine.read("text")).body.value).toBe(like);
});

test("as it was at a time", async () => {
  const { mine } = await newOwner();
  const first = (await mine.create({ name: "a", value: "one" })).body.secret;
  const at = (await mine.create({ name: "b", value: "b one" })).body.secret.createdAt;
  await mine.create({ name: "c", value: "${secret:a} and ${secret:b}" });
  const between = (await mine.create({ name: "d", value: "-" })).body.secret.createdAt;
  await mine.put("a", { value: "two" });
  await mine.put("b", { value: "b two" });
  expect((await mine.read("a", `?at=${at}`)).body.value).toBe("one");
  expect((await mine.read("c", `?at=${between}`)).body.value).toBe("one and b one");
  expect((await mine.read("c")).body.value).toBe("two and b two");
  const before = new Date(Date.parse(first.createdAt) - 1).toISOString();
  expectProblem(await mine.read("a", `?at=${before}`), "not_found");
  expect(pointersOf(await mine.read("a", `?at=${at}&version=1`))).toEqual(["query"]);
});

describe("check and set", () => {
  test("of twenty writers of one version exactly one is the next", async () => {
    const { mine } = await newOwner();
    const rounds = [0, 1, 2];
    for (const expectedVersion of rounds) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, writer) => mine.put("raced", { value: `${expectedVersion}-${writer}`, expectedVersion })),
      );
      const winners = answers.filter(({ status }) => status === 200);
      expect(winners.map(({ body }) => body.secret.version)).toEqual([expectedVersion + 1]);
      for (const answer of answers) if (answer.status !== 200) expectProblem(answer, "version_conflict");
      const { value } = (await mine.read("raced")).body;
      expect(value).toBe(`${expectedVersion}-${answers.findIndex(({ status }) => status === 200)}`);
    }
    expect((await mine.versions("raced")).body.data).toHaveLength(3);
  });

  test("without a version nobody's value is lost from the history", async () => {
    const { mine } = await newOwner();
    await mine.create({ name: "raced", value: "0", maxVersions: 30 });
    await Promise.all(Array.from({ length: 20 }, (_, writer) => mine.put("raced", { value: `${writer}` })));
    const versions = (await mine.versions("raced")).body.data.map(({ version }: { version: number }) => version);
    expect(versions).toEqual(Array.from({ length: 21 }, (_, index) => 21 - index));
  });

  test("of twenty who make one name one does", async () => {
    const { mine } = await newOwner();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => mine.create({ name: "raced", value: `${n}` })));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const answer of answers) if (answer.status !== 201) expectProblem(answer, "conflict");
  });
});

test("older versions than are kept are destroyed", async () => {
  const { user, mine } = await newOwner();
  const { id } = (await mine.create({ name: "a", value: "1", maxVersions: 2 })).body.secret;
  for (const value of ["2", "3"]) await mine.put("a", { value });
  const states = async () => (await mine.versions("a")).body.data.map(({ state }: { state: string }) => state);
  expect(await states()).toEqual(["live", "live", "destroyed"]);
  await mine.patch("a", { maxVersions: 1 });
  expect(await states()).toEqual(["live", "destroyed", "destroyed"]);
  const events = await eventsAbout(running.url, user.token, id, "secret.destroyed", 2);
  expect(events.map(({ data }: { data: unknown }) => data)).toEqual([
    { name: "a", versions: [2], why: "max_versions" },
    { name: "a", versions: [1], why: "max_versions" },
  ]);
});

test("what has expired is not given out, and is told once", async () => {
  const { user, mine } = await newOwner();
  const { id } = (await mine.create({ name: "a", value: "1", expiresAt: new Date(Date.now() + 300).toISOString() })).body.secret;
  await mine.create({ name: "b", value: "${secret:a}" });
  const refused = await until("it has expired", async () => {
    const answer = await mine.read("a");
    return answer.status === 410 ? answer : undefined;
  });
  expectProblem(refused, "secret_expired");
  expectProblem(await mine.read("b"), "secret_expired");
  expectProblem(await mine.act("a", "share", {}), "secret_expired");
  const { openSecretChores } = await import("../../app/services/secrets/core.ts");
  const { createTransact } = await import("../../app/platform/outbox.ts");
  const { openDatabase } = await import("../../db/client.ts");
  const { systemNow: now } = await import("../../app/platform/clock.ts");
  const client = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 2, applicationName: "test chores" });
  const chores = openSecretChores({ db: client.db, transact: createTransact({ db: client.db, now, wake: () => undefined }), now });
  await Promise.all([1, 2].flatMap(() => chores.map(({ run }) => run())));
  for (const { run } of chores) await run();
  await client.close();
  expect(await eventsAbout(running.url, user.token, id, "secret.expired")).toHaveLength(1);
  const [told] = await database`select count(*)::int as count from audit_log where action = 'secret.expired' and subject = ${id}`;
  expect(told?.count).toBe(1);
  expect((await mine.patch("a", { expiresAt: null })).status).toBe(200);
  expect((await mine.read("a")).body.value).toBe("1");
});

test("lists by name, prefix, label and page", async () => {
  const { mine } = await newOwner();
  const all = [
    ["app/a", { env: "test" }],
    ["app/b", { env: "production", owner: "ada" }],
    ["app_c", { env: "production" }],
    ["Z", {}],
  ] as const;
  for (const [name, labels] of all) await mine.create({ name, value: "v", labels });
  const names = async (query: string) => (await mine.list(query)).body.data.map(({ name }: { name: string }) => name);
  expect(await names("")).toEqual(["Z", "app/a", "app/b", "app_c"]);
  expect(await names("?prefix=app/")).toEqual(["app/a", "app/b"]);
  expect(await names("?prefix=app_")).toEqual(["app_c"]);
  expect(await names("?label=env=production")).toEqual(["app/b", "app_c"]);
  expect(await names("?label=env=production&label=owner")).toEqual(["app/b"]);
  const first = (await mine.list("?limit=3")).body;
  expect([first.data.length, first.nextCursor]).toEqual([3, "app/b"]);
  expect((await mine.list(`?limit=3&cursor=${encodeURIComponent(first.nextCursor)}`)).body).toMatchObject({ nextCursor: null });
  expect(JSON.stringify(first)).not.toContain('"value"');
});

test("no more than an owner may have", async () => {
  const { mine } = await newOwner();
  const answers = await Promise.all(Array.from({ length: 45 }, (_, n) => mine.create({ name: `n${n}`, value: "v" })));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(40);
  expectProblem(await mine.create({ name: "more", value: "v" }), "conflict");
});

describe("refusals", () => {
  const long = "x".repeat(65_537);
  const create: readonly (readonly [what: string, body: object, code: ProblemCode, pointers?: readonly string[]])[] = [
    ["no value", { name: "a" }, "validation_failed", ["/value"]],
    ["a number", { name: "a", value: 1 }, "validation_failed", ["/value"]],
    ["no field", { name: "a", value: {} }, "validation_failed", ["/value"]],
    ["a field of no text", { name: "a", value: { b: 1 } }, "validation_failed"],
    ["a field of an odd name", { name: "a", value: { "b c": "1" } }, "validation_failed"],
    ["half of a surrogate pair", { name: "a", value: "\ud800" }, "validation_failed"],
    ["65 537 bytes", { name: "a", value: long }, "payload_too_large"],
    ["65 537 bytes of fields", { name: "a", value: { b: long } }, "payload_too_large"],
    ["more than 64 KiB of UTF-8", { name: "a", value: "ä".repeat(32_769) }, "payload_too_large"],
    ["an unknown member", { name: "a", value: "v", vaule: "v" }, "validation_failed"],
    ["both a team and the system", { name: "a", value: "v", teamId: "team_1", scope: "system" }, "validation_failed"],
    ["somebody else's team", { name: "a", value: "v", teamId: "team_1" }, "not_found"],
    ["the system", { name: "a", value: "v", scope: "system" }, "forbidden"],
    ["too many versions", { name: "a", value: "v", maxVersions: 101 }, "validation_failed", ["/maxVersions"]],
    ["a time that is none", { name: "a", value: "v", expiresAt: "tomorrow" }, "validation_failed", ["/expiresAt"]],
    ["a time before all", { name: "a", value: "v", expiresAt: "0000-01-01T00:00:00Z" }, "validation_failed", ["/expiresAt"]],
    ["a time after all", { name: "a", value: "v", expiresAt: "9999-12-31T23:59:59-12:00" }, "validation_failed", ["/expiresAt"]],
    ["an unknown reference", { name: "a", value: "${secret:nobody}" }, "invalid_reference"],
    ["a reference to itself", { name: "a", value: "${secret:a}" }, "invalid_reference"],
    ["the system's secrets", { name: "a", value: "${secret:system:a}" }, "invalid_reference"],
    ["a reference that is none", { name: "a", value: "${secret:../a}" }, "invalid_reference"],
    ...[
      "",
      "/a",
      "a/",
      "a//b",
      "../a",
      "a/../b",
      "a/./b",
      ".a",
      "a b",
      "a\u0000",
      "ä",
      "x".repeat(201),
      "requests",
      "shared",
      "import",
    ].map((name) => [`the name ${JSON.stringify(name.slice(0, 20))}`, { name, value: "v" }, "validation_failed"] as const),
  ];
  for (const [what, body, code, pointers] of create)
    test(`to keep ${what}`, async () => {
      const { mine } = await newOwner();
      const answer = await mine.create(body);
      expectProblem(answer, code);
      if (pointers) expect(pointersOf(answer)).toEqual([...pointers]);
      expect((await mine.list("?deleted=true")).body.data).toEqual([]);
    });

  test("64 KiB are kept", async () => {
    const { mine } = await newOwner();
    const value = "x".repeat(65_536);
    expect((await mine.create({ name: "a", value })).status).toBe(201);
    expect((await mine.read("a")).body.value === value).toBe(true);
  });

  const onOne: readonly (readonly [what: string, method: string, path: string, body: object | undefined, code: ProblemCode])[] = [
    ["an unknown name", "GET", "/b", undefined, "not_found"],
    ["an unknown version", "GET", "/a?version=9", undefined, "not_found"],
    ["version 0", "GET", "/a?version=0", undefined, "validation_failed"],
    ["a time before all", "GET", "/a?at=0000-01-01T00:00:00Z", undefined, "validation_failed"],
    ["an unknown query", "GET", "/a?raw=1", undefined, "validation_failed"],
    ["another value for an unknown name", "PUT", "/b", { value: "v" }, "not_found"],
    ["a wrong expected version", "PUT", "/a", { value: "v", expectedVersion: 2 }, "version_conflict"],
    ["what must not be there", "PUT", "/a", { value: "v", expectedVersion: 0 }, "version_conflict"],
    ["to delete an unknown name", "DELETE", "/b", undefined, "not_found"],
    ["to delete an unknown version", "DELETE", "/a?versions=1,7", undefined, "version_conflict"],
    ["to delete an odd version", "DELETE", "/a?versions=x", undefined, "validation_failed"],
    ["to destroy an unknown version", "POST", "/a/destroy", { versions: [7] }, "version_conflict"],
    ["to roll back to an unknown version", "POST", "/a/rollback", { version: 7 }, "version_conflict"],
    ["to roll back from a wrong version", "POST", "/a/rollback", { version: 1, expectedVersion: 3 }, "version_conflict"],
    ["an odd label", "PATCH", "/a", { labels: { "": "v" } }, "validation_failed"],
    ["a system's", "GET", "/a?scope=system", undefined, "forbidden"],
    ["another team's", "GET", "/a?teamId=team_1", undefined, "not_found"],
    ["another user's by their id", "GET", "/a?teamId=usr_1", undefined, "not_found"],
  ];
  for (const [what, method, path, body, code] of onOne)
    test(what, async () => {
      const { mine } = await newOwner();
      await mine.create({ name: "a", value: "kept" });
      expectProblem(await mine.send(method, path, body), code);
      expect((await mine.read("a")).body).toMatchObject({ value: "kept", secret: { version: 1, currentVersion: 1 } });
    });
});

test("a read that can't be written down is refused, and so are all until it can", async () => {
  const { mine } = await newOwner();
  await mine.create({ name: "a", value: "hidden" });
  await database`alter table audit_log add constraint no_reads check (action <> 'secret.read') not valid`;
  try {
    const answer = await mine.read("a");
    expectProblem(answer, "unavailable");
    expect(JSON.stringify(answer.body)).not.toContain("hidden");
  } finally {
    await database`alter table audit_log drop constraint no_reads`;
  }
  expect((await mine.read("a")).body.value).toBe("hidden");
});

test("the same request under an Idempotency-Key is one version, and a read is never kept", async () => {
  const { user, mine } = await newOwner();
  const headers = { "idempotency-key": "once" };
  const options = { token: user.token, headers, body: { name: "a", value: "1" } };
  const [first, again] = [await request(running.url, "/v1/secrets", options), await request(running.url, "/v1/secrets", options)];
  expect([first.status, again.status, again.headers.get("idempotency-replayed")]).toEqual([201, 201, "true"]);
  expect((await mine.versions("a")).body.data).toHaveLength(1);
  expect((await mine.read("a")).headers.get("cache-control")).toBe("no-store");
});
