import { createHash } from "node:crypto";
import postgres, { type Sql } from "postgres";
import { advisoryLocks } from "./advisory-locks.ts";
import { type Migration, migrations } from "./migrations/index.ts";

/** One key per database: copies that start together queue up behind each other here. */

export interface MigrationState {
  readonly applied: readonly string[];
  readonly pending: readonly string[];
}

/**
 * Applies what is missing, each migration in its own transaction, under an advisory lock.
 * Throws when an applied migration differs from ours (an edited file) or when the database is ahead of this program.
 */
export async function migrate(databaseUrl: string): Promise<readonly string[]> {
  return withConnection(databaseUrl, async (sql) => {
    await sql`select pg_advisory_lock(${advisoryLocks.migrate})`;
    await sql`create table if not exists keelson_migrations (
      name text primary key, checksum text not null, applied_at timestamptz not null default now())`;
    const pending = await findPending(sql);
    for (const migration of pending) {
      await sql.begin(async (tx) => {
        await tx.unsafe(migration.sql);
        await tx`insert into keelson_migrations (name, checksum) values (${migration.name}, ${checksum(migration)})`;
      });
    }
    return pending.map((migration) => migration.name);
  });
}

/** What a `migrate` would do, without doing it. */
export async function migrationState(databaseUrl: string): Promise<MigrationState> {
  return withConnection(databaseUrl, async (sql) => {
    const [table] = await sql`select to_regclass('keelson_migrations') as name`;
    const pending = table?.name ? await findPending(sql) : migrations;
    const names = new Set(pending.map((migration) => migration.name));
    return { applied: migrations.map((migration) => migration.name).filter((name) => !names.has(name)), pending: [...names] };
  });
}

async function findPending(sql: Sql): Promise<readonly Migration[]> {
  const rows = await sql<{ name: string; checksum: string }[]>`select name, checksum from keelson_migrations`;
  const applied = new Map(rows.map((row) => [row.name, row.checksum]));
  for (const migration of migrations) {
    const known = applied.get(migration.name);
    if (known !== undefined && known !== checksum(migration)) {
      throw new Error(`Migration ${migration.name} was applied in another version. Never edit an applied migration: add a new one.`);
    }
    applied.delete(migration.name);
  }
  if (applied.size > 0) {
    throw new Error(`The database is ahead of this program: it has ${[...applied.keys()].join(", ")}. Run the newer version.`);
  }
  const done = new Set(rows.map((row) => row.name));
  return migrations.filter((migration) => !done.has(migration.name));
}

function checksum(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}

/** One connection of its own, because advisory locks belong to a session; closing it releases them. */
async function withConnection<T>(databaseUrl: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 5, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
