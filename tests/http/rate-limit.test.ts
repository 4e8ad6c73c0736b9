import { describe, expect, test } from "bun:test";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request } from "../client.ts";
import { startTestCopy, substrates, type TestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const perMinute = 5;
const triesPerMinute = 4;
/** 60 once the memory limiter no longer says 61 for a float's rounding error: see app/platform/limiter/decision.test.ts. */
const secondsMax = 61;
const available = await substrates();
let networks = 0;

describe.each(available)("limits on %s", (substrate) => {
  const running = sharedCopy(substrate, {
    KEELSON_RATE_LIMIT_PER_MINUTE: String(perMinute),
    KEELSON_LOGIN_LIMIT_PER_MINUTE: String(triesPerMinute),
    KEELSON_REFUSED_LIMIT_PER_MINUTE: "3",
    KEELSON_TRUST_PROXY: "true",
  });

  /** Each test gets addresses nobody has used; the copy trusts X-Forwarded-For. */
  const freshAddress = () => `198.51.${substrate === "redis" ? 100 : 101}.${++networks}`;
  const from = (address: string) => ({ "x-forwarded-for": address });
  const signUpFrom = async (address: string): Promise<string> => {
    const body = { email: `${randomToken(9)}@example.com`, password: "correct horse" };
    return (await request(running.url, "/v1/auth/signup", { body, headers: from(address) })).body.accessToken;
  };
  const tryLogin = (address: string) =>
    request(running.url, "/v1/auth/login", { body: { email: "nobody@example.com", password: "wrong" }, headers: from(address) });

  test("the headers, in the exact syntax of the draft: structured fields, counting down to a 429", async () => {
    const token = await signUpFrom(freshAddress());
    for (let used = 1; used <= perMinute + 2; used += 1) {
      const answer = await request(running.url, "/v1/me", { token });
      expect(answer.headers.get("ratelimit-policy")).toBe(`"default";q=${perMinute};w=60`);
      const [, remaining, seconds] = /^"default";r=(\d+);t=(\d+)$/.exec(answer.headers.get("ratelimit") ?? "") ?? [];
      expect(Number(remaining)).toBe(Math.max(0, perMinute - used));
      expect(Number(seconds)).toBeGreaterThan(0);
      expect(Number(seconds)).toBeLessThanOrEqual(secondsMax);
      if (used <= perMinute) expect(answer.status).toBe(200);
      else expectRefused(answer, seconds);
    }
  });

  test("each user has a window, whatever address the requests come from", async () => {
    const [ada, bob] = [await signUpFrom(freshAddress()), await signUpFrom(freshAddress())];
    for (let n = 0; n < perMinute; n += 1)
      expect((await request(running.url, "/v1/me", { token: ada, headers: from(freshAddress()) })).status).toBe(200);
    expectRefused(await request(running.url, "/v1/me", { token: ada, headers: from(freshAddress()) }));
    expect(remainingOf(await request(running.url, "/v1/me", { token: bob }))).toBe(perMinute - 1);
  });

  test("all routes of a user share the window, also those that answer with an error", async () => {
    const token = await signUpFrom(freshAddress());
    const paths = ["/v1/me", "/v1/tasks?limit=bad", "/v1/tasks/none", "/v1/sandbox/executions/none", "/v1/auth/session"];
    const answers: Answer[] = [];
    for (const path of paths) answers.push(await request(running.url, path, { token }));
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 404, 404, 200]);
    expect(answers.map(remainingOf)).toEqual([4, 3, 2, 1, 0]);
    expectRefused(await request(running.url, "/v1/tasks", { token }));
  });

  test("an address that shows what is not accepted is told to wait; who shows a good token is not held up by it", async () => {
    const address = freshAddress();
    const token = await signUpFrom(freshAddress());
    const show = (shown: string) => request(running.url, "/v1/me", { token: shown, headers: from(address) });
    for (let n = 0; n < 3; n += 1) expectProblem(await show("a.b.c"), "invalid_token");
    expectRefused(await show("a.b.c"));
    expect((await show(token)).status).toBe(200);
  });

  test("tries of credentials count by address, under their own policy", async () => {
    const [address, other] = [freshAddress(), freshAddress()];
    for (let used = 1; used <= triesPerMinute; used += 1) {
      const answer = await tryLogin(address);
      expect([answer.status, remainingOf(answer)]).toEqual([401, triesPerMinute - used]);
      expect(answer.headers.get("ratelimit-policy")).toBe(`"credentials";q=${triesPerMinute};w=60`);
    }
    expectRefused(await tryLogin(address));
    expect((await tryLogin(other)).status).toBe(401);
  });

  test.each(["signup", "login", "refresh", "setup"])("%s counts as a try", async (verb) => {
    const answer = await request(running.url, `/v1/auth/${verb}`, { body: {}, headers: from(freshAddress()) });
    expect([answer.status, answer.headers.get("ratelimit")?.startsWith('"credentials"')]).toEqual([400, true]);
  });

  test("open pages count by address", async () => {
    const address = freshAddress();
    for (let n = 0; n < perMinute; n += 1)
      expect((await request(running.url, "/.well-known/jwks.json", { headers: from(address) })).status).toBe(200);
    expectRefused(await request(running.url, "/v1/auth/setup", { headers: from(address) }));
  });

  test("concurrent requests do not overrun the limit", async () => {
    const token = await signUpFrom(freshAddress());
    const answers = await Promise.all(Array.from({ length: 20 }, () => request(running.url, "/v1/me", { token })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(perMinute);
    for (const answer of answers) if (answer.status !== 200) expectRefused(answer);
  });

  test("an IPv6 subscriber's /64 counts as one address; IPv4-mapped addresses count each", async () => {
    const prefix = `2001:db8:${substrate === "redis" ? "a" : "b"}`;
    for (const address of [`${prefix}::1`, `${prefix}:0:ffff::2`, `${prefix}:0:1:2:3:4`, `${prefix}:0::5`])
      expect((await tryLogin(address)).status).toBe(401);
    expectRefused(await tryLogin(`${prefix}:0:9::9`));
    expect((await tryLogin(`${prefix}:1::1`)).status).toBe(401);
    for (const last of [1, 2, 3, 4, 5])
      expect((await tryLogin(`::ffff:203.0.113.${substrate === "redis" ? last : last + 100}`)).status).toBe(401);
  });

  test("another spelling, a port or no address at all is no new address", async () => {
    const last = substrate === "redis" ? 6 : 7;
    const spellings = [
      `10.9.9.${last}`,
      `10.9.9.${last}:1234`,
      `::ffff:10.9.9.${last}`,
      `[::ffff:a09:90${last}]:443`,
      `0::ffff:0a09:090${last}`,
    ];
    const junk = ["junk1", "junk2", "10.9.9.300", "2001:db8::g", "_hidden"];
    for (const [first = "", ...others] of [spellings, junk]) {
      expect((await tryLogin(first)).headers.get("ratelimit")).toContain(`;r=${triesPerMinute - 1};`);
      for (const [n, other] of others.slice(0, -1).entries()) expect(remainingOf(await tryLogin(other))).toBe(triesPerMinute - 2 - n);
      expectRefused(await tryLogin(others.at(-1) ?? ""));
    }
  });

  test("health checks, documents and problem pages are never limited", async () => {
    const headers = from(freshAddress());
    for (const path of ["/healthz", "/readyz", "/openapi.json", "/docs", "/problems/rate_limited"]) {
      for (let n = 0; n <= perMinute; n += 1) expect((await request(running.url, path, { headers })).status).toBe(200);
    }
  });

  test("another copy on the same stores knows the tries", async () => {
    const address = freshAddress();
    for (let n = 0; n < triesPerMinute; n += 1) await tryLogin(address);
    await using next = await startTestCopy(substrate, {
      ...settingsOf(running),
      KEELSON_LOGIN_LIMIT_PER_MINUTE: String(triesPerMinute),
      KEELSON_TRUST_PROXY: "true",
    });
    const body = { email: "nobody@example.com", password: "wrong" };
    expectRefused(await request(next.url, "/v1/auth/login", { body, headers: from(address) }));
  }, 20_000);
});

test("without a trusted proxy X-Forwarded-For gives no new tries", async () => {
  await using running = await startTestCopy("postgres", { KEELSON_LOGIN_LIMIT_PER_MINUTE: "2" });
  const tries: number[] = [];
  for (let n = 0; n < 4; n += 1) {
    const headers = { "x-forwarded-for": `203.0.113.${n}` };
    tries.push((await request(running.url, "/v1/auth/login", { body: { email: "a@example.com", password: "wrong" }, headers })).status);
  }
  expect(tries).toEqual([401, 401, 429, 429]);
}, 20_000);

function expectRefused(answer: Answer, seconds?: string): void {
  expectProblem(answer, "rate_limited");
  const retryAfter = Number(answer.headers.get("retry-after"));
  expect(retryAfter).toBeGreaterThanOrEqual(1);
  expect(retryAfter).toBeLessThanOrEqual(secondsMax);
  if (seconds !== undefined) expect(retryAfter).toBe(Number(seconds));
  expect(remainingOf(answer)).toBe(0);
}

function remainingOf(answer: Answer): number {
  return Number(/;r=(\d+);/.exec(answer.headers.get("ratelimit") ?? "")?.[1]);
}

/** What a second copy needs to share the stores of the first. */
function settingsOf({ config }: Pick<TestCopy, "config">): Record<string, string> {
  return { DATABASE_URL: config.DATABASE_URL ?? "", KEELSON_KEY_PREFIX: config.KEELSON_KEY_PREFIX };
}
