import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { randomToken } from "../app/platform/ids.ts";
import { request } from "./client.ts";
import { startTestCopy } from "./copy.ts";
import { temporaryDataFolder } from "./server-process.ts";
import { emptyPostgres, testPostgres, testRedis } from "./services.ts";

const main = new URL("../app/main.ts", import.meta.url).pathname;
const nowhere = "postgres://keelson:hunter2@127.0.0.1:1/none";
const slowMs = 60_000;

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in `folder` with these settings and nothing else of our environment, to its end. */
async function keelson(folder: string, args: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const child = Bun.spawn([process.execPath, main, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", LOG_LEVEL: "warn", ...settings },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

describe("what is asked for", () => {
  test(
    "an unknown command: exit 2, and which there are",
    async () => {
      await using folder = await temporaryDataFolder();
      for (const args of [["sevre"], ["MIGRATE"], ["toast", "--roles", "api"]]) {
        const { code, out, err } = await keelson(folder.path, args);
        expect([args, code, out]).toEqual([args, 2, ""]);
        expect(err).toStartWith(`keelson: unknown command "${args[0]}"\nusage: keelson [serve | migrate | doctor`);
      }
    },
    slowMs,
  );

  test("an unknown option, a second command, `--roles` without a value: exit 2 and the usage", async () => {
    await using folder = await temporaryDataFolder();
    for (const args of [["--nonsense"], ["migrate", "doctor"], ["serve", "--roles"]]) {
      const { code, err } = await keelson(folder.path, args);
      expect([args, code]).toEqual([args, 2]);
      expect(err).toContain("\nusage: keelson [serve | migrate | doctor");
    }
  });

  test("a name that every object has is an unknown command too", async () => {
    await using folder = await temporaryDataFolder();
    for (const name of ["__proto__", "constructor", "toString"]) expect((await keelson(folder.path, [name])).code).toBe(2);
  });

  test(
    "help and version",
    async () => {
      await using folder = await temporaryDataFolder();
      const { version } = await Bun.file(new URL("../package.json", import.meta.url)).json();
      for (const word of ["help", "--help"]) {
        const { code, out } = await keelson(folder.path, [word]);
        expect([code, out.startsWith("usage: keelson")]).toEqual([0, true]);
      }
      expect(await keelson(folder.path, ["--version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
    },
    slowMs,
  );
});

describe("a bad configuration", () => {
  const bad = { PORT: "none", KEELSON_SIGNUP: "maybe", KEELSON_PROT: "1", DATABASE_URL: "mysql://keelson:hunter2@db/keelson" };

  test.each(["serve", "migrate", "doctor", "openapi", "admin-link"])(
    "%s: exit 1, every bad key named, nothing done",
    async (command) => {
      await using folder = await temporaryDataFolder();
      const { code, out, err } = await keelson(folder.path, [command], bad);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toStartWith("The configuration has 4 mistake(s):\n");
      for (const key of Object.keys(bad)) expect(err).toContain(`\n  - ${key}: `);
      expect(err).not.toContain("hunter2");
      expect(await Array.fromAsync(new Bun.Glob("**/*").scan({ cwd: folder.path, dot: true }))).toEqual([]);
    },
    slowMs,
  );

  test(
    "--roles with a role there is not",
    async () => {
      await using folder = await temporaryDataFolder();
      for (const args of [["--roles", "api,kitchen"], ["--roles=kitchen"], ["serve", "--roles", "kitchen"]]) {
        const { code, err } = await keelson(folder.path, args);
        expect([code, err.includes("KEELSON_ROLES")]).toEqual([1, true]);
      }
    },
    slowMs,
  );

  test(
    ".env is read, and the environment goes before it",
    async () => {
      await using folder = await temporaryDataFolder();
      await Bun.write(`${folder.path}/.env`, "KEELSON_SIGNUP=bogus\nKEELSON_ODD=1\n");
      const wrong = await keelson(folder.path, ["openapi"]);
      expect([wrong.code, wrong.err.includes("KEELSON_SIGNUP"), wrong.err.includes("KEELSON_ODD")]).toEqual([1, true, true]);

      await Bun.write(`${folder.path}/.env`, "KEELSON_SANDBOX_TIMEOUT_MS_MAX=1234\nKEELSON_SIGNUP=bogus\n");
      const { code, out } = await keelson(folder.path, ["openapi"], { KEELSON_SIGNUP: "closed" });
      expect(code).toBe(0);
      expect(JSON.parse(out).components.schemas.ExecutionRequest.properties.timeoutMs.maximum).toBe(1_234);
    },
    slowMs,
  );
});

describe("migrate", () => {
  test(
    "brings an empty database up to date, and then has nothing to do",
    async () => {
      await using folder = await temporaryDataFolder();
      const settings = { DATABASE_URL: await emptyPostgres() };
      const first = await keelson(folder.path, ["migrate"], settings);
      expect([first.code, first.out]).toEqual([0, expect.stringMatching(/^Applied: 0000_core, 0001_bus, /)]);
      expect(await keelson(folder.path, ["migrate"], settings)).toMatchObject({ code: 0, out: "The database is up to date.\n" });
    },
    slowMs,
  );

  test(
    "three at once on an empty database all succeed, and each migration is applied once",
    async () => {
      await using folder = await temporaryDataFolder();
      const settings = { DATABASE_URL: await emptyPostgres() };
      const ended = await Promise.all([1, 2, 3].map(() => keelson(folder.path, ["migrate"], settings)));
      expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
      expect(ended.filter(({ out }) => out.startsWith("Applied: 0000_core"))).toHaveLength(1);
    },
    slowMs,
  );

  test(
    "a database that is not there: exit 1, without its password",
    async () => {
      await using folder = await temporaryDataFolder();
      const { code, out, err } = await keelson(folder.path, ["migrate"], { DATABASE_URL: nowhere });
      expect(code).toBe(1);
      expect(out + err).toMatch(/ECONNREFUSED|refused|reach/i);
      expect(out + err).not.toContain("hunter2");
    },
    slowMs,
  );

  test(
    "with the embedded database, which is stopped again",
    async () => {
      await using folder = await temporaryDataFolder();
      const first = await keelson(folder.path, ["migrate"]);
      expect([first.code, first.out]).toEqual([0, expect.stringMatching(/^Applied: /)]);
      expect(await keelson(folder.path, ["migrate"])).toMatchObject({ code: 0, out: "The database is up to date.\n" });
    },
    slowMs,
  );
});

describe("openapi", () => {
  test(
    "prints what a running copy serves, and needs neither database nor Redis",
    async () => {
      await using folder = await temporaryDataFolder();
      await using running = await startTestCopy();
      const { code, out } = await keelson(folder.path, ["openapi"], { DATABASE_URL: nowhere, REDIS_URL: "redis://127.0.0.1:1" });
      expect(code).toBe(0);
      expect(JSON.parse(out)).toEqual((await request(running.url, "/openapi.json")).body);
      expect(await readdir(folder.path)).toEqual([]);
    },
    slowMs,
  );
});

describe("admin-link", () => {
  const admin = { email: "root@example.com", password: "correct horse battery staple" };

  test(
    "prints a link that works on the running copy and replaces the one before, until there is an administrator",
    async () => {
      await using folder = await temporaryDataFolder();
      await using running = await startTestCopy();
      const { DATABASE_URL = "" } = running.config;
      const settings = { DATABASE_URL, KEELSON_PUBLIC_URL: "https://keelson.example.com" };
      const links = [await keelson(folder.path, ["admin-link"], settings), await keelson(folder.path, ["admin-link"], settings)];
      const tokens = links.map(({ code, out }) => {
        expect(code).toBe(0);
        return /^https:\/\/keelson\.example\.com\/v1\/auth\/setup\?token=([\w-]{32})\n$/.exec(out)?.[1];
      });
      const setUp = (token: string | undefined) => request(running.url, "/v1/auth/setup", { body: { token, ...admin } });
      for (const old of [running.copy.setupToken, tokens[0]]) expect((await setUp(old)).body.code).toBe("invalid_setup_token");
      expect((await setUp(tokens[1])).status).toBe(201);

      const late = await keelson(folder.path, ["admin-link"], settings);
      expect(late).toEqual({ code: 1, out: "", err: "There is an administrator already.\n" });
    },
    slowMs,
  );

  test(
    "works before the first start",
    async () => {
      await using folder = await temporaryDataFolder();
      const { code, out } = await keelson(folder.path, ["admin-link"], { DATABASE_URL: await emptyPostgres(), PORT: "4321" });
      expect([code, out]).toEqual([0, expect.stringMatching(/^http:\/\/127\.0\.0\.1:4321\/v1\/auth\/setup\?token=[\w-]{32}\n$/)]);
    },
    slowMs,
  );
});

describe("doctor", () => {
  const findings = (out: string) =>
    new Map(
      [...out.matchAll(/^ {2}(ok|warning|failed) +(\w+(?: \w+)?) {2,}(.*)$/gm)].map(([, status, what = "", detail]) => [
        what,
        `${status}: ${detail}`,
      ]),
    );

  test(
    "a healthy installation: exit 0, every check ok, the settings with their secrets redacted",
    async () => {
      await using folder = await temporaryDataFolder();
      const redis = await testRedis();
      const settings = {
        DATABASE_URL: await testPostgres(),
        KEELSON_KEK: Buffer.alloc(32, 7).toString("base64"),
        KEELSON_ADMIN_EMAIL: "root@example.com",
        KEELSON_ADMIN_PASSWORD: randomToken(12),
        ...(redis ? { REDIS_URL: redis } : {}),
      };
      const { code, out, err } = await keelson(folder.path, ["doctor"], settings);
      expect([code, err]).toEqual([0, ""]);
      const found = findings(out);
      const expected = ["runtime", "disk", "database server", "database", "migrations", ...(redis ? ["redis"] : [])];
      expect([...found.keys()]).toEqual(expected);
      for (const [what, finding] of found) if (what !== "disk") expect(finding, what).toStartWith("ok: ");
      expect(found.get("database")).toMatch(/PostgreSQL \d+.*max_connections \d+.*clock within \d+ ms/);
      for (const secret of [settings.DATABASE_URL, settings.KEELSON_KEK, settings.KEELSON_ADMIN_PASSWORD, redis]) {
        if (secret !== undefined) expect(out).not.toContain(secret);
      }
      expect(out).toMatch(/KEELSON_ADMIN_EMAIL +root@example\.com/);
      expect(out).toMatch(/DATABASE_URL +\[redacted\]/);
    },
    slowMs,
  );

  test(
    "an empty database: the pending migrations are a warning",
    async () => {
      await using folder = await temporaryDataFolder();
      const { code, out } = await keelson(folder.path, ["doctor"], { DATABASE_URL: await emptyPostgres() });
      expect(code).toBe(0);
      expect(findings(out).get("migrations")).toMatch(/^warning: pending: 0000_core, /);
    },
    slowMs,
  );

  test(
    "a database that is not there: exit 1, named, and the rest is looked at all the same",
    async () => {
      await using folder = await temporaryDataFolder();
      const { code, out, err } = await keelson(folder.path, ["doctor"], { DATABASE_URL: nowhere });
      expect(code).toBe(1);
      expect(findings(out).get("database")).toStartWith("failed: ");
      expect(findings(out).get("runtime")).toStartWith("ok: ");
      expect(out + err).not.toContain("hunter2");
    },
    slowMs,
  );

  test(
    "a Redis that is not there: exit 1, named",
    async () => {
      await using folder = await temporaryDataFolder();
      const settings = { DATABASE_URL: await testPostgres(), REDIS_URL: "redis://:hunter2@127.0.0.1:1" };
      const { code, out, err } = await keelson(folder.path, ["doctor"], settings);
      expect(code).toBe(1);
      expect(findings(out).get("redis")).toStartWith("failed: ");
      expect(findings(out).get("database")).toStartWith("ok: ");
      expect(out + err).not.toContain("hunter2");
    },
    slowMs,
  );

  test(
    "the embedded database: started for the look, and stopped again",
    async () => {
      await using folder = await temporaryDataFolder();
      for (let n = 0; n < 2; n += 1) {
        const { code, out } = await keelson(folder.path, ["doctor"]);
        expect(code).toBe(0);
        expect(findings(out).get("database server")).toBe("ok: embedded");
        expect(findings(out).get("database")).toStartWith("ok: ");
      }
    },
    slowMs,
  );
});
