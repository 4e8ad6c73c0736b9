import { describe, expect, test } from "bun:test";
import { ConfigError, describeConfig, readConfig } from "./config.ts";

type Source = Readonly<Record<string, string>>;
const read = (source: Source, roles?: string) => readConfig(roles, source);

/** The lines of the complaint, without the dash; throws when the configuration is taken. */
function complaintsOf(source: Source, roles?: string): string[] {
  try {
    read(source, roles);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [heading = "", ...lines] = error.message.split("\n");
    expect(heading).toBe(`The configuration has ${lines.length} mistake(s):`);
    return lines.map((line) => line.replace("  - ", ""));
  }
  throw new Error("it was taken");
}

const keysOf = (complaints: readonly string[]) => complaints.map((line) => line.split(/[.:]/)[0]);

const bad: Source = {
  PORT: "80000",
  HOST: "",
  LOG_LEVEL: "loud",
  DATABASE_URL: "mysql://keelson:hunter2@localhost/keelson",
  DATABASE_REPLICA_URL: "hunter2",
  REDIS_URL: "http://localhost:6379",
  KEELSON_ROLES: "api,kitchen",
  KEELSON_PUBLIC_URL: "keelson.example.com",
  KEELSON_KEK: "aHVudGVyMg==",
  KEELSON_SIGNUP: "maybe",
  KEELSON_ADMIN_EMAIL: "root",
  KEELSON_ADMIN_PASSWORD: "hunter2",
  KEELSON_KEY_PREFIX: "Has Spaces",
  KEELSON_SHUTDOWN_GRACE_MS: "-1",
  KEELSON_STARTUP_WAIT_MS: "soon",
  KEELSON_BODY_BYTES_MAX: "1kB",
  KEELSON_RATE_LIMIT_PER_MINUTE: "0",
  KEELSON_LOGIN_LIMIT_PER_MINUTE: "1.5",
  KEELSON_EVENT_RETENTION_HOURS: "NaN",
  KEELSON_TRUST_PROXY: "perhaps",
  KEELSON_ACCESS_TOKEN_SECONDS: "1",
  KEELSON_REFRESH_TOKEN_SECONDS: "Infinity",
  KEELSON_API_KEYS_MAX: "0",
  KEELSON_PASSWORD_SCORE_MIN: "5",
  KEELSON_PASSWORD_HISTORY: "-1",
  KEELSON_BREACHED_PASSWORDS_URL: "api.pwnedpasswords.com",
  KEELSON_EMAIL_VERIFICATION: "perhaps",
  KEELSON_QUEUE_THREADS: "65",
  KEELSON_SANDBOX_CELLS: "zero",
  KEELSON_SANDBOX_TIMEOUT_MS_MAX: "60001",
  KEELSON_SANDBOX_MEMORY_BYTES_MAX: "16MiB",
  KEELSON_SANDBOX_CODE_BYTES_MAX: "10",
};

describe("what is refused", () => {
  test("every bad value is named at once", () => {
    const expected = Object.keys(bad).filter((key) => key !== "HOST");
    expect(keysOf(complaintsOf(bad)).sort()).toEqual(expected.sort());
  });

  test.each(Object.entries(bad).filter(([key]) => key !== "HOST"))("%s=%s alone", (key, value) => {
    const partner: Source =
      key === "KEELSON_ADMIN_EMAIL"
        ? { KEELSON_ADMIN_PASSWORD: "long enough" }
        : key === "KEELSON_ADMIN_PASSWORD"
          ? { KEELSON_ADMIN_EMAIL: "root@example.com" }
          : {};
    expect(keysOf(complaintsOf({ ...partner, [key]: value }))).toEqual([key]);
  });

  test("unknown KEELSON_ keys are named together with the bad ones; other programs' keys are not ours", () => {
    const source = { KEELSON_PROT: "3000", KEELSON_: "x", KEELSON_ROLE: "api", PORT: "x", PATH: "/bin", NODE_ENV: "production", KEEL: "1" };
    expect(keysOf(complaintsOf(source)).sort()).toEqual(["KEELSON_", "KEELSON_PROT", "KEELSON_ROLE", "PORT"]);
    expect(complaintsOf({ KEELSON_PROT: "1" })).toEqual(["KEELSON_PROT: unknown setting; the command doctor lists the known ones"]);
  });

  test("the complaint says what was expected, and shows no secret", () => {
    const complaints = complaintsOf(bad).join("\n");
    expect(complaints).toContain("DATABASE_URL: expected a URL that begins with postgres:// or postgresql://");
    expect(complaints).toContain("KEELSON_KEK: expected 32 bytes in base64 (make one with: openssl rand -base64 32)");
    expect(complaints).toContain("KEELSON_KEY_PREFIX: expected 1 to 32 of a-z, 0-9, _ and -");
    for (const secret of ["hunter2", "aHVudGVyMg=="]) expect(complaints).not.toContain(secret);
  });

  const email = { KEELSON_ADMIN_EMAIL: "root@example.com" };
  const password = { KEELSON_ADMIN_PASSWORD: "long enough" };
  const sentinels = { REDIS_SENTINELS: "a:26379" };
  const name = { REDIS_SENTINEL_NAME: "main" };
  test.each<readonly [Source, string]>([
    [email, "KEELSON_ADMIN_PASSWORD: KEELSON_ADMIN_EMAIL and KEELSON_ADMIN_PASSWORD go together"],
    [password, "KEELSON_ADMIN_PASSWORD: KEELSON_ADMIN_EMAIL and KEELSON_ADMIN_PASSWORD go together"],
    [{ ...email, KEELSON_ADMIN_PASSWORD: "" }, "KEELSON_ADMIN_PASSWORD: KEELSON_ADMIN_EMAIL and KEELSON_ADMIN_PASSWORD go together"],
    [sentinels, "REDIS_SENTINEL_NAME: REDIS_SENTINELS and REDIS_SENTINEL_NAME go together"],
    [name, "REDIS_SENTINEL_NAME: REDIS_SENTINELS and REDIS_SENTINEL_NAME go together"],
    [{ ...sentinels, ...name, REDIS_URL: "redis://a" }, "REDIS_URL: give REDIS_URL or REDIS_SENTINELS, not both"],
  ])("rules between keys: %j", (source, complaint) => {
    expect(complaintsOf(source)).toEqual([complaint]);
  });

  test("a broken rule does not hide a bad value, nor the other way round", () => {
    expect(keysOf(complaintsOf({ ...email, ...sentinels, PORT: "x" })).sort()).toEqual([
      "KEELSON_ADMIN_PASSWORD",
      "PORT",
      "REDIS_SENTINEL_NAME",
    ]);
  });

  test.each(["nothing", "a", "a:b", "a:1:2", ":1", "a:123456", "a:1,b"])("REDIS_SENTINELS=%s", (value) => {
    expect(keysOf(complaintsOf({ REDIS_SENTINELS: value, REDIS_SENTINEL_NAME: "main" }))).toEqual(["REDIS_SENTINELS"]);
  });

  test("a sentinel's port beyond 65535", () => {
    expect(keysOf(complaintsOf({ REDIS_SENTINELS: "a:99999", REDIS_SENTINEL_NAME: "main" }))).toEqual(["REDIS_SENTINELS"]);
  });

  test.each([",", " , ", "api;queue", "API", "*"])("KEELSON_ROLES=%s", (value) => {
    expect(new Set(keysOf(complaintsOf({ KEELSON_ROLES: value })))).toEqual(new Set(["KEELSON_ROLES"]));
    expect(new Set(keysOf(complaintsOf({}, value)))).toEqual(new Set(["KEELSON_ROLES"]));
  });
});

describe("what is taken", () => {
  test("nothing at all: every role here, on the loopback address, everything embedded", () => {
    const config = read({});
    expect(config).toMatchObject({
      PORT: 3000,
      HOST: "127.0.0.1",
      KEELSON_DATA_DIR: ".keelson",
      KEELSON_SIGNUP: "open",
      LOG_LEVEL: "info",
    });
    expect(config.KEELSON_ROLES).toEqual(["api", "queue", "bus", "sandbox"]);
    expect([config.DATABASE_URL, config.redis, config.KEELSON_TRUST_PROXY]).toEqual([undefined, undefined, 0]);
  });

  test("an empty value is none", () => {
    const empty = Object.fromEntries(Object.keys(bad).map((key) => [key, ""]));
    expect(read(empty)).toEqual(read({}));
  });

  test("--roles goes before KEELSON_ROLES", () => {
    expect(read({ KEELSON_ROLES: "api" }, "queue, bus").KEELSON_ROLES).toEqual(["queue", "bus"]);
  });

  test("numbers at their bounds", () => {
    for (const PORT of ["0", "65535"]) expect(read({ PORT }).PORT).toBe(Number(PORT));
    expect(read({ KEELSON_ACCESS_TOKEN_SECONDS: "30" }).KEELSON_ACCESS_TOKEN_SECONDS).toBe(30);
  });

  test.each([
    ["true", 1],
    ["1", 1],
    ["yes", 1],
    ["on", 1],
    ["false", 0],
    ["0", 0],
    ["no", 0],
    ["off", 0],
    ["3", 3],
  ])("KEELSON_TRUST_PROXY=%s", (value, expected) => {
    expect(read({ KEELSON_TRUST_PROXY: value }).KEELSON_TRUST_PROXY).toBe(expected);
  });

  test("Redis: one, or sentinels with names, IPv4 and IPv6 addresses", () => {
    expect(read({ REDIS_URL: "rediss://user:pw@cache:6380/2" }).redis).toEqual({ kind: "single", url: "rediss://user:pw@cache:6380/2" });
    expect(read({ REDIS_SENTINELS: "a:1, 10.0.0.1:2,[::1]:3,", REDIS_SENTINEL_NAME: "main" }).redis).toEqual({
      kind: "sentinel",
      sentinels: [
        { host: "a", port: 1 },
        { host: "10.0.0.1", port: 2 },
        { host: "[::1]", port: 3 },
      ],
      name: "main",
    });
  });

  test("it is plain frozen data, so threads get it as it is", () => {
    const config = read({ REDIS_SENTINELS: "a:1", REDIS_SENTINEL_NAME: "main" });
    expect(structuredClone(config)).toEqual(config);
    expect(() => Object.assign(config, { PORT: 1 })).toThrow(TypeError);
  });
});

describe("describeConfig", () => {
  const kek = Buffer.alloc(32, 9).toString("base64");
  const config = read({
    DATABASE_URL: "postgres://keelson:hunter2@db/keelson",
    DATABASE_REPLICA_URL: "postgres://keelson:hunter2@replica/keelson?sslpassword=hunter3",
    REDIS_URL: "redis://:hunter2@cache",
    KEELSON_KEK: kek,
    KEELSON_ADMIN_EMAIL: "root@example.com",
    KEELSON_ADMIN_PASSWORD: "hunter2hunter2",
    KEELSON_ROLES: "api",
  });
  const described = new Map(describeConfig(config).map(({ key, value }) => [key, value]));

  test("shows every setting, and each secret that is set as redacted", () => {
    for (const key of ["DATABASE_URL", "DATABASE_REPLICA_URL", "REDIS_URL", "KEELSON_KEK", "KEELSON_ADMIN_PASSWORD"]) {
      expect(described.get(key)).toBe("[redacted]");
    }
    expect([described.get("PORT"), described.get("KEELSON_ADMIN_EMAIL"), described.get("KEELSON_ROLES")]).toEqual([
      "3000",
      "root@example.com",
      '["api"]',
    ]);
    expect([...described.keys()]).toEqual(expect.arrayContaining(Object.keys(bad)));
  });

  test("shows no part of a secret anywhere", () => {
    const text = JSON.stringify([...described]);
    for (const secret of ["hunter", kek]) expect(text).not.toContain(secret);
  });

  test("says of a secret that is not set that it is not set", () => {
    const bare = describeConfig(read({}));
    for (const key of ["DATABASE_URL", "REDIS_URL", "KEELSON_KEK", "KEELSON_ADMIN_PASSWORD"]) {
      expect(bare.find((line) => line.key === key)?.value).toBe("(not set)");
    }
  });
});
