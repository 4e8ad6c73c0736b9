// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemNow as now } from "../../app/platform/clock.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createRecordAccess } from "../../app/services/secrets/audit/record.ts";
import { createSecretCore } from "../../app/services/secrets/core.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { openSealOf } from "../opened-seal.ts";
import { expectProblem } from "../problem.ts";
import { testLogger } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { eventsAbout, secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", adminSettings);
let database: DatabaseClient;
beforeAll(() => {
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 4, applicationName: "test references" });
});
afterAll(() => database.close());

async function newOwner() {
  const user = await signUp(running.url);
  return { user, mine: secretsOf(running.url, user) };
}

describe("what a value is read as", () => {
  const cases: readonly (readonly [written: string, read: string])[] = [
    ["no reference", "no reference"],
    ["${secret:host}", "db.example.com"],
    [
      "postgres://${secret:login#user}:${secret:login#password}@${secret:host}/${secret:host}",
      "postgres://ada:p w@db.example.com/db.example.com",
    ],
    ["${secret:url}", "https://db.example.com/"],
    ["$${secret:host}", "${secret:host}"],
    ["$${secret:host} ${secret:host}", "${secret:host} db.example.com"],
    ["$$${secret:host}", "$${secret:host}"],
    ["${host} $${host} ${secret", "${host} $${host} ${secret"],
    ["${secret:host", "${secret:host"],
    ["${secret:dollars}", "$& $1 $$"],
  ];
  for (const [written, read] of cases)
    test(written, async () => {
      const { mine } = await newOwner();
      await mine.create({ name: "host", value: "db.example.com" });
      await mine.create({ name: "login", value: { user: "ada", password: "p w" } });
      await mine.create({ name: "url", value: "https://${secret:host}/" });
      await mine.create({ name: "dollars", value: "$& $1 $$" });
      expect((await mine.create({ name: "a", value: written })).status).toBe(201);
      expect((await mine.read("a")).body.value).toBe(read);
      expect((await mine.read("a", "?resolve=false")).body.value).toBe(written);
    });

  test("in each field", async () => {
    const { mine } = await newOwner();
    await mine.create({ name: "host", value: "db.example.com" });
    const { body } = await mine.create({ name: "a", value: { url: "https://${secret:host}", plain: "x" } });
    expect(body.secret.references).toEqual(["host"]);
    expect((await mine.read("a")).body.value).toEqual({ url: "https://db.example.com", plain: "x" });
  });
});

test("whatever went into a value was read too, each once", async () => {
  const { user, mine } = await newOwner();
  const host = (await mine.create({ name: "host", value: "h" })).body.secret.id;
  const url = (await mine.create({ name: "url", value: "${secret:host}" })).body.secret.id;
  const all = (await mine.create({ name: "all", value: "${secret:url} ${secret:host} ${secret:host}" })).body.secret.id;
  expect((await mine.read("all")).body.value).toBe("h h h");
  for (const [id, as] of [
    [host, "reference"],
    [url, "reference"],
    [all, "value"],
  ]) {
    const events = await eventsAbout(running.url, user.token, id, "secret.read");
    expect(events.map(({ data }: { data: { as: string } }) => data.as)).toEqual([as]);
  }
});

describe("refused at the write", () => {
  const cases: readonly (readonly [what: string, value: unknown, says: string])[] = [
    ["an unknown name", "${secret:nobody}", "There is no secret nobody."],
    ["one that is deleted", "${secret:deleted}", "There is no secret deleted."],
    ["itself", "${secret:c}", "c → c"],
    ["a circle of three", "${secret:b}", "c → b → a → c"],
    ["an unknown field", "${secret:login#nobody}", "There is no field login#nobody."],
    ["a field of a text", "${secret:text#user}", "text is a text without fields"],
    ["fields without naming one", "${secret:login}", "login has fields"],
    ["the system's", "${secret:system:smtp}", "administrators"],
    ["an empty name", "${secret:}", "${secret:} is not the way"],
    ["two fields", "${secret:login#user#user}", "is not the way"],
    ["in a field", { a: "x", b: "${secret:nobody}" }, "There is no secret nobody."],
    ["too many", Array.from({ length: 51 }, (_, n) => `\${secret:n${n}}`).join(""), "at most 50"],
  ];
  for (const [what, value, says] of cases)
    test(what, async () => {
      const { mine } = await newOwner();
      await mine.create({ name: "text", value: "t" });
      await mine.create({ name: "login", value: { user: "ada" } });
      await mine.create({ name: "deleted", value: "d" });
      await mine.delete("deleted");
      await mine.create({ name: "c", value: "first" });
      await mine.create({ name: "a", value: "${secret:c}" });
      await mine.create({ name: "b", value: "${secret:a}" });
      const answer = await mine.put("c", { value });
      expectProblem(answer, "invalid_reference");
      expect(answer.body.detail).toContain(says);
      expect((await mine.read("c")).body).toMatchObject({ value: "first", secret: { currentVersion: 1 } });
    });

  test("two who close a circle together do not both succeed", async () => {
    const { mine } = await newOwner();
    for (let round = 0; round < 5; round += 1) {
      await mine.create({ name: `a${round}`, value: "-" });
      await mine.create({ name: `b${round}`, value: "-" });
      const answers = await Promise.all([
        mine.put(`a${round}`, { value: `\${secret:b${round}}` }),
        mine.put(`b${round}`, { value: `\${secret:a${round}}` }),
      ]);
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    }
  });
});

describe("refused at the read", () => {
  test("what is deleted meanwhile, by its name", async () => {
    const { mine } = await newOwner();
    await mine.create({ name: "a", value: "1" });
    await mine.create({ name: "b", value: "${secret:a}" });
    await mine.delete("a");
    const answer = await mine.read("b");
    expectProblem(answer, "invalid_reference");
    expect(answer.body.detail).toBe("There is no secret a.");
    await mine.act("a", "undelete");
    expect((await mine.read("b")).body.value).toBe("1");
  });

  test("a circle that undeleting has closed", async () => {
    const { mine } = await newOwner();
    await mine.create({ name: "a", value: "1" });
    await mine.create({ name: "b", value: "${secret:a}" });
    await mine.put("b", { value: "2" });
    await mine.put("a", { value: "${secret:b}" });
    await database.sql`update secrets set current_version = 1 where name = 'b' and created_by = (select created_by from secrets where name = 'a' order by created_at desc limit 1)`;
    const answer = await mine.read("a");
    expectProblem(answer, "invalid_reference");
    expect(answer.body.detail).toContain("a → b → a");
  });

  test("what is too deep, and what becomes too much", async () => {
    const { mine } = await newOwner();
    await mine.create({ name: "d0", value: "x" });
    for (let depth = 1; depth < 10; depth += 1) await mine.create({ name: `d${depth}`, value: `\${secret:d${depth - 1}}` });
    expect((await mine.read("d8")).body.value).toBe("x");
    expectProblem(await mine.read("d9"), "invalid_reference");
    await mine.create({ name: "big", value: "x".repeat(60_000) });
    await mine.create({ name: "four", value: "${secret:big}".repeat(4) });
    await mine.create({ name: "five", value: "${secret:big}".repeat(5) });
    expect((await mine.read("four")).body.value.length).toBe(240_000);
    const tooMuch = await mine.read("five");
    expectProblem(tooMuch, "invalid_reference");
    expect(tooMuch.body.detail).toContain("at most 262144 characters");
  });
});

test("an administrator's own may refer to the system's, and only an administrator reads them", async () => {
  const token = await adminToken(running.url);
  const admin = secretsOf(running.url, { token });
  await admin.create({ name: "smtp/password", value: "s", scope: "system" });
  await admin.create({ name: "smtp/url", value: "smtp://${secret:smtp/password}", scope: "system" });
  await admin.create({ name: "mine", value: "${secret:system:smtp/url}" });
  expect((await admin.read("mine")).body.value).toBe("smtp://s");
  const { user } = await newOwner();
  const team = (await request(running.url, "/v1/teams", { token: user.token, body: { name: "Crew" } })).body.team.id;
  await admin.create({ name: "ours", value: "${secret:system:smtp/url}", teamId: team });
  expect((await secretsOf(running.url, { token }, `teamId=${team}`).read("ours")).body.value).toBe("smtp://s");
  expectProblem(await secretsOf(running.url, user, `teamId=${team}`).read("ours"), "invalid_reference");
});

describe("for other parts of the program", () => {
  test("by name and field, written down as theirs", async () => {
    const { user, mine } = await newOwner();
    await using opened = await openSealOf(running.config);
    const transact = createTransact({ db: database.db, now, wake: () => undefined });
    const { readSecretFor } = createSecretCore({
      db: database.db,
      seal: opened.seal,
      transact,
      can: () => {
        throw new Error("nobody's role is asked for");
      },
      recordAccess: createRecordAccess(transact),
      secretsMax: 1,
      publicUrl: "",
      log: testLogger("secrets"),
      now,
    });
    await mine.create({ name: "host", value: "h" });
    const { id } = (await mine.create({ name: "login", value: { url: "https://${secret:host}", user: "ada" } })).body.secret;
    const usedBy = { service: "sandbox", subject: "exe_1" };
    expect(await readSecretFor({ ownerId: user.id }, "login#url", usedBy)).toBe("https://h");
    const [row] = await database.sql<{ data: unknown; actor_id: string | null }[]>`
      select data, actor_id from audit_log where subject = ${id} and action = 'secret.read'`;
    expect(row).toEqual({ data: { name: "login", version: 1, as: "machine", usedBy }, actor_id: null });
    const refused: readonly (readonly [string, string])[] = [
      ["nobody", "not_found"],
      ["login", "invalid_reference"],
      ["login#nobody", "invalid_reference"],
      ["system:smtp", "invalid_reference"],
      ["../login", "invalid_reference"],
    ];
    for (const [name, code] of refused)
      expect([name, await readSecretFor({ ownerId: user.id }, name, usedBy).catch((error) => error.code)]).toEqual([name, code]);
    expect(await readSecretFor({ ownerId: "usr_other" }, "host", usedBy).catch((error) => error.code)).toBe("not_found");
    await mine.patch("host", { approval: { required: true } });
    expect(await readSecretFor({ ownerId: user.id }, "login#url", usedBy).catch((error) => error.code)).toBe("approval_required");
  });
});
