// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how references are written
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { hashShareToken, openShare } from "../../app/services/secrets/shares/token.ts";
import { launchChromium } from "../chromium.ts";
import { request, signUp } from "../client.ts";
import { openSealOf } from "../opened-seal.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { eventsAbout, secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", { ...adminSettings, KEELSON_LOGIN_LIMIT_PER_MINUTE: "10000" });
const browser = await launchChromium();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(async () => {
  await browser?.close();
  await database.end();
});

const redeem = (token: string, headers: Readonly<Record<string, string>> = {}) =>
  request(running.url, "/v1/secrets/shared/redeem", { body: { token }, headers });

async function shared(given: object = {}, value: unknown = "for you") {
  const user = await signUp(running.url);
  const mine = secretsOf(running.url, user);
  const { id } = (await mine.create({ name: "a", value })).body.secret;
  const { status, body } = await mine.act("a", "share", given);
  expect(status).toBe(201);
  return { user, mine, id: String(id), token: String(body.token), body };
}

test("a link gives the value once; its owner hears of it, and of whoever comes again", async () => {
  const { user, mine, id, token, body } = await shared();
  expect(new URL(body.url)).toMatchObject({ pathname: "/v1/secrets/shared", search: "", hash: `#${token}` });
  expect(Math.round((Date.parse(body.expiresAt) - Date.now()) / 1_000)).toBeWithin(86_390, 86_401);
  for (let opened = 0; opened < 3; opened += 1) expect((await request(running.url, `/v1/secrets/shared?token=${token}`)).status).toBe(200);
  const given = await redeem(token);
  expect([given.status, given.body]).toEqual([200, { name: "a", version: 1, value: "for you" }]);
  for (const again of [await redeem(token), await redeem(token)]) expectProblem(again, "invalid_link");

  const data = { name: "a", version: 1, shareId: body.share.id };
  const [used] = await eventsAbout(running.url, user.token, id, "secret.share_redeemed");
  expect(used.data).toEqual(data);
  const reused = await eventsAbout(running.url, user.token, id, "security.share_reused", 2);
  expect(reused.map((event: { data: unknown }) => event.data)).toEqual([data, data]);
  const reads = await eventsAbout(running.url, user.token, id, "secret.read", 2);
  expect(reads.map((event: { data: { as: string } }) => event.data.as)).toEqual(["redemption", "share"]);
  const [row] =
    await database`select ip is not null as ip, actor_id from audit_log where subject = ${id} and action = 'secret.share_redeemed'`;
  expect(row).toEqual({ ip: true, actor_id: null });
  expect((await mine.send("GET", "/a/shares")).body.data).toMatchObject([{ id: body.share.id, status: "redeemed", version: 1 }]);
  expect(JSON.stringify((await mine.send("GET", "/a/shares")).body)).not.toContain(token);
});

test("of twenty who come at once one gets it", async () => {
  const { token } = await shared();
  const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(token)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  for (const answer of answers) if (answer.status !== 200) expectProblem(answer, "invalid_link");
});

test("an Idempotency-Key does not give it twice", async () => {
  const { token } = await shared();
  const headers = { "idempotency-key": token.slice(0, 20) };
  expect((await redeem(token, headers)).status).toBe(200);
  expectProblem(await redeem(token, headers), "invalid_link");
});

test("it has the version it was made of, with its fields and what they refer to", async () => {
  const user = await signUp(running.url);
  const mine = secretsOf(running.url, user);
  await mine.create({ name: "host", value: "h" });
  await mine.create({ name: "a", value: { url: "https://${secret:host}", user: "ada" } });
  const { token } = (await mine.act("a", "share", { expiresInSeconds: 60 })).body;
  const older = (await mine.act("a", "share", { version: 1 })).body.token;
  await mine.put("a", { value: "changed" });
  expect((await redeem(token)).body.value).toEqual({ url: "https://h", user: "ada" });
  expect((await redeem(older)).body.value).toEqual({ url: "https://h", user: "ada" });
});

test("database and keys together do not open it, the token does", async () => {
  const { token, body } = await shared({}, "only by the link");
  await using opened = await openSealOf(running.config);
  const [row] = await database`select * from secret_shares where id = ${body.share.id}`;
  expect(Buffer.from(row?.sealed).includes("only by the link")).toBe(false);
  expect(JSON.stringify(row)).not.toContain(token);
  expect(row?.token_hash).toBe(hashShareToken(token));
  const place = { id: row?.id, secretId: row?.secret_id, version: row?.version };
  expect(() => opened.seal.open(row?.sealed, JSON.stringify(["share", ...Object.values(place)]))).toThrow();
  expect(() => openShare(row?.token_hash, place, row?.sealed)).toThrow();
  expect(openShare(token, place, row?.sealed)).toBe("only by the link");
  await redeem(token);
  const [after] = await database`select sealed from secret_shares where id = ${body.share.id}`;
  expect(after?.sealed).toBeNull();
});

describe("gives nothing", () => {
  type Shared = Awaited<ReturnType<typeof shared>>;
  const ends: readonly (readonly [what: string, end: (it: Shared) => Promise<unknown>])[] = [
    ["once it is taken back", ({ mine, body }) => mine.send("DELETE", `/a/shares/${body.share.id}`)],
    ["once its time is over", ({ body }) => database`update secret_shares set expires_at = now() where id = ${body.share.id}`],
    ["once its version is deleted", ({ mine }) => mine.delete("a")],
    ["once its version is destroyed", ({ mine }) => mine.act("a", "destroy")],
    ["once the secret takes two people", ({ mine }) => mine.patch("a", { approval: { required: true } })],
    ["once the secret has expired", ({ mine }) => mine.patch("a", { expiresAt: new Date().toISOString() })],
    ["once the secret is gone", ({ id }) => database`delete from secrets where id = ${id}`],
  ];
  for (const [what, end] of ends)
    test(what, async () => {
      const it = await shared();
      await end(it);
      expectProblem(await redeem(it.token), "invalid_link");
    });

  for (const token of ["", "x", "x".repeat(43), "../../x"])
    test(`to ${JSON.stringify(token)}`, async () => expectProblem(await redeem(token), "invalid_link"));

  test("when its row was altered, which administrators hear of", async () => {
    const { id, token, body } = await shared();
    await database`update secret_shares set sealed = set_byte(sealed, 30, get_byte(sealed, 30) # 1) where id = ${body.share.id}`;
    const answer = await redeem(token);
    expectProblem(answer, "secret_unreadable");
    expect(JSON.stringify(answer.body)).not.toContain("for you");
    await eventsAbout(running.url, await adminToken(running.url), id, "security.secret_tampered");
  });
});

describe("refused", () => {
  const cases: readonly (readonly [what: string, path: string, body: object, code: "validation_failed" | "not_found"])[] = [
    ["a minute and less", "/a/share", { expiresInSeconds: 59 }, "validation_failed"],
    ["a week and more", "/a/share", { expiresInSeconds: 604_801 }, "validation_failed"],
    ["an unknown version", "/a/share", { version: 2 }, "not_found"],
    ["an unknown secret", "/b/share", {}, "not_found"],
  ];
  for (const [what, path, body, code] of cases)
    test(what, async () => {
      const { mine } = await shared();
      expectProblem(await mine.send("POST", path, body), code);
    });
});

test.skipIf(!browser)(
  "the page shows it when its button is pressed, and no more",
  async () => {
    if (!browser) return;
    const { body } = await shared({}, { user: "ada", password: "<b>p w</b>" });
    const address = `${running.url}/v1/secrets/shared${new URL(body.url).hash}`;
    const page = await browser.newPage();
    await page.goto(address);
    await page.getByRole("button", { name: "Show it" }).click();
    const says = await until("it shows the value", async () => (await page.locator("output").textContent()) || undefined);
    expect(says).toBe("user: ada\npassword: <b>p w</b>");
    expect(page.url()).toBe(`${running.url}/v1/secrets/shared`);
    await page.goto("about:blank");
    await page.goto(address);
    await page.getByRole("button", { name: "Show it" }).click();
    expect(await until("it says why not", async () => (await page.locator("output").textContent()) || undefined)).toContain("not valid");
    await page.close();
  },
  30_000,
);
