import { and, desc, eq, getTableColumns, isNull, lt, sql } from "drizzle-orm";
import type { Db } from "../../../../db/client.ts";
import { tasks } from "../../../../db/schema/tasks.ts";
import type { TaskStatus } from "../states.ts";
import type { TaskOwnership, TaskRow, TaskSummaryRow } from "../store.ts";

export type LongRunningQueue = "run-start" | "swarm-execution" | "import-user-data";
export type LongRunningStore = ReturnType<typeof createLongRunningStore>;

export interface LongRunningFilter extends TaskOwnership {
  readonly queue: LongRunningQueue;
  readonly status?: TaskStatus;
  /** The last task id of the page before. */
  readonly before?: string;
  readonly limit: number;
}

const { input: _input, result: _result, checkpoint: _checkpoint, ...summaryColumns } = getTableColumns(tasks);
/** Written out and not as a parameter, so that a plan for any parameters may use the partial indexes. */
const queueIs = {
  "run-start": sql`${tasks.queue} = 'run-start'`,
  "swarm-execution": sql`${tasks.queue} = 'swarm-execution'`,
  "import-user-data": sql`${tasks.queue} = 'import-user-data'`,
} as const;

/** Tasks seen as runs, swarms and imports: few among many others of their owner. */
export function createLongRunningStore(db: Db) {
  return {
    find: async (queue: LongRunningQueue, id: string): Promise<TaskRow | undefined> => {
      const [row] = await db
        .select()
        .from(tasks)
        .where(and(eq(tasks.id, id), queueIs[queue]));
      return row;
    },

    list: (filter: LongRunningFilter): Promise<TaskSummaryRow[]> =>
      db
        .select(summaryColumns)
        .from(tasks)
        .where(
          and(
            belongsTo(filter),
            queueIs[filter.queue],
            filter.status ? eq(tasks.status, filter.status) : undefined,
            filter.before ? lt(tasks.id, filter.before) : undefined,
          ),
        )
        .orderBy(desc(tasks.id))
        .limit(filter.limit),
  };
}

function belongsTo({ ownerId, teamId }: TaskOwnership) {
  if (teamId !== undefined) return eq(tasks.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(tasks.ownerId, ownerId), isNull(tasks.teamId));
}
