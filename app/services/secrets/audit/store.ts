import { and, asc, desc, eq, gt, gte, inArray, lt, lte, or, type SQL, sql } from "drizzle-orm";
import { advisoryLocks } from "../../../../db/advisory-locks.ts";
import type { Db, Queryable, Tx } from "../../../../db/client.ts";
import { auditChain, auditCheckpoints, auditKeys, auditLog } from "../../../../db/schema/audit.ts";
import type { AuditEntry } from "./entry.ts";

export type AuditStore = ReturnType<typeof createAuditStore>;
export type AuditKeyRow = typeof auditKeys.$inferSelect;
export type CheckpointRow = typeof auditCheckpoints.$inferSelect;

/** The last link of the chain. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

export interface Link {
  readonly seq: number;
  readonly tx: string;
  readonly hash: string;
  readonly entry: AuditEntry;
}

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
  readonly outcome?: AuditEntry["outcome"] | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** Only what these may see: what the user did, what is addressed to the user, and what is about the teams. */
  readonly visibleTo?: { readonly userId: string | undefined; readonly teams: readonly string[] } | undefined;
}

export interface ChainedEntry extends ChainEnd {
  readonly previousHash: string;
  readonly entry: AuditEntry;
}

const entryColumns = {
  id: auditLog.id,
  at: auditLog.at,
  action: auditLog.action,
  actor: auditLog.actorId,
  subject: auditLog.subject,
  outcome: auditLog.outcome,
  ip: auditLog.ip,
  requestId: auditLog.requestId,
  audience: auditLog.audience,
  tenant: auditLog.tenant,
  data: auditLog.data,
};

export function createAuditStore(db: Db) {
  return {
    /** One links at a time, of all copies. Held until the transaction ends. */
    lock: async (on: Tx): Promise<void> => {
      await on.execute(sql`select pg_advisory_xact_lock(${advisoryLocks.auditChain})`);
    },

    end: async (on: Queryable = db): Promise<(ChainEnd & { readonly tx: string; readonly entryId: string }) | undefined> => {
      const [row] = await on.select().from(auditChain).orderBy(desc(auditChain.seq)).limit(1);
      return row && { ...row, hash: Buffer.from(row.hash).toString("hex") };
    },

    /**
     * The next entries that are in no chain yet, in the order of their transactions. Only those below every transaction that is still under way: what commits
     * later comes after them.
     */
    unchained: async (
      after: { readonly tx: string; readonly entryId: string } | undefined,
      limit: number,
      on: Queryable = db,
    ): Promise<{ readonly tx: string; readonly entry: AuditEntry }[]> => {
      const rows = await on
        .select({ ...entryColumns, tx: sql<string>`${auditLog.tx}::text` })
        .from(auditLog)
        .where(
          and(
            sql`${auditLog.tx} < pg_snapshot_xmin(pg_current_snapshot())`,
            after ? sql`(${auditLog.tx}, ${auditLog.id}) > (${after.tx}::xid8, ${after.entryId})` : undefined,
          ),
        )
        .orderBy(asc(auditLog.tx), asc(auditLog.id))
        .limit(limit);
      return rows.map(({ tx, ...row }) => ({ tx, entry: toEntry(row) }));
    },

    append: async (links: readonly Link[], on: Tx): Promise<void> => {
      const rows = JSON.stringify(links.map(({ seq, tx, hash, entry }) => ({ seq, tx, hash, entry: entry.id })));
      await on.execute(sql`
        insert into audit_chain (seq, entry_id, tx, hash)
        select l.seq, l.entry, l.tx::xid8, decode(l.hash, 'hex')
        from json_to_recordset(${rows}::text::json) as l (seq bigint, tx text, hash text, entry text)`);
    },

    /** Whether something that has been committed is in no chain yet. */
    isBehind: async (): Promise<boolean> => {
      const [row] = await db.execute<{ behind: boolean }>(sql`
        select exists (select from audit_log l
          where (l.tx, l.id) > (coalesce((select tx from audit_chain order by seq desc limit 1), '0'::xid8),
            coalesce((select entry_id from audit_chain order by seq desc limit 1), ''))) as behind`);
      return row?.behind ?? false;
    },

    /** Newest first, chained or not. `before` is an entry's id. */
    list: async (filter: AuditFilter & { readonly before?: string | undefined; readonly limit: number }) => {
      const rows = await db
        .select({ ...entryColumns, seq: auditChain.seq, hash: auditChain.hash })
        .from(auditLog)
        .leftJoin(auditChain, eq(auditChain.entryId, auditLog.id))
        .where(and(...conditionsOf(filter), filter.before === undefined ? undefined : lt(auditLog.id, filter.before)))
        .orderBy(desc(auditLog.id))
        .limit(filter.limit);
      return rows.map(({ seq, hash, ...row }) => ({ ...toEntry(row), seq, hash: hash && Buffer.from(hash).toString("hex") }));
    },

    /** In the order of the chain, after `after` up to `through`. */
    chained: async (
      filter: AuditFilter & { readonly after: number; readonly through: number; readonly limit: number },
    ): Promise<ChainedEntry[]> => {
      const rows = await db
        .select({
          ...entryColumns,
          seq: auditChain.seq,
          hash: auditChain.hash,
          previous: sql<Uint8Array | null>`(select p.hash from audit_chain p where p.seq = ${auditChain.seq} - 1)`,
        })
        .from(auditChain)
        .innerJoin(auditLog, eq(auditLog.id, auditChain.entryId))
        .where(and(gt(auditChain.seq, filter.after), lte(auditChain.seq, filter.through), ...conditionsOf(filter)))
        .orderBy(asc(auditChain.seq))
        .limit(filter.limit);
      return rows.map(({ seq, hash, previous, ...row }) => ({
        seq,
        hash: Buffer.from(hash).toString("hex"),
        previousHash: previous ? Buffer.from(previous).toString("hex") : "0".repeat(64),
        entry: toEntry(row),
      }));
    },

    newestCheckpoint: async (on: Queryable = db): Promise<CheckpointRow | undefined> => {
      const [row] = await on.select().from(auditCheckpoints).orderBy(desc(auditCheckpoints.seq)).limit(1);
      return row;
    },

    insertCheckpoint: async (row: CheckpointRow, on: Queryable): Promise<void> => {
      await on.insert(auditCheckpoints).values(row).onConflictDoNothing();
    },

    newestKey: async (on: Queryable = db): Promise<AuditKeyRow | undefined> => {
      const [row] = await on.select().from(auditKeys).orderBy(desc(auditKeys.createdAt)).limit(1);
      return row;
    },

    key: async (id: string): Promise<AuditKeyRow | undefined> => {
      const [row] = await db.select().from(auditKeys).where(eq(auditKeys.id, id));
      return row;
    },

    insertKey: async (row: AuditKeyRow, on: Queryable): Promise<void> => {
      await on.insert(auditKeys).values(row);
    },
  };
}

type EntryRow = Omit<AuditEntry, "at"> & { readonly at: Date };

/** Its keys are in the order of the schema, as an export has them. */
function toEntry(row: EntryRow): AuditEntry {
  return { ...row, at: row.at.toISOString() };
}

function conditionsOf({ actor, action, subject, outcome, since, until, visibleTo }: AuditFilter): (SQL | undefined)[] {
  return [
    actor === undefined ? undefined : eq(auditLog.actorId, actor),
    action === undefined ? undefined : actionIs(action),
    subject === undefined ? undefined : eq(auditLog.subject, subject),
    outcome === undefined ? undefined : eq(auditLog.outcome, outcome),
    since === undefined ? undefined : gte(auditLog.at, since),
    until === undefined ? undefined : lt(auditLog.at, until),
    visibleTo && visibility(visibleTo),
  ];
}

/** `secret.*` is every action that begins with `secret.`. */
function actionIs(action: string): SQL {
  if (!action.endsWith("*")) return eq(auditLog.action, action);
  return sql`starts_with(${auditLog.action}, ${action.slice(0, -1)})`;
}

function visibility({ userId, teams }: NonNullable<AuditFilter["visibleTo"]>): SQL | undefined {
  const own = userId === undefined ? [] : [eq(auditLog.actorId, userId), eq(auditLog.audience, userId)];
  const ofTeams = teams.length > 0 ? [inArray(auditLog.tenant, [...teams])] : [];
  const all = [...own, ...ofTeams];
  return all.length === 0 ? sql`false` : or(...all);
}
