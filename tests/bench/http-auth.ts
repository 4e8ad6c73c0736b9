import { z } from "zod";
import { request, signUp } from "../client.ts";
import { emptyPostgres, testPostgres, testRedis } from "../services.ts";
import { type Child, startChild } from "./child.ts";
import type { Bar, Bench, Measure, RunningSide, Sample } from "./harness.ts";
import { generateLoad } from "./load.ts";

const connections = 50;
const seconds = 3;

/** The bars are for the first bench; the others tell what a limiter or a database adds. */
const measures: readonly Measure[] = [
  { name: "requests", unit: "1/s" },
  { name: "requests, absolute", unit: "1/s" },
  { name: "CPU per request", unit: "µs" },
  { name: "p50", unit: "ms" },
  { name: "p95", unit: "ms" },
  { name: "p99", unit: "ms" },
];
const bars: Readonly<Record<string, Bar>> = {
  requests: { ratioMin: 0.6 },
  "requests, absolute": { valueMin: 20_000 },
  p95: { valueMax: 10 },
};

/** An authenticated GET through the whole stack against a bare Hono route. */
export const httpAuth: readonly Bench[] = [
  {
    name: "http-auth",
    what: "Authenticated GET that touches no database, limits counted in process; peer: a bare Hono JSON route.",
    needsRedis: false,
    rounds: 5,
    measures: measures.map((it) => ({ ...it, ...(bars[it.name] ? { bar: bars[it.name] } : {}) })),
    ...sides({ path: "/v1/bench", redis: false }),
  },
  {
    name: "http-auth-api-key",
    what: "The same by an API key in X-Api-Key, with its scope and limit; peer: a bare Hono JSON route.",
    needsRedis: false,
    rounds: 3,
    measures: measures.map((it) => (it.name === "requests" ? { ...it, bar: { ratioMin: 0.4 } } : it)),
    ...sides({ path: "/v1/models", redis: false, by: "api_key" }),
  },
  {
    name: "http-auth-better-auth",
    what: "The same; peer: better-auth's get-session with its cookie cache, so that neither asks a database.",
    needsRedis: false,
    rounds: 3,
    measures,
    subject: sides({ path: "/v1/bench", redis: false }).subject,
    peer: { what: "better-auth", start: startBetterAuth },
  },
  {
    name: "http-auth-redis",
    what: "The same with limits counted in Redis: one round trip per request.",
    needsRedis: true,
    rounds: 3,
    measures,
    ...sides({ path: "/v1/bench", redis: true }),
  },
  {
    name: "http-auth-me",
    what: "GET /v1/me, one select by primary key; peer: a bare Hono route that makes the same select through postgres.js.",
    needsRedis: false,
    rounds: 3,
    measures,
    ...sides({ path: "/v1/me", redis: false }),
  },
];

interface Made {
  readonly keelson: Child;
  readonly databaseUrl: string;
  readonly userId: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Both sides see one database with one user in it, and get the same request. */
function sides(options: { readonly path: string; readonly redis: boolean; readonly by?: "api_key" }): Pick<Bench, "subject" | "peer"> {
  let made: Promise<Made> | undefined;
  const make = async (): Promise<Made> => {
    const databaseUrl = await testPostgres();
    const redisUrl = options.redis ? await testRedis() : undefined;
    const keelson = await startChild("http-keelson-server.ts", { databaseUrl, redisUrl });
    const url = await keelson.ask("url", {}, z.string());
    const { id: userId, token } = await signUp(url);
    const headers = options.by === "api_key" ? { "x-api-key": await makeKey(url, token) } : { authorization: `Bearer ${token}` };
    return { keelson, databaseUrl, userId, headers };
  };
  return {
    subject: {
      what: "Keelson",
      start: async () => {
        made = make();
        const { keelson, headers } = await made;
        return loaded(keelson, { path: options.path, headers });
      },
    },
    peer: {
      what: "bare Hono",
      start: async () => {
        if (made === undefined) throw new Error("the subject starts first: it makes the user");
        const { databaseUrl, userId, headers } = await made;
        return loaded(await startChild("http-bare-server.ts", { databaseUrl, userId }), { path: options.path, headers });
      },
    },
  };
}

/** With a limit of its own, which is counted beside the user's. */
async function makeKey(url: string, token: string): Promise<string> {
  const body = { name: "bench", scopes: ["ai:read"], rateLimit: 10_000_000 };
  const answer = await request(url, "/v1/api-keys", { body, token });
  if (answer.status !== 201) throw new Error(`the key was refused: ${JSON.stringify(answer.body)}`);
  return answer.body.key;
}

const cpuUsage = z.object({ user: z.number(), system: z.number() });

async function startBetterAuth(): Promise<RunningSide> {
  const server = await startChild("http-better-auth-server.ts", { databaseUrl: await emptyPostgres() });
  const signedUp = await fetch(`${await server.ask("url", {}, z.string())}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: "ada@example.com", password: "correct horse battery staple", name: "Ada" }),
  });
  const cookie = signedUp.headers.getSetCookie().map((line) => line.slice(0, line.indexOf(";")));
  return loaded(server, { path: "/api/auth/get-session", headers: { cookie: cookie.join("; ") } });
}

async function loaded(
  server: Child,
  { path, headers }: { readonly path: string; readonly headers: Readonly<Record<string, string>> },
): Promise<RunningSide> {
  const url = `${await server.ask("url", {}, z.string())}${path}`;
  const cpuMicros = async () => {
    const { user, system } = await server.ask("cpu", {}, cpuUsage);
    return user + system;
  };
  return {
    measure: async (): Promise<Sample> => {
      const before = await cpuMicros();
      const report = await generateLoad({ url, headers, connections, seconds });
      return {
        requests: report.requests / report.seconds,
        "requests, absolute": report.requests / report.seconds,
        "CPU per request": ((await cpuMicros()) - before) / report.requests,
        p50: report.p50Ms,
        p95: report.p95Ms,
        p99: report.p99Ms,
      };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
