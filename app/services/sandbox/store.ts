import { and, desc, eq, getTableColumns, isNull, lt } from "drizzle-orm";
import type { Db, Queryable } from "../../../db/client.ts";
import { executions } from "../../../db/schema/sandbox.ts";
import type { ExecutionOutcome } from "../../../sandbox/execution.ts";

export type ExecutionRow = typeof executions.$inferSelect;
/** A page holds many executions, and each of these may hold a megabyte. */
const { code: _code, input: _input, output: _output, logs: _logs, ...summaryColumns } = getTableColumns(executions);
export type ExecutionSummaryRow = Omit<ExecutionRow, "code" | "input" | "output" | "logs">;
export type ExecutionStore = ReturnType<typeof createExecutionStore>;

export interface ExecutionFilter {
  readonly ownerId?: string;
  readonly teamId?: string;
  readonly before?: string;
  readonly limit: number;
}

export function createExecutionStore(db: Db) {
  return {
    insert: async (row: typeof executions.$inferInsert, on: Queryable = db): Promise<ExecutionRow> => {
      const [inserted] = await on.insert(executions).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
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

    /** Writes the outcome unless one is there already: of two runs of one execution the first to finish counts. */
    finish: async (
      id: string,
      end: { readonly outcome: ExecutionOutcome; readonly finishedAt: Date },
      on: Queryable,
    ): Promise<ExecutionRow | undefined> => {
      const [row] = await on
        .update(executions)
        .set({ ...outcomeColumns(end.outcome), finishedAt: end.finishedAt })
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
  };
}

function belongsTo({ ownerId, teamId }: Pick<ExecutionFilter, "ownerId" | "teamId">) {
  if (teamId !== undefined) return eq(executions.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(executions.ownerId, ownerId), isNull(executions.teamId));
}
