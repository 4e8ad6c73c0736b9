import { and, asc, desc, eq, getTableColumns, gt, gte, inArray, lt, lte, or, type SQL, sql } from "drizzle-orm";
import { advisoryLocks } from "../../../../db/advisory-locks.ts";
import type { Db, Queryable, Tx } from "../../../../db/client.ts";
import { auditChain, auditCheckpoints, auditKeys, auditLog } from "../../../../db/schema/audit.ts";
import { type AuditEntry, noHash } from "./entry.ts";

export type AuditStore = ReturnType<typeof createAuditStore>;
export type AuditKeyRow = typeof auditKeys.$inferSelect;
export type CheckpointRow = typeof auditCheckpoints.$inferSelect;

/** The last link of the chain. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
}

/** Where the chain goes on. */
export interface ChainPosition extends ChainEnd {
  readonly tx: string;
  readonly entryId: string;
  /**
   * Whether its transaction is one that this database has not had yet: the trail came from another one, as a dump does, and its transactions say
   * nothing about the order of what comes now.
   */
  readonly fromElsewhere: boolean;
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

    end: async (on: Queryable = db): Promise<ChainPosition | undefined> => {
      const [row] = await on
        .select({ ...getTableColumns(auditChain), fromElsewhere: sql<boolean>`${auditChain.tx} >= ${oldestUnderWay}` })
        .from(auditChain)
        .orderBy(desc(auditChain.seq))
        .limit(1);
      return row && { ...row, hash: Buffer.from(row.hash).toString("hex") };
    },

    /**
     * The next entries that are in no chain yet, in the order of their transactions. Only those below every transaction that is still under way: what commits
     * later comes after them. What came from elsewhere goes first, as all of it is older.
     */
    unchained: async (
      end: ChainPosition | undefined,
      limit: number,
      on: Queryable = db,
    ): Promise<{ readonly tx: string; readonly entry: AuditEntry }[]> => {
      const cameFromElsewhere = sql`${auditLog.tx} >= pg_snapshot_xmax(pg_current_snapshot())`;
      const isSettled = sql`${auditLog.tx} < ${oldestUnderWay}`;
      const isFollowing = end !== undefined && !end.fromElsewhere;
      const rows = await on
        .select({ ...entryColumns, tx: sql<string>`${auditLog.tx}::text` })
        .from(auditLog)
        .where(and(isFollowing ? isSettled : or(isSettled, cameFromElsewhere), ...isPending(end)))
        .orderBy(...(isFollowing ? [] : [desc(cameFromElsewhere)]), asc(auditLog.tx), asc(auditLog.id))
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

    /** The last one of what has been committed and is in no chain yet: when it is chained all of that is. */
    newestPending: async (end: ChainPosition | undefined, on: Queryable = db): Promise<string | undefined> => {
      const [row] = await on
        .select({ id: auditLog.id })
        .from(auditLog)
        .where(and(...isPending(end)))
        .orderBy(desc(auditLog.tx), desc(auditLog.id))
        .limit(1);
      return row?.id;
    },

    isChained: async (entryId: string): Promise<boolean> => {
      const [row] = await db.select({ seq: auditChain.seq }).from(auditChain).where(eq(auditChain.entryId, entryId));
      return row !== undefined;
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
        previousHash: previous ? Buffer.from(previous).toString("hex") : noHash,
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

const oldestUnderWay = sql`pg_snapshot_xmin(pg_current_snapshot())`;

/** In no chain. A look-up for each row, never a join of both tables: while the chain goes on only what comes after its end is looked at. */
function isPending(end: ChainPosition | undefined): SQL[] {
  const isAfter = end && !end.fromElsewhere ? [sql`(${auditLog.tx}, ${auditLog.id}) > (${end.tx}::xid8, ${end.entryId})`] : [];
  return [...isAfter, sql`(select c.seq from audit_chain c where c.entry_id = ${auditLog.id}) is null`];
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
