import { beforeAll, describe, expect, test } from "bun:test";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dir, "..", "..");

interface Example {
  readonly file: string;
  readonly line: string;
}

/** Lines that break a layer rule where they stand, and what the rule must say instead. */
const refused: readonly (Example & { readonly says: string })[] = [
  { file: "app/services/auth/routes.ts", line: 'import { eq } from "drizzle-orm";', says: "add a function to the store" },
  { file: "app/services/auth/routes.ts", line: 'import { Queue } from "bullmq";', says: "define a job in jobs.ts" },
  { file: "app/services/auth/routes.ts", line: 'import { Redis } from "ioredis";', says: "Redis is used behind the ports" },
  {
    file: "app/services/auth/routes.ts",
    line: 'import { openDatabase } from "../../../db/client.ts";',
    says: "Routes do not see the database",
  },
  { file: "app/services/auth/routes.ts", line: 'import { createAuthStore } from "./store.ts";', says: "Routes do not see the store" },
  { file: "app/services/auth/service.ts", line: 'import { Hono } from "hono";', says: "Services know nothing of HTTP" },
  { file: "app/services/auth/service.ts", line: 'import type { Context } from "hono";', says: "Services know nothing of HTTP" },
  { file: "app/services/auth/service.ts", line: 'import { z } from "@hono/zod-openapi";', says: "Services know nothing of HTTP" },
  { file: "app/services/auth/service.ts", line: 'import { eq } from "drizzle-orm";', says: "add a function to the store" },
  { file: "app/services/auth/service.ts", line: 'import { Queue } from "bullmq";', says: "define a job in jobs.ts" },
  { file: "app/services/auth/service.ts", line: 'import { createX } from "../tasks/service.ts";', says: "handed to it in app/boot.ts" },
  {
    file: "app/services/auth/service/login.ts",
    line: 'import { createMiddleware } from "hono/factory";',
    says: "Services know nothing of HTTP",
  },
  {
    file: "app/services/auth/service/login.ts",
    line: 'import { createX } from "../../tasks/service.ts";',
    says: "handed to it in app/boot.ts",
  },
  { file: "app/http/guards.ts", line: 'import { sql } from "drizzle-orm";', says: "add a function to the store" },
  { file: "app/boot.ts", line: 'import { sql } from "drizzle-orm/postgres-js";', says: "add a function to the store" },
  { file: "workers/queue-thread.ts", line: 'import { sql } from "drizzle-orm";', says: "add a function to the store" },
  {
    file: "app/services/auth/service.ts",
    line: 'import { createH } from "./handlers.ts";',
    says: "Job handlers run in a queue thread only",
  },
  { file: "app/boot.ts", line: 'import { createH } from "./services/auth/handlers.ts";', says: "Job handlers run in a queue thread only" },
  { file: "sandbox/engine.ts", line: 'import { createLogger } from "../app/platform/logger.ts";', says: "sandbox/ is a leaf" },
  { file: "sandbox/engine.ts", line: 'import { openChannel } from "../workers/channel.ts";', says: "sandbox/ is a leaf" },
  { file: "sandbox/engine.ts", line: 'import type { Db } from "../db/client.ts";', says: "sandbox/ is a leaf" },
  {
    file: "db/client.ts",
    line: 'import { createX } from "../app/services/auth/service.ts";',
    says: "db/ knows nothing of the services above it",
  },
  { file: "app/services/auth/jobs.ts", line: 'import { createAuthStore } from "./store.ts";', says: "hold contracts, which are data" },
  {
    file: "app/services/auth/events.ts",
    line: 'import { createX } from "../../platform/outbox.ts";',
    says: "hold contracts, which are data",
  },
  { file: "app/services/auth/jobs.ts", line: "export function work() {}", says: "what a job does belongs in handlers.ts" },
  { file: "app/services/auth/events.ts", line: "export const work = () => 1;", says: "what a job does belongs in handlers.ts" },
  { file: "workers/supervisor.ts", line: 'new Worker("./thread.ts", {});', says: "use spawnThread()" },
  { file: "app/boot.ts", line: 'new Worker(new URL("./thread.ts", import.meta.url));', says: "use spawnThread()" },
  { file: "app/boot.ts", line: "export const port = process.env.PORT;", says: "process.env" },
  { file: "workers/queue-thread.ts", line: "export const port = Bun.env.PORT;", says: "read in app/config.ts only" },
];

/** What the rules must leave alone: the nearest neighbours of the above. */
const allowed: readonly Example[] = [
  { file: "app/services/auth/routes.ts", line: 'import { createRoute } from "@hono/zod-openapi";' },
  { file: "app/services/auth/schema.ts", line: 'import { z } from "@hono/zod-openapi";' },
  { file: "app/services/auth/service.ts", line: 'import type { z } from "zod";' },
  { file: "app/services/auth/service.ts", line: 'import type { TaskProducer } from "../tasks/record/create.ts";' },
  { file: "app/services/auth/store.ts", line: 'import { eq } from "drizzle-orm";' },
  { file: "app/services/auth/store.ts", line: 'import { users } from "../../../db/schema/auth.ts";' },
  { file: "app/platform/outbox-relay.ts", line: 'import { asc } from "drizzle-orm";' },
  { file: "app/services/auth/jobs.ts", line: 'import { defineJob } from "../../platform/queue/job.ts";' },
  { file: "app/services/auth/events.ts", line: 'import { taskEventTypes } from "../../../db/schema/tasks.ts";' },
  { file: "workers/job-handlers.ts", line: 'import { createH } from "../app/services/auth/handlers.ts";' },
  { file: "workers/spawn.ts", line: 'new Worker("./thread.ts", {});' },
  { file: "app/platform/queue/redis.ts", line: 'new Worker("email-send", process, {});' },
  { file: "app/config.ts", line: "export const source = process.env;" },
];

/** What Biome says of each case, by file and line; one run for all. */
let said: ReadonlyMap<string, string> = new Map();

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "keelson-layers-"));
  try {
    await cp(join(root, "scripts", "lint"), join(folder, "scripts", "lint"), { recursive: true });
    await cp(join(root, "biome.json"), join(folder, "biome.json"));
    await cp(join(root, ".gitignore"), join(folder, ".gitignore"));
    for (const [file, lines] of Map.groupBy([...refused, ...allowed], ({ file }) => file)) {
      await Bun.write(join(folder, file), `${lines.map(({ line }) => line).join("\n")}\n`);
    }
    said = await lint(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

describe("the layers of STYLE.md are lint errors", () => {
  test.each([...refused])("$file: $line", (example) => {
    expect(said.get(addressOf(example)) ?? "nothing").toContain(example.says);
  });

  test.each([...allowed])("allowed in $file: $line", (example) => {
    expect(said.get(addressOf(example)) ?? "nothing").not.toMatch(/noRestrictedImports|noProcessEnv|plugin/);
  });
});

/** The lines of a file are its cases, in the order of the tables. */
function addressOf({ file, line }: Example): string {
  const lines = [...refused, ...allowed].filter((other) => other.file === file);
  return `${file}:${lines.findIndex((other) => other.line === line) + 1}`;
}

async function lint(folder: string): Promise<Map<string, string>> {
  const biome = Bun.spawn([join(root, "node_modules", ".bin", "biome"), "lint", "--reporter=github", "--max-diagnostics=none"], {
    cwd: folder,
    stdout: "pipe",
    stderr: "inherit",
  });
  const answers = new Map<string, string>();
  for (const { groups } of (await biome.stdout.text()).matchAll(
    /^::error title=(?<rule>[^,]*),file=(?<file>[^,]*),line=(?<line>\d+),[^:]*::(?<message>.*)$/gm,
  )) {
    const address = `${groups?.file?.replace(`${folder}/`, "")}:${groups?.line}`;
    answers.set(address, `${answers.get(address) ?? ""}${groups?.rule}: ${groups?.message}\n`);
  }
  return answers;
}
