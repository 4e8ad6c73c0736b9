import { createHash } from "node:crypto";
import postgres from "postgres";
import { z } from "zod";
import { request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { testPostgres, testRedis } from "../services.ts";
import { until } from "../until.ts";
import { type Child, startChild } from "./child.ts";
import { type Bench, percentile, type RunningSide, type Side } from "./harness.ts";

const roundMs = 3_000;
const revocationsPerRound = 30;

/** What costs a database, a password hash or a second copy. */
export const auth: readonly Bench[] = [
  {
    name: "auth-refresh",
    what: "Refresh tokens exchanged by 50 clients, limits in Redis; peer: a bare Hono route with the same select and one update.",
    needsRedis: true,
    rounds: 5,
    measures: [
      { name: "exchanges", unit: "1/s" },
      { name: "exchanges, absolute", unit: "1/s", bar: { valueMin: 2_000 } },
      { name: "p95", unit: "ms" },
    ],
    ...pairOf({ clients: 50, keelson: refreshAtKeelson, bare: refreshAtBareHono, measure: "exchanges" }),
  },
  {
    name: "auth-login",
    what: "Password log-ins by 8 clients (argon2id, 19 MiB, 2 passes), limits in Redis; peer: a bare Hono route that verifies the same hash.",
    needsRedis: true,
    rounds: 5,
    measures: [
      { name: "log-ins", unit: "1/s" },
      { name: "log-ins, absolute", unit: "1/s", bar: { valueMin: 60 } },
      { name: "p95", unit: "ms" },
    ],
    ...pairOf({ clients: 8, keelson: logInAtKeelson, bare: logInAtBareHono, measure: "log-ins" }),
  },
  {
    name: "auth-revocation",
    what: "From the answer of a log-out at one copy to the first refusal at another, on PostgreSQL; peer: NOTIFY to LISTEN between two raw connections.",
    needsRedis: false,
    rounds: 3,
    measures: [
      { name: "p50", unit: "ms" },
      { name: "p99", unit: "ms", bar: { valueMax: 1_000 } },
    ],
    subject: { what: "Keelson", start: startTwoCopies },
    peer: { what: "LISTEN", start: startListener },
  },
];

/** One client's next request; rejects when it is not answered as it should be. */
type Step = () => Promise<void>;
type Client = (url: string, user: SignedInUser) => Step;

function pairOf(options: {
  readonly clients: number;
  readonly keelson: Client;
  readonly bare: Client;
  readonly measure: string;
}): Pick<Bench, "subject" | "peer"> {
  let shared: Promise<{ readonly keelson: Child; readonly databaseUrl: string; readonly users: readonly SignedInUser[] }> | undefined;
  const share = async () => {
    const databaseUrl = await testPostgres();
    const keelson = await startChild("http-keelson-server.ts", { databaseUrl, redisUrl: await testRedis() });
    const url = await keelson.ask("url", {}, z.string());
    const users = await Promise.all(Array.from({ length: options.clients }, () => signUp(url)));
    return { keelson, databaseUrl, users };
  };
  const running = async (server: Child, users: readonly SignedInUser[], client: Client): Promise<RunningSide> => {
    const url = await server.ask("url", {}, z.string());
    const steps = users.map((user) => client(url, user));
    return { measure: () => stepAll(steps, options.measure), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
  };
  const subject: Side = {
    what: "Keelson",
    start: async () => {
      shared = share();
      const { keelson, users } = await shared;
      return running(keelson, users, options.keelson);
    },
  };
  const peer: Side = {
    what: "bare Hono",
    start: async () => {
      if (shared === undefined) throw new Error("the subject starts first: it makes the users");
      const { databaseUrl, users } = await shared;
      const bare = await startChild("http-bare-server.ts", { databaseUrl, userId: users[0]?.id ?? "" });
      return running(bare, users, options.bare);
    },
  };
  return { subject, peer };
}

async function stepAll(steps: readonly Step[], measure: string) {
  const tookMs: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    steps.map(async (step) => {
      while (performance.now() - startedAt < roundMs) {
        const before = performance.now();
        await step();
        tookMs.push(performance.now() - before);
      }
    }),
  );
  const perSecond = (tookMs.length * 1_000) / (performance.now() - startedAt);
  return {
    [measure]: perSecond,
    [`${measure}, absolute`]: perSecond,
    p95: percentile(
      tookMs.sort((a, b) => a - b),
      0.95,
    ),
  };
}

async function post(url: string, body: object) {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return z.record(z.string(), z.unknown()).parse(await answer.json());
}

function refreshAtKeelson(url: string, user: SignedInUser): Step {
  let { refreshToken }: { refreshToken: unknown } = user;
  return async () => {
    ({ refreshToken } = await post(`${url}/v1/auth/refresh`, { refreshToken }));
  };
}

function refreshAtBareHono(url: string, user: SignedInUser): Step {
  const refreshToken = createHash("sha256").update(user.refreshToken).digest("base64url");
  return async () => void (await post(`${url}/refresh`, { refreshToken }));
}

function logInAtKeelson(url: string, { email, password }: SignedInUser): Step {
  return async () => void (await post(`${url}/v1/auth/login`, { email, password }));
}

function logInAtBareHono(url: string, { password }: SignedInUser): Step {
  return async () => void (await post(`${url}/login`, { password }));
}

async function startTwoCopies(): Promise<RunningSide> {
  const first = await startTestCopy("postgres");
  const { DATABASE_URL = "", KEELSON_KEY_PREFIX } = first.config;
  const second = await startTestCopy("postgres", { DATABASE_URL, KEELSON_KEY_PREFIX });
  const revokeOne = async () => {
    const { token } = await signUp(first.url);
    await request(second.url, "/v1/me", { token });
    await request(first.url, "/v1/auth/logout", { method: "POST", token });
    const revokedAt = performance.now();
    await until("the other copy refuses it", async () => (await request(second.url, "/v1/me", { token })).status === 401);
    return performance.now() - revokedAt;
  };
  return {
    measure: () => timesOf(revokeOne),
    [Symbol.asyncDispose]: async () => {
      await second[Symbol.asyncDispose]();
      await first[Symbol.asyncDispose]();
    },
  };
}

async function startListener(): Promise<RunningSide> {
  const url = await testPostgres();
  const [speaker, listener] = [postgres(url, { max: 1 }), postgres(url, { max: 1 })];
  let heard = Promise.withResolvers<void>();
  await listener.listen("bench", () => heard.resolve());
  const notifyOne = async () => {
    heard = Promise.withResolvers();
    await speaker.notify("bench", "");
    const saidAt = performance.now();
    await heard.promise;
    return performance.now() - saidAt;
  };
  return {
    measure: () => timesOf(notifyOne),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([speaker.end(), listener.end()]);
    },
  };
}

async function timesOf(once: () => Promise<number>) {
  const tookMs: number[] = [];
  for (let n = 0; n < revocationsPerRound; n += 1) tookMs.push(await once());
  tookMs.sort((a, b) => a - b);
  return { p50: percentile(tookMs, 0.5), p99: percentile(tookMs, 0.99) };
}
