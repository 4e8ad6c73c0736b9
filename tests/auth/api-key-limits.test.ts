import { beforeAll, expect, test } from "bun:test";
import { type Answer, request, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const perMinute = 6;
const admin = { KEELSON_ADMIN_EMAIL: "root@example.com", KEELSON_ADMIN_PASSWORD: "correct horse battery staple" };
const running = sharedCopy("postgres", { ...admin, KEELSON_RATE_LIMIT_PER_MINUTE: String(perMinute) });
let adminToken: string;
beforeAll(async () => {
  const body = { email: admin.KEELSON_ADMIN_EMAIL, password: admin.KEELSON_ADMIN_PASSWORD };
  adminToken = (await request(running.url, "/v1/auth/login", { body })).body.accessToken;
});

const make = (token: string, rateLimit?: number): Promise<Answer> =>
  request(running.url, "/v1/api-keys", { body: { name: "test", scopes: ["tasks:read"], rateLimit }, token });
const use = (key: string) => request(running.url, "/v1/tasks", { headers: { "x-api-key": key } });
const remainingOf = (answer: Answer): number[] =>
  [...(answer.headers.get("ratelimit") ?? "").matchAll(/;r=(\d+);/g)].map(([, left]) => Number(left));

test("only an administrator gives a key more than the general limit", async () => {
  const ada = await signUp(running.url);
  expect(pointersOf(await make(ada.token, perMinute + 1))).toEqual(["/rateLimit"]);
  const lower = await make(ada.token, perMinute);
  expect(lower.status).toBe(201);
  const path = `/v1/api-keys/${lower.body.apiKey.id}`;
  const change = (rateLimit: number | null) => request(running.url, path, { method: "PATCH", body: { rateLimit }, token: ada.token });
  expect(pointersOf(await change(perMinute + 1))).toEqual(["/rateLimit"]);
  expect((await change(null)).body.apiKey.rateLimit).toBeNull();
  expect((await make(adminToken, perMinute * 2)).body.apiKey.rateLimit).toBe(perMinute * 2);
});

test("keys with a limit of their own share their user's window", async () => {
  const ada = await signUp(running.url);
  const first: string = (await make(ada.token, 2)).body.key;
  const second: string = (await make(ada.token, perMinute)).body.key;
  expect(remainingOf(await use(first))).toEqual([1, 3]);
  expect(remainingOf(await use(first))).toEqual([0, 2]);
  const refused = await use(first);
  expectProblem(refused, "rate_limited");
  expect(remainingOf(refused)).toEqual([0]);
  for (const left of [1, 0]) expect(remainingOf(await use(second))[1]).toBe(left);
  expectProblem(await use(second), "rate_limited");
  expectProblem(await request(running.url, "/v1/me", { token: ada.token }), "rate_limited");
});

test("a key that an administrator gave more has that much, whatever its user does besides", async () => {
  const { key } = (await make(adminToken, perMinute + 2)).body;
  for (let used = 1; used <= perMinute + 2; used += 1) expect(remainingOf(await use(key))).toEqual([perMinute + 2 - used]);
  expectProblem(await use(key), "rate_limited");
});
