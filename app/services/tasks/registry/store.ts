import { eq, sql } from "drizzle-orm";
import type { Db } from "../../../../db/client.ts";
import { type TaskUse, tasks, workers } from "../../../../db/schema/tasks.ts";
import type { TaskStatus } from "../states.ts";

export type RegistryStore = ReturnType<typeof createRegistryStore>;

/** A thread that works the queues. */
export interface WorkerIdentity {
  readonly id: string;
  readonly node: string;
  readonly thread: string;
}

/** What a worker says of itself. */
export interface WorkerReport {
  /** How many jobs of each queue it would run at once right now. */
  readonly concurrency: Readonly<Record<string, number>>;
  /** By task. */
  readonly uses: Readonly<Record<string, TaskUse>>;
}

/** How a task stands, as the record has it. */
export interface Standing {
  readonly id: string;
  readonly round: number;
  readonly status: TaskStatus;
}

/** A worker that has not been seen for this long is not even remembered. */
const forgetAfter = sql`interval '1 hour'`;

export function createRegistryStore(db: Db) {
  return {
    seen: async (worker: WorkerIdentity, report: WorkerReport): Promise<void> => {
      await db
        .insert(workers)
        .values({ ...worker, ...report, seenAt: sql`now()` })
        .onConflictDoUpdate({ target: workers.id, set: { ...report, seenAt: sql`now()` } });
      await db.delete(workers).where(sql`${workers.seenAt} < now() - ${forgetAfter}`);
    },

    left: async (id: string): Promise<void> => {
      await db.delete(workers).where(eq(workers.id, id));
    },

    /** What the task has saved last. */
    checkpointOf: async (id: string): Promise<unknown> => {
      const [row] = await db.select({ checkpoint: tasks.checkpoint }).from(tasks).where(eq(tasks.id, id));
      return row?.checkpoint ?? undefined;
    },

    standingOf: (ids: readonly string[]): Promise<Standing[]> =>
      db
        .select({ id: tasks.id, round: tasks.round, status: tasks.status })
        .from(tasks)
        .where(sql`${tasks.id} = any(string_to_array(${ids.join()}, ','))`),
  };
}
