import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { mailsTo } from "../auth/mailbox.ts";
import { request } from "../client.ts";
import { substrates } from "../copy.ts";
import { runServer, type ServerProcess, temporaryDataFolder, whenReady } from "../server-process.ts";
import { testPostgres, testRedis } from "../services.ts";
import { until } from "../until.ts";
import { plantSecrets } from "./planted-secrets.ts";

/** What must not be found, by what it is: planted with requests and settings, or taken from answers. */
const canaries = new Map<string, string>();
const canary = (what: string): string => {
  const value = `canary-${randomToken(18)}`;
  canaries.set(what, value);
  return value;
};
const taken = (what: string, value: string): string => {
  expect(value, what).toBeString();
  canaries.set(what, value);
  return value;
};

/** The ways in which a value may be written down. */
function spellings(value: string): string[] {
  const bytes = Buffer.from(value);
  const base64 = bytes.toString("base64").replace(/=+$/, "");
  return [value, encodeURIComponent(value), base64.slice(0, -2), bytes.toString("base64url").slice(0, -2), bytes.toString("hex")];
}

function foundIn(text: string): string[] {
  return [...canaries].filter(([, value]) => spellings(value).some((spelling) => text.includes(spelling))).map(([what]) => what);
}

describe.each(await substrates())("on %s", (substrate) => {
  const opening = new AsyncDisposableStack();
  let server: ServerProcess;
  let database: postgres.Sql;
  let redis: Redis | undefined;
  const prefix = `hygiene-${substrate}-${process.pid}`;
  const answers: string[] = [];
  const metricsToken = canary("the token of /metrics");

  /** Errors and all: what it answers is looked at, too. */
  const send: typeof request = async (url, path, options) => {
    const answer = await request(url, path, options);
    answers.push(JSON.stringify(answer.body));
    return answer;
  };

  beforeAll(async () => {
    const redisUrl = substrate === "redis" ? await testRedis() : undefined;
    const folder = opening.use(await temporaryDataFolder());
    const databaseUrl = await testPostgres();
    const settings = {
      DATABASE_URL: databaseUrl,
      ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
      KEELSON_KEY_PREFIX: prefix,
      KEELSON_DATA_DIR: folder.path,
      KEELSON_KEK: taken("the root key", Buffer.from(randomToken(24)).toString("base64")),
      KEELSON_ADMIN_EMAIL: "root@example.com",
      KEELSON_ADMIN_PASSWORD: canary("the administrator's password"),
      KEELSON_METRICS_TOKEN: metricsToken,
      KEELSON_PUBLIC_URL: "http://localhost",
      KEELSON_OAUTH_PROVIDERS: JSON.stringify([
        { name: "github", preset: "github", clientId: "id", clientSecret: canary("a client secret of OAuth") },
      ]),
      LOG_LEVEL: "trace",
    };
    server = await runServer(settings);
    opening.defer(async () => {
      server.signal("SIGKILL");
      await server.exited;
    });
    await whenReady(server);
    database = postgres(databaseUrl, { max: 1 });
    opening.defer(() => database.end());
    if (redisUrl) {
      redis = new Redis(redisUrl);
      opening.defer(() => redis?.disconnect());
    }
  }, 90_000);
  afterAll(() => opening.disposeAsync());

  test("what is planted", async () => {
    const { url } = server;
    const email = `${randomToken(9)}@example.com`;
    const password = canary("a password");
    const signedUp = await request(url, "/v1/auth/signup", { body: { email, password } });
    const token = taken("an access token", signedUp.body.accessToken);
    taken("a refresh token", signedUp.body.refreshToken);
    const refreshed = await request(url, "/v1/auth/refresh", { body: { refreshToken: signedUp.body.refreshToken } });
    taken("the next refresh token", refreshed.body.refreshToken);
    await send(url, "/v1/auth/login", { body: { email, password: canary("a wrong password") } });
    await send(url, "/v1/auth/login", { body: { email, password: canary("a password with a field too many"), more: 1 } });
    await send(url, "/v1/auth/login", { rawBody: `{"email":"${email}","password":"${canary("a password in malformed JSON")}",}` });
    await send(url, "/v1/auth/signup", { body: { email, password: canary("a password of an address that is taken") } });
    await send(url, "/v1/me", { token: canary("a token that is none") });
    await send(url, "/v1/me", { headers: { cookie: `keelson-access=${canary("a cookie that is none")}` } });
    await send(url, "/v1/me", { headers: { "x-api-key": `klsn_${canary("a key that is none")}` } });
    const key = await request(url, "/v1/api-keys", { token, body: { name: "k", scopes: ["tasks:read"] } });
    taken("an API key", key.body.key);
    await send(url, "/v1/tasks", { headers: { "x-api-key": key.body.key } });
    const totp = await request(url, "/v1/auth/mfa/totp", { method: "POST", token });
    taken("the secret of an authenticator", totp.body.secret);
    const hook = await request(url, "/v1/subscriptions", {
      token,
      body: { pattern: "user.*", url: "https://example.com/x" },
      headers: { "idempotency-key": "kept" },
    });
    taken("a signing secret of webhooks", hook.body.secret);
    await send(url, "/v1/auth/password/forgot", { body: { email } });
    await send(url, "/v1/auth/magic-link", { body: { email } });
    const mails = await until("the mails are there", async () => {
      const found = await mailsTo(url, email);
      return found.length >= 3 ? found : undefined;
    });
    for (const { text } of mails) {
      const link = /[?&#](?:token|code)=([\w-]{20,})/.exec(text)?.[1];
      if (link) taken(`the link of a mail: ${text.slice(0, 30)}`, link);
    }
    await send(url, "/v1/auth/password/reset", {
      body: { token: canary("a token for a reset that is none"), password: canary("a new password") },
    });
    await plantSecrets({ url, token, database, canary, taken, send });
    await request(url, "/metrics", { token: metricsToken });
    expect(canaries.size).toBeGreaterThan(20);
  }, 60_000);

  test("is in no answer that is a refusal", () => {
    expect(foundIn(answers.join("\n"))).toEqual([]);
  });

  test("is in no table", async () => {
    const tables = await database<{ name: string }[]>`
      select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1`;
    expect(tables.length).toBeGreaterThan(30);
    const found = new Map<string, string[]>();
    for (const { name } of tables) {
      const rows = await database.unsafe<{ row: string }[]>(`select t::text as row from ${name} t`);
      found.set(name, foundIn(rows.map(({ row }) => row).join("\n")));
    }
    // The mailbox of development is there to be read, which shows that this finds what is there.
    expect(found.get("public.development_mails")?.length).toBeGreaterThan(1);
    found.delete("public.development_mails");
    expect([...found].filter(([, what]) => what.length > 0)).toEqual([]);
  });

  test("is nowhere in Redis", async () => {
    if (!redis) return;
    const found: string[] = [];
    let seen = 0;
    for await (const keys of redis.scanStream({ match: `*${prefix}*`, count: 1_000 })) {
      for (const key of keys) {
        seen += 1;
        const dump = (await redis.dumpBuffer(key))?.toString("latin1") ?? "";
        found.push(...foundIn(`${key}\n${dump}\n${await readable(redis, key)}`).map((what) => `${what} in ${key}`));
      }
    }
    expect(seen).toBeGreaterThan(3);
    expect(found).toEqual([]);
  });

  test("is in no metric, and in nothing that was logged", async () => {
    const metrics = await request(server.url, "/metrics", { token: metricsToken });
    expect(metrics.status).toBe(200);
    server.signal("SIGTERM");
    await server.exited;
    expect(server.output()).toContain('"level":"debug"');
    expect(foundIn(`${metrics.body}\n${server.output()}`)).toEqual([]);
  }, 60_000);
});

/** Long values are compressed in a dump. */
async function readable(redis: Redis, key: string): Promise<string> {
  switch (await redis.type(key)) {
    case "string":
      return (await redis.get(key)) ?? "";
    case "hash":
      return JSON.stringify(await redis.hgetall(key));
    case "list":
      return JSON.stringify(await redis.lrange(key, "0", "-1"));
    case "set":
      return JSON.stringify(await redis.smembers(key));
    case "zset":
      return JSON.stringify(await redis.zrange(key, "0", "-1"));
    default:
      return JSON.stringify(await redis.xrange(key, "-", "+"));
  }
}
