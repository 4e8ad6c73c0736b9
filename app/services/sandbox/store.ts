import { and, desc, eq, getTableColumns, inArray, isNull, lt } from "drizzle-orm";
import type { Db, Queryable } from "../../../db/client.ts";
import { type CapabilityUse, executions } from "../../../db/schema/sandbox.ts";
import type { ExecutionOutcome } from "../../../sandbox/execution.ts";

export type ExecutionRow = typeof executions.$inferSelect;
/** A page holds many executions, and each of these may hold a megabyte. */
const {
  code: _code,
  input: _input,
  output: _output,
  logs: _logs,
  debug: _debug,
  calls: _calls,
  ...summaryColumns
} = getTableColumns(executions);
export type ExecutionSummaryRow = Omit<ExecutionRow, "code" | "input" | "output" | "logs" | "debug" | "calls">;
export type ExecutionStore = ReturnType<typeof createExecutionStore>;

export interface ExecutionFilter {
  readonly ownerId?: string;
  readonly teamId?: string;
  readonly before?: string;
  readonly limit: number;
}

/** What is written of an execution that has ended. */
export interface ExecutionEnd {
  readonly outcome: ExecutionOutcome;
  readonly calls: readonly CapabilityUse[];
  readonly signature: string | null;
  readonly finishedAt: Date;
}

export function createExecutionStore(db: Db) {
  return {
    insert: async (row: typeof executions.$inferInsert, on: Queryable = db): Promise<ExecutionRow> => {
      const [inserted] = await on.insert(executions).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    /** In the order that they were given. */
    insertAll: async (rows: readonly (typeof executions.$inferInsert)[], on: Queryable): Promise<ExecutionRow[]> => {
      const inserted = await on
        .insert(executions)
        .values([...rows])
        .returning();
      const byId = new Map(inserted.map((row) => [row.id, row]));
      return rows.flatMap(({ id }) => byId.get(id) ?? []);
    },

    find: async (id: string, on: Queryable = db): Promise<ExecutionRow | undefined> => {
      const [row] = await on.select().from(executions).where(eq(executions.id, id));
      return row;
    },

    deleteOwnedBy: async (ownerId: string, on: Queryable): Promise<void> => {
      await on.delete(executions).where(eq(executions.ownerId, ownerId));
    },

    /** What is the owner's own, with all that it holds. */
    ownedBy: (ownerId: string, { before, limit }: { readonly before?: string; readonly limit: number }): Promise<ExecutionRow[]> =>
      db
        .select()
        .from(executions)
        .where(and(belongsTo({ ownerId }), before ? lt(executions.id, before) : undefined))
        .orderBy(desc(executions.id))
        .limit(limit),

    /** What is the user's own, or with `teamId` the team's. */
    list: (filter: ExecutionFilter): Promise<ExecutionSummaryRow[]> =>
      db
        .select(summaryColumns)
        .from(executions)
        .where(and(belongsTo(filter), filter.before ? lt(executions.id, filter.before) : undefined))
        .orderBy(desc(executions.id))
        .limit(filter.limit),

    /** Forgets what ended before a moment, the oldest `limit` at most. Returns how many. */
    forget: async (before: Date, limit: number): Promise<number> => {
      const old = db
        .select({ id: executions.id })
        .from(executions)
        .where(lt(executions.finishedAt, before))
        .orderBy(executions.finishedAt)
        .limit(limit);
      const gone = await db.delete(executions).where(inArray(executions.id, old)).returning({ id: executions.id });
      return gone.length;
    },

    /** Writes the outcome unless one is there already: of two runs of one execution the first to finish counts. */
    finish: async (
      id: string,
      { outcome, calls, signature, finishedAt }: ExecutionEnd,
      on: Queryable,
    ): Promise<ExecutionRow | undefined> => {
      const [row] = await on
        .update(executions)
        .set({ ...outcomeColumns(outcome), calls, receiptSignature: signature, finishedAt })
        .where(and(eq(executions.id, id), eq(executions.status, "queued")))
        .returning();
      return row;
    },
  };
}

/** What an outcome writes into its row. */
export function outcomeColumns(outcome: ExecutionOutcome) {
  return {
    status: outcome.status,
    output: outcome.output,
    error: outcome.error ?? null,
    logs: outcome.logs,
    receipt: outcome.receipt,
    debug: outcome.debug ?? null,
  };
}

function belongsTo({ ownerId, teamId }: Pick<ExecutionFilter, "ownerId" | "teamId">) {
  if (teamId !== undefined) return eq(executions.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(executions.ownerId, ownerId), isNull(executions.teamId));
}
