import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boot, type Copy } from "../app/boot.ts";
import { type Config, readConfig } from "../app/config.ts";
import { randomToken } from "../app/platform/ids.ts";
import { testLogger, testPostgres, testRedis } from "./services.ts";

export type Substrate = "postgres" | "redis";

/** The substrates that can be tested on this machine. */
export async function substrates(): Promise<Substrate[]> {
  return (await testRedis()) === undefined ? ["postgres"] : ["postgres", "redis"];
}

/** One for all, so that copies can share a database. */
const testKek = Buffer.alloc(32, 1).toString("base64");

/** A whole copy on a free port, with a database and key prefix of its own. Dispose it at the end. */
export interface TestCopy extends AsyncDisposable {
  readonly copy: Copy;
  readonly config: Config;
  readonly url: string;
}

export async function startTestCopy(substrate: Substrate = "postgres", settings: Readonly<Record<string, string>> = {}): Promise<TestCopy> {
  const folder = await mkdtemp(join(tmpdir(), "keelson-copy-"));
  const redis = substrate === "redis" ? await testRedis() : undefined;
  const config = readConfig(undefined, {
    PORT: "0",
    LOG_LEVEL: process.env.KEELSON_TEST_LOG === undefined ? "silent" : "debug",
    DATABASE_URL: settings.DATABASE_URL ?? (await testPostgres()),
    ...(redis ? { REDIS_URL: redis } : {}),
    KEELSON_DATA_DIR: folder,
    KEELSON_KEK: testKek,
    KEELSON_KEY_PREFIX: `test-${randomToken(6)
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, "x")}`,
    KEELSON_SHUTDOWN_GRACE_MS: "5000",
    KEELSON_SANDBOX_CELLS: "2",
    ...settings,
  });
  const copy = await boot(config, testLogger("main"));
  if (copy.url === undefined) throw new Error("a test copy needs the api role");
  return {
    copy,
    config,
    url: copy.url,
    [Symbol.asyncDispose]: async () => {
      await copy.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
