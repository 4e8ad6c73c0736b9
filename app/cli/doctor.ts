import { statfs } from "node:fs/promises";
import { openDatabase } from "../../db/client.ts";
import { migrationState } from "../../db/migrate.ts";
import { type Config, describeConfig } from "../config.ts";
import { borrowDatabaseServer, type DatabaseServer } from "../database-server.ts";
import type { CommandOptions } from "../main.ts";
import { connectionBudget } from "../platform/connection-budget.ts";
import { openDataFolder } from "../platform/data-folder.ts";
import { redisVersion } from "../platform/substrate.ts";
import { withConfig } from "./configure.ts";

/** One thing looked at. A `warning` works but wants attention; a `failed` keeps a copy from working. */
interface Finding {
  readonly what: string;
  readonly status: "ok" | "warning" | "failed";
  readonly detail: string;
}

const clockSkewMsMax = 2_000;
const freeBytesMin = 1024 ** 3;

/** Prints the effective settings and looks at every dependency: reachable, version, migrations, clock, disk. Exit code 1 when one fails. */
export function run(options: CommandOptions): Promise<number> {
  return withConfig(options, async (config, log) => {
    console.log("Configuration");
    for (const { key, value } of describeConfig(config)) console.log(`  ${key.padEnd(34)} ${value}`);

    const findings: Finding[] = [];
    const look = async (what: string, check: () => Promise<Omit<Finding, "what">>) => {
      findings.push({ what, ...(await check().catch((error: unknown) => ({ status: "failed" as const, detail: describe(error) }))) });
    };
    await look("runtime", async () => ({
      status: "ok",
      detail: `Bun ${Bun.version} on ${process.platform} ${process.arch}, ${navigator.hardwareConcurrency} cores`,
    }));
    await look("disk", () => checkDisk(config));
    const folder = await openDataFolder(config.KEELSON_DATA_DIR, { log });
    let server: DatabaseServer | undefined;
    await look("database server", async () => {
      server = await borrowDatabaseServer({ config, folder, log });
      return { status: "ok", detail: server.kind };
    });
    if (server) {
      const { url } = server;
      await look("database", () => checkDatabase(url, config));
      await look("migrations", () => checkMigrations(url));
    }
    const { redis } = config;
    if (redis) await look("redis", async () => checkRedisVersion(await redisVersion(redis)));
    await server?.stop();

    console.log("\nChecks");
    for (const { what, status, detail } of findings) console.log(`  ${status.padEnd(8)} ${what.padEnd(16)} ${detail}`);
    return findings.some(({ status }) => status === "failed") ? 1 : 0;
  });
}

async function checkDisk(config: Config): Promise<Omit<Finding, "what">> {
  const { bavail, bsize } = await statfs(config.KEELSON_DATA_DIR).catch(() => statfs("."));
  const free = bavail * bsize;
  return {
    status: free < freeBytesMin ? "warning" : "ok",
    detail: `${(free / 1024 ** 3).toFixed(1)} GiB free for ${config.KEELSON_DATA_DIR}`,
  };
}

/** Reachable, new enough, enough connections, and a clock that agrees with ours: leases and expiries compare the two. */
async function checkDatabase(url: string, config: Config): Promise<Omit<Finding, "what">> {
  const database = openDatabase({ url, connectionsMax: 1, applicationName: "keelson doctor" });
  try {
    const asked = Date.now();
    const [row] = await database.sql<{ version: string; major: number; connections: number; now: string }[]>`
      select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major,
        current_setting('max_connections')::int as connections, clock_timestamp() as now`;
    if (!row) throw new Error("no answer");
    const skewMs = Math.abs(+new Date(row.now) - (asked + Date.now()) / 2);
    const budget = connectionBudget(config).total;
    const complaints = [
      ...(row.major < 14 ? ["PostgreSQL 14 or newer is needed"] : []),
      ...(row.connections < budget ? [`this copy may need ${budget} connections`] : []),
      ...(skewMs > clockSkewMsMax ? [`its clock differs by ${Math.round(skewMs)} ms`] : []),
    ];
    const facts = `PostgreSQL ${row.version}, max_connections ${row.connections}, budget of one copy ${budget}, clock within ${Math.ceil(skewMs)} ms`;
    return { status: row.major < 14 ? "failed" : complaints.length > 0 ? "warning" : "ok", detail: [facts, ...complaints].join("; ") };
  } finally {
    await database.close();
  }
}

async function checkMigrations(url: string): Promise<Omit<Finding, "what">> {
  const { applied, pending } = await migrationState(url);
  if (pending.length === 0) return { status: "ok", detail: `${applied.length} applied` };
  return { status: "warning", detail: `pending: ${pending.join(", ")} (applied at the next start, or by: keelson migrate)` };
}

function checkRedisVersion(version: string): Omit<Finding, "what"> {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const enough = major > 6 || (major === 6 && minor >= 2);
  return { status: enough ? "ok" : "failed", detail: `Redis ${version}${enough ? "" : "; 6.2 or newer is needed"}` };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
