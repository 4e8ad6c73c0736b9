import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import postgres from "postgres";
import { Webhook } from "standardwebhooks";
import { request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { runServer, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testPostgres } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";
import { eventsAbout, secretsOf } from "./secrets.ts";

const running = sharedCopy("postgres", { ...adminSettings, KEELSON_WEBHOOK_NETWORKS: "127.0.0.1/32" });
let user: SignedInUser;
let sql: postgres.Sql;
beforeAll(async () => {
  user = await signUp(running.url);
  sql = postgres(running.config.DATABASE_URL ?? "", { max: 2 });
});
afterAll(() => sql.end());

let names = 0;
async function newSecret(value: string | object = "first", url = running.url, token = user.token) {
  names += 1;
  const name = `rotated-${names}`;
  const mine = secretsOf(url, { token });
  const { id } = (await mine.create({ name, value })).body.secret;
  return {
    name,
    id: String(id),
    mine,
    read: async (query = "") => (await mine.read(name, query)).body.value,
    policy: (body: object) => mine.send("PUT", `/${name}/policy`, { everyDays: 30, ...body }),
    policyNow: async () => (await mine.send("GET", `/${name}/policy`)).body.policy,
    rotate: (body?: object) => mine.send("POST", `/${name}/rotate`, body),
    rotations: async () => (await mine.send("GET", `/${name}/rotations`)).body.data,
    report: (version: number, outcome: "ok" | "error") => mine.send("POST", `/${name}/report`, { version, outcome }),
  };
}
type Rotated = Awaited<ReturnType<typeof newSecret>>;
const ended = ({ rotations }: Rotated, status: string) =>
  until(
    `it is ${status}`,
    async () => {
      const [newest] = await rotations();
      return newest?.status === status ? newest : undefined;
    },
    20_000,
  );
const makeDue = (id: string, ago = "1 minute") =>
  sql`update secret_policies set next_at = now() - ${ago}::interval where secret_id = ${id}`;

describe("what generators make", () => {
  test.each([
    [{ kind: "random" }, /^[\w-]{43}$/],
    [{ kind: "random", length: 64, alphabet: "hex" }, /^[0-9a-f]{64}$/],
    [{ kind: "random", length: 12, alphabet: "digits", prefix: "pin-" }, /^pin-\d{12}$/],
    [{ kind: "random", length: 200, alphabet: "printable" }, /^[!-~]{200}$/],
  ])("%j", async (generator, shape) => {
    const secret = await newSecret();
    await secret.policy({ generator });
    expect((await secret.rotate()).status).toBe(202);
    await ended(secret, "completed");
    expect(await secret.read()).toMatch(shape);
  });

  test.each(["ed25519", "ec-p256", "rsa-2048"])("a pair of keys that belong together: %s", async (algorithm) => {
    const secret = await newSecret();
    await secret.policy({ generator: { kind: "key_pair", algorithm } });
    await secret.rotate();
    await ended(secret, "completed");
    const { privateKey, publicKey, publicJwk } = await secret.read();
    const digest = algorithm === "ed25519" ? null : "sha256";
    const signature = sign(digest, Buffer.from("x"), createPrivateKey(privateKey));
    expect(verify(digest, Buffer.from("x"), createPublicKey(publicKey), signature)).toBe(true);
    expect(verify(digest, Buffer.from("x"), createPublicKey({ key: JSON.parse(publicJwk), format: "jwk" }), signature)).toBe(true);
  });
});

/** Text that references are written like. */
const looksLikeOne = ["made $", "{secret:elsewhere}"].join("");

describe("call-outs", () => {
  const asked: { readonly path: string; readonly id: string; readonly body: { value?: unknown; rotationId: string } }[] = [];
  let answer: (path: string) => Response = () => Response.json({ value: "made elsewhere" });
  let signingSecret = "";
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (incoming) => {
      const text = await incoming.text();
      const path = new URL(incoming.url).pathname;
      // Throws unless it is signed as the scheme says.
      new Webhook(signingSecret).verify(text, Object.fromEntries(incoming.headers));
      asked.push({ path, id: incoming.headers.get("webhook-id") ?? "", body: JSON.parse(text) });
      return answer(path);
    },
  });
  afterAll(() => server.stop(true));
  const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;

  async function withWebhooks(validators: object[] = []) {
    const secret = await newSecret();
    const set = await secret.policy({ generator: { kind: "webhook", url: url("/generate") }, validators });
    signingSecret = set.body.webhookSecret;
    expect(
      (await sql`select 1 from secret_policies where encode(webhook_secret, 'escape') like ${`%${signingSecret.slice(6, 20)}%`}`).length,
    ).toBe(0);
    return secret;
  }

  test("a value made elsewhere, signed both ways, and looked at elsewhere", async () => {
    answer = (path) => (path === "/validate" ? new Response(null, { status: 204 }) : Response.json({ value: looksLikeOne }));
    const secret = await withWebhooks([{ kind: "webhook", url: url("/validate") }]);
    await secret.rotate();
    const { id } = await ended(secret, "completed");
    expect(await secret.read()).toBe(looksLikeOne);
    expect(asked.slice(-2).map(({ path, id: webhookId, body }) => [path, webhookId, body.rotationId])).toEqual([
      ["/generate", `${id}-generate`, id],
      ["/validate", `${id}-validate`, id],
    ]);
    expect(asked.at(-1)?.body.value).toBeString();
  });

  test("one that is refused is not stored; it is told without the value, and tried again a day later", async () => {
    answer = (path) =>
      path === "/validate" ? Response.json({ reason: "it does not log in" }, { status: 422 }) : Response.json({ value: "bad value" });
    const secret = await withWebhooks([{ kind: "webhook", url: url("/validate") }]);
    await secret.rotate();
    const failed = await ended(secret, "failed");
    expect(failed.error).toBe("the validator refuses it: it does not log in");
    expect([await secret.read(), (await secret.mine.versions(secret.name)).body.data.length]).toEqual(["first", 1]);
    const [told] = await eventsAbout(running.url, user.token, secret.id, "secret.rotation_failed");
    expect(JSON.stringify(told)).not.toContain("bad value");
    expect(Date.parse((await secret.policyNow()).nextAt) - Date.now()).toBeLessThan(86_460_000);
  });

  test("a far end that fails at first is asked again under the same id", async () => {
    let failures = 1;
    answer = () => (failures-- > 0 ? new Response("busy", { status: 503 }) : Response.json({ value: "at last" }));
    const secret = await withWebhooks();
    const before = asked.length;
    await secret.rotate();
    await ended(secret, "completed");
    const ids = asked.slice(before).map(({ id }) => id);
    expect([ids.length, new Set(ids).size]).toEqual([2, 1]);
    expect(await secret.read()).toBe("at last");
  }, 30_000);
});

test.each([
  ["length", { validators: [{ kind: "length", min: 50, max: 60 }] }, "it does not have 50 to 60 characters"],
  ["charset", { validators: [{ kind: "charset", alphabet: "digits" }] }, "it is not digits only"],
  ["prefix", { validators: [{ kind: "prefix", prefix: "sk-" }] }, "it does not begin with sk-"],
])("a candidate of the wrong %s stays out", async (_, policy, error) => {
  const secret = await newSecret();
  await secret.policy(policy);
  await secret.rotate();
  expect((await ended(secret, "failed")).error).toBe(error);
  expect(await secret.read()).toBe("first");
});

test.each([
  ["never", { everyDays: 0 }, "/everyDays"],
  ["another strategy", { strategy: "sudden" }, "/strategy"],
  ["a regular expression", { validators: [{ kind: "pattern", pattern: "(a+)+$" }] }, "/validators/0/kind"],
  ["a short random text", { generator: { kind: "random", length: 3 } }, "/generator/length"],
  ["a file", { generator: { kind: "webhook", url: "file:///etc/passwd" } }, "/generator/url"],
])("%s: 400", async (_, policy, pointer) => {
  const secret = await newSecret();
  const answer = await secret.policy(policy);
  expectProblem(answer, "validation_failed");
  expect(pointersOf(answer)).toEqual([pointer]);
});

describe("gradual", () => {
  test("both versions are valid for a while; then the one from before is gone", async () => {
    const secret = await newSecret();
    await secret.policy({ strategy: "gradual", overlapSeconds: 3_600 });
    await secret.rotate();
    await ended(secret, "overlapping");
    expect((await secret.policyNow()).validVersions).toEqual([1, 2]);
    expect(await secret.read("?version=1")).toBe("first");
    expectProblem(await secret.rotate(), "conflict");
    await sql`update secret_rotations set overlap_until = now() - interval '1 second' where secret_id = ${secret.id}`;
    await ended(secret, "completed");
    expect((await secret.policyNow()).validVersions).toEqual([2]);
    expectProblem(await secret.mine.read(secret.name, "?version=1"), "not_found");
    expect(await secret.read()).not.toBe("first");
  }, 30_000);

  test("errors of the new version bring the old value back, and the policy rests", async () => {
    const secret = await newSecret();
    await secret.policy({ strategy: "gradual", rollback: { errors: 3, withinSeconds: 60 } });
    await secret.rotate();
    await ended(secret, "overlapping");
    for (const [version, outcome] of [
      [1, "error"],
      [1, "error"],
      [1, "error"],
      [2, "ok"],
      [2, "error"],
      [2, "error"],
    ] as const)
      expect((await secret.report(version, outcome)).body).toEqual({ rolledBack: false });
    const answers = await Promise.all([secret.report(2, "error"), secret.report(2, "error")]);
    expect(answers.filter(({ body }) => body.rolledBack)).toHaveLength(1);
    expect(await secret.read()).toBe("first");
    expect((await secret.rotations())[0]).toMatchObject({ status: "rolled_back", from: 1, to: 2 });
    expectProblem(await secret.mine.read(secret.name, "?version=2"), "not_found");
    expect((await secret.policyNow()).state).toBe("rolled_back");
    const [told] = await eventsAbout(running.url, user.token, secret.id, "secret.rotation_rolled_back");
    expect(told.data).toMatchObject({ from: 2, version: 3, errors: 3 });
    await makeDue(secret.id);
    await Bun.sleep(1_500);
    expect(await secret.rotations()).toHaveLength(1);
  }, 30_000);
});

describe("as time goes by", () => {
  test("announced ahead, once, and rotated when it is due, once, though two copies look", async () => {
    const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = running.config;
    await using _second = await startTestCopy("postgres", { DATABASE_URL, KEELSON_KEY_PREFIX });
    const secret = await newSecret();
    await secret.policy({ everyDays: 10, notifyHoursBefore: 24 });
    await sql`update secret_policies set next_at = now() + interval '1 hour' where secret_id = ${secret.id}`;
    await eventsAbout(running.url, user.token, secret.id, "secret.rotation_upcoming");
    await makeDue(secret.id);
    await ended(secret, "completed");
    expect((await secret.rotations()).map(({ why, status }: { why: string; status: string }) => [why, status])).toEqual([
      ["due", "completed"],
    ]);
    expect((await eventsAbout(running.url, user.token, secret.id, "secret.rotation_upcoming")).length).toBe(1);
    const { nextAt, overdue } = await secret.policyNow();
    expect([Date.parse(nextAt) > Date.now() + 9 * 86_400_000, overdue]).toEqual([true, false]);
  }, 60_000);

  test("manual: it is told when it is due, and shows as overdue until somebody gives a value", async () => {
    const secret = await newSecret();
    await secret.policy({ strategy: "manual" });
    await makeDue(secret.id);
    await eventsAbout(running.url, user.token, secret.id, "secret.rotation_due");
    expect((await secret.policyNow()).overdue).toBe(true);
    const done = await secret.rotate({ value: "by hand" });
    expect([done.status, done.body.rotation.status, done.body.taskId]).toEqual([202, "completed", undefined]);
    expect([await secret.read(), (await secret.policyNow()).overdue]).toEqual(["by hand", false]);
  }, 30_000);
});

test("without a policy only a given value rotates; whose it is counts as for any other write", async () => {
  const secret = await newSecret();
  expectProblem(await secret.rotate(), "conflict");
  expect((await secret.rotate({ value: "given" })).body.rotation).toMatchObject({ status: "completed", from: 1, to: 2 });
  const stranger = secretsOf(running.url, await signUp(running.url));
  for (const [method, path, body] of [
    ["POST", "rotate", { value: "x" }],
    ["PUT", "policy", { everyDays: 1 }],
    ["GET", "policy", undefined],
    ["POST", "report", { version: 1, outcome: "ok" }],
  ] as const)
    expectProblem(await stranger.send(method, `/${secret.name}/${path}`, body), "not_found");
  await secret.mine.patch(secret.name, { approval: { required: true } });
  expectProblem(await secret.rotate({ value: "y" }), "approval_required");
  expectProblem(await secret.policy({}), "approval_required");
});

test("kill -9 while the far end makes the value: nothing is half written, and the next copy goes on under the same id", async () => {
  const ids: string[] = [];
  let held: (() => void) | undefined;
  const far = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (incoming) => {
      ids.push(incoming.headers.get("webhook-id") ?? "");
      if (ids.length === 1)
        await new Promise<void>((resolve) => {
          held = resolve;
        });
      return Response.json({ value: "made once" });
    },
  });
  await using data = await temporaryDataFolder();
  const settings = {
    ...adminSettings,
    DATABASE_URL: await testPostgres(),
    KEELSON_DATA_DIR: data.path,
    KEELSON_WEBHOOK_NETWORKS: "127.0.0.1/32",
    LOG_LEVEL: "warn",
  };
  const first = await runServer(settings);
  await whenReady(first);
  const token = await adminToken(first.url);
  const secret = await newSecret("before", first.url, token);
  await secret.policy({ generator: { kind: "webhook", url: `http://127.0.0.1:${far.port}/` } });
  await secret.rotate();
  await until("the far end is asked", () => ids.length === 1);
  first.signal("SIGKILL");
  await first.exited;
  held?.();

  const second = await runServer(settings);
  await whenReady(second);
  const mine = secretsOf(second.url, { token: await adminToken(second.url) });
  expect((await mine.read(secret.name)).body.value).toBe("before");
  await until("it is rotated", async () => (await mine.read(secret.name)).body.value === "made once", 40_000);
  expect((await mine.versions(secret.name)).body.data.length).toBe(2);
  expect([ids.length, new Set(ids).size]).toEqual([2, 1]);
  expect(
    (await request(second.url, `/v1/secrets/${secret.name}/rotations`, { token: await adminToken(second.url) })).body.data,
  ).toHaveLength(1);
  second.signal("SIGTERM");
  await second.exited;
  await far.stop(true);
}, 120_000);
