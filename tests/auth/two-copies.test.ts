import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readStream, request, signUp } from "../client.ts";
import { startTestCopy, substrates, type TestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";

describe.each(await substrates())("two copies on one database, on %s", (substrate) => {
  let first: TestCopy;
  let second: TestCopy;
  /** Accepted by the first before the second was there, so that both have had to look for keys. */
  let early: Awaited<ReturnType<typeof signUp>>;

  beforeAll(async () => {
    first = await startTestCopy(substrate);
    early = await signUp(first.url);
    second = await startTestCopy(substrate, settingsOf(first));
  }, 60_000);
  afterAll(async () => {
    await second[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
  }, 60_000);

  test("each accepts the other's tokens, also those from before it was there", async () => {
    const late = await signUp(second.url);
    for (const { url } of [first, second]) {
      for (const user of [early, late]) {
        const answer = await request(url, "/v1/me", { token: user.token });
        expect([answer.status, answer.body.user?.id]).toEqual([200, user.id]);
      }
    }
  });

  test("they sign with one key", async () => {
    const kids = async ({ url }: TestCopy) =>
      (await request(url, "/.well-known/jwks.json")).body.keys.map(({ kid }: { kid: string }) => kid);
    const seen = await kids(first);
    expect(seen).toHaveLength(1);
    expect(await kids(second)).toEqual(seen);
  });

  test("a refresh token works at either, once", async () => {
    const user = await signUp(first.url);
    const refresh = ({ url }: TestCopy, refreshToken: string) => request(url, "/v1/auth/refresh", { body: { refreshToken } });
    const renewed = await refresh(second, user.refreshToken);
    expect(renewed.status).toBe(200);
    const again = await refresh(first, user.refreshToken);
    expect(again.body).toEqual(renewed.body);
    await refresh(first, renewed.body.refreshToken);
    expectProblem(await refresh(second, user.refreshToken), "invalid_refresh_token");
    expectProblem(await refresh(second, renewed.body.refreshToken), "invalid_refresh_token");
  });

  test("a session that ends at one has ended at the other", async () => {
    const user = await signUp(first.url);
    await request(second.url, "/v1/auth/logout", { method: "POST", token: user.token });
    expectProblem(await request(first.url, "/v1/auth/session", { token: user.token }), "invalid_token");
  });

  test("a task that is asked for at one is followed at the other, and resumed at the first", async () => {
    const { token } = await signUp(first.url);
    const { body } = await request(first.url, "/v1/sandbox/executions", { token, body: { code: "console.log(1); 2", wait: false } });
    const path = `/v1/tasks/${body.taskId}/stream`;
    const before = await readStream(second.url, path, { token, enough: (events) => events.length >= 2 });
    const after = await readStream(first.url, path, { token, lastEventId: "2" });
    const ids = [...before.events, ...after.events].map(({ id }) => id);
    expect(ids).toEqual(ids.map((_, index) => String(index + 1)));
    expect(after.events.at(-1)?.data.result.execution.output).toBe(2);
  });

  test("administrators of one are administrators of the other, and there is one link", () => {
    expect(first.copy.setupToken).toBeString();
    expect(second.copy.setupToken).toBeUndefined();
  });
});

test("a copy with another KEELSON_KEK does not start, and says which key is which", async () => {
  await using first = await startTestCopy("postgres");
  const other = startTestCopy("postgres", { ...settingsOf(first), KEELSON_KEK: Buffer.alloc(32, 2).toString("base64") });
  expect(other).rejects.toThrow(/key-encryption key 1 .* wrapped by the root key local:[0-9a-f]{12}; this copy has local:[0-9a-f]{12}/);
  await other.catch(() => undefined);
}, 60_000);

test("an answer kept under an Idempotency-Key is replayed by another copy", async () => {
  const headers = { "idempotency-key": "shared" };
  const body = { code: "Math.random()" };
  await using first = await startTestCopy("postgres");
  await using second = await startTestCopy("postgres", settingsOf(first));
  const { token } = await signUp(first.url);
  const kept = await request(first.url, "/v1/sandbox/executions", { token, body, headers });
  const replayed = await request(second.url, "/v1/sandbox/executions", { token, body, headers });
  expect([replayed.status, replayed.headers.get("idempotency-replayed"), replayed.body]).toEqual([200, "true", kept.body]);
}, 60_000);

function settingsOf({ config }: TestCopy): Record<string, string> {
  return { DATABASE_URL: config.DATABASE_URL ?? "", KEELSON_KEY_PREFIX: config.KEELSON_KEY_PREFIX };
}
