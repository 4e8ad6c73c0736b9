import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chown, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { openDataFolder } from "../../app/platform/data-folder.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../app/platform/embedded-postgres/start.ts";
import { testLogger } from "../services.ts";
import { until } from "../until.ts";

const log = testLogger("embedded-postgres");
const timeoutMs = 60_000;
const root = await mkdtemp(join(tmpdir(), "keelson-embedded-postgres-"));
const path = join(root, "data");
const pidFile = join(path, "database", "postmaster.pid");
afterAll(() => rm(root, { recursive: true, force: true }));

const start = async (): Promise<EmbeddedPostgres> => {
  const folder = await openDataFolder(path, { log });
  return await startEmbeddedPostgres({ folder, connectionsMax: 20, log });
};

async function query<T extends postgres.Row[]>(url: string, text: string): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    return await sql.unsafe<T>(text);
  } finally {
    await sql.end();
  }
}

const count = async (url: string): Promise<number> => (await query<[{ n: number }]>(url, "SELECT count(*)::int AS n FROM kept"))[0].n;

/** Not `kill(pid, 0)`: an orphan that ended keeps its pid until init collects it. */
function isAlive(pid: number): boolean {
  const ps = Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)]);
  return /^[^Z\s]/.test(ps.stdout.toString().trim());
}

/** A copy in a process of its own, for killing. */
async function startElsewhere(): Promise<{ url: string; pid: number; copy: Bun.Subprocess }> {
  const copy = Bun.spawn([process.execPath, join(import.meta.dir, "hold-database.ts"), path], { stdout: "pipe", stderr: "inherit" });
  const { value } = await copy.stdout.getReader().read();
  const said: { url: string; pid: number } = JSON.parse(new TextDecoder().decode(value));
  return { ...said, copy };
}

beforeAll(async () => {
  const database = await start();
  await query(database.url, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)");
  await database.stop();
}, timeoutMs);

describe("start and stop", () => {
  test(
    "a later start reuses the data; the role is no superuser and text is UTF-8",
    async () => {
      const database = await start();
      expect(await count(database.url)).toBe(1);
      expect(database.version).toStartWith("18.");
      const [row] = await query(
        database.url,
        "SELECT rolsuper, lower('ÄÖ') AS lower, current_setting('server_encoding') AS encoding FROM pg_roles WHERE rolname = current_user",
      );
      expect(row).toEqual({ rolsuper: false, lower: "äö", encoding: "UTF8" });
      await Promise.all([database.stop(), database.stop()]);
      await database.stop();
      expect(database.pid()).toBeUndefined();
      await expect(stat(pidFile)).rejects.toThrow("ENOENT");
    },
    timeoutMs,
  );

  test(
    "a second copy is refused by the pid of the first, which goes on",
    async () => {
      const database = await start();
      await expect(start()).rejects.toThrow(
        `Another copy (pid ${process.pid}) is using the data folder ${path}. Stop it, or set KEELSON_DATA_DIR`,
      );
      expect(await count(database.url)).toBe(1);
      await database.stop();
    },
    timeoutMs,
  );

  test(
    "only the password of the data folder opens it",
    async () => {
      const database = await start();
      const wrong = new URL(database.url);
      wrong.password = "wrong";
      await expect(query(wrong.href, "SELECT 1")).rejects.toThrow("password authentication failed");
      wrong.username = "postgres";
      await expect(query(wrong.href, "SELECT 1")).rejects.toThrow("no pg_hba.conf entry");
      await database.stop();
    },
    timeoutMs,
  );

  test(
    "a lost password file is explained, and the copy that failed leaves nothing running",
    async () => {
      const secret = join(path, "secrets", "database-password");
      const kept = await Bun.file(secret).text();
      await rm(secret);
      await expect(start()).rejects.toThrow("has another password than the file");
      await Bun.write(secret, kept);
      const database = await start();
      expect(await count(database.url)).toBe(1);
      await database.stop();
    },
    timeoutMs,
  );
});

describe("crashes", () => {
  test(
    "kill -9 of the copy stops its server, and the data survives",
    async () => {
      const { url, pid, copy } = await startElsewhere();
      await query(url, "INSERT INTO kept VALUES (2)");
      copy.kill("SIGKILL");
      await until("the server is gone", () => !isAlive(pid));
      const database = await start();
      expect(await count(database.url)).toBe(2);
      await database.stop();
    },
    timeoutMs,
  );

  test(
    "kill -9 of the copy and of its server at once: the next start recovers",
    async () => {
      const { url, pid, copy } = await startElsewhere();
      await query(url, "INSERT INTO kept VALUES (3)");
      process.kill(pid, "SIGKILL");
      copy.kill("SIGKILL");
      await copy.exited;
      const database = await start();
      expect(await count(database.url)).toBe(3);
      await database.stop();
    },
    timeoutMs,
  );

  test(
    "a server that outlived its copy is stopped before the next one starts",
    async () => {
      const { pid, copy } = await startElsewhere();
      // A stopped process cannot act on the guard's signal yet: the next copy meets it alive.
      process.kill(pid, "SIGSTOP");
      copy.kill("SIGKILL");
      await copy.exited;
      const starting = start();
      process.kill(pid, "SIGCONT");
      const database = await starting;
      expect(isAlive(pid)).toBe(false);
      expect(await count(database.url)).toBe(3);
      await database.stop();
    },
    timeoutMs,
  );

  test(
    "a server killed by somebody comes back on the same port",
    async () => {
      const database = await start();
      const killed = database.pid();
      if (killed === undefined) throw new Error("no server");
      process.kill(killed, "SIGKILL");
      const next = await until("another server runs", () => (database.pid() === killed ? undefined : database.pid()));
      expect(next).not.toBe(killed);
      expect(await count(database.url)).toBe(3);
      await database.stop();
      expect(isAlive(next)).toBe(false);
    },
    timeoutMs,
  );

  test(
    "stop during a restart leaves nothing running",
    async () => {
      const database = await start();
      const killed = database.pid();
      if (killed === undefined) throw new Error("no server");
      process.kill(killed, "SIGKILL");
      await until("the death was noticed", () => database.pid() === undefined);
      await database.stop();
      expect(database.pid()).toBeUndefined();
      const again = await start();
      expect(await count(again.url)).toBe(3);
      await again.stop();
    },
    timeoutMs,
  );

  test(
    "killed while the database is being made: the next start makes it anew",
    async () => {
      const half = join(root, "half");
      const copy = Bun.spawn([process.execPath, join(import.meta.dir, "hold-database.ts"), half], { stdout: "ignore", stderr: "ignore" });
      await until("initdb is at work", async () =>
        (await readdir(half).catch(() => [])).some((entry) => entry.startsWith("database.new-")),
      );
      copy.kill("SIGKILL");
      await copy.exited;
      expect(await readdir(half)).not.toContain("database");
      const database = await startEmbeddedPostgres({ folder: await openDataFolder(half, { log }), connectionsMax: 20, log });
      await database.stop();
      expect((await readdir(half)).filter((entry) => entry.startsWith("database"))).toEqual(["database"]);
    },
    timeoutMs,
  );
});

describe("a stale postmaster.pid", () => {
  const bystander = Bun.spawn(["sleep", "600"], process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {});
  afterAll(() => bystander.kill());

  test.each([
    { names: "a process that is dead", text: () => `${2 ** 22 - 7}\n${path}/database\n0\n5432\n` },
    { names: "a live process that is not ours", text: () => `${bystander.pid}\n${path}/database\n0\n5432\n` },
    { names: "this very process", text: () => `${process.pid}\n${path}/database\n0\n5432\n` },
    { names: "nothing", text: () => "" },
  ])(
    "that names $names is not fatal",
    async ({ text }) => {
      const { uid, gid } = await stat(join(path, "database"));
      await Bun.write(pidFile, text());
      await chown(pidFile, uid, gid);
      const database = await start();
      expect(await count(database.url)).toBe(3);
      await database.stop();
      expect(bystander.killed).toBe(false);
    },
    timeoutMs,
  );
});

test.skipIf(process.getuid?.() !== 0)(
  "root: works below a folder that the server's account may not enter",
  async () => {
    const closed = join(root, "closed");
    await mkdir(closed, { mode: 0o700 });
    const database = await startEmbeddedPostgres({ folder: await openDataFolder(join(closed, "data"), { log }), connectionsMax: 20, log });
    expect((await stat(`/proc/${database.pid()}`)).uid).not.toBe(0);
    await database.stop();
  },
  timeoutMs,
);
