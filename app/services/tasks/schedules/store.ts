import { and, asc, desc, eq, getTableColumns, isNull, lt, lte, notInArray, sql } from "drizzle-orm";
import type { Db, Queryable } from "../../../../db/client.ts";
import { schedules, scheduleTicks } from "../../../../db/schema/schedules.ts";

export type ScheduleRow = typeof schedules.$inferSelect;
/** A page holds many schedules, and the input of each may be large. */
const { input: _input, ...summaryColumns } = getTableColumns(schedules);
export type ScheduleSummaryRow = Omit<ScheduleRow, "input">;
export type ScheduleChanges = Partial<Omit<ScheduleRow, "id" | "ownerId" | "teamId" | "createdAt">>;
export type ScheduleStore = ReturnType<typeof createScheduleStore>;

export interface ScheduleFilter {
  /** What is the user's own; with `teamId` that does not count. */
  readonly ownerId?: string;
  readonly teamId?: string;
  readonly queue?: string;
  /** The last id of the page before. */
  readonly before?: string;
  readonly limit: number;
}

export interface Tick {
  readonly scheduleId: string;
  readonly tickAt: Date;
}

/** What a schedule is after its due ticks have been dealt with. */
export type Settled = Pick<ScheduleRow, "id" | "nextRunAt" | "lastTickAt" | "lastRunAt" | "lastTaskId" | "paused" | "lastError">;

/** The first of two keys, so that this meets no other advisory lock. */
const ownerLock = 7_165_104;
const milliseconds = (moment: ReturnType<typeof sql>) => sql<number>`(extract(epoch from ${moment}) * 1000)::float8`.mapWith(Number);

export function createScheduleStore(db: Db) {
  return {
    /** The database's time: the same for all copies. Inside a transaction the time it began. */
    now: async (on: Queryable = db): Promise<Date> => {
      const [row] = await on.select({ ms: milliseconds(sql`now()`) }).from(sql`(values (1)) as one`);
      return new Date(Math.floor(row?.ms ?? Number.NaN));
    },

    /** How many schedules the user has made. Held until the transaction ends, so that two can't both be the last. */
    lockAndCount: async (ownerId: string, on: Queryable): Promise<number> => {
      await on.execute(sql`select pg_advisory_xact_lock(${ownerLock}, hashtext(${ownerId}))`);
      return on.$count(schedules, eq(schedules.ownerId, ownerId));
    },

    insert: async (row: typeof schedules.$inferInsert, on: Queryable): Promise<ScheduleRow> => {
      const [inserted] = await on.insert(schedules).values(row).returning();
      if (!inserted) throw new Error("insert returned no row");
      return inserted;
    },

    find: async (id: string): Promise<ScheduleRow | undefined> => {
      const [row] = await db.select().from(schedules).where(eq(schedules.id, id));
      return row;
    },

    /** Held until the transaction ends. */
    lock: async (id: string, on: Queryable): Promise<ScheduleRow | undefined> => {
      const [row] = await on.select().from(schedules).where(eq(schedules.id, id)).for("update");
      return row;
    },

    update: async (id: string, set: ScheduleChanges, on: Queryable = db): Promise<ScheduleRow | undefined> => {
      const [row] = await on.update(schedules).set(set).where(eq(schedules.id, id)).returning();
      return row;
    },

    delete: async (id: string, on: Queryable): Promise<void> => {
      await on.delete(schedules).where(eq(schedules.id, id));
    },

    deleteOwnedBy: async (ownerId: string, on: Queryable): Promise<void> => {
      await on.delete(schedules).where(eq(schedules.ownerId, ownerId));
    },

    list: (filter: ScheduleFilter): Promise<ScheduleSummaryRow[]> =>
      db
        .select(summaryColumns)
        .from(schedules)
        .where(
          and(
            belongsTo(filter),
            filter.queue ? eq(schedules.queue, filter.queue) : undefined,
            filter.before ? lt(schedules.id, filter.before) : undefined,
          ),
        )
        .orderBy(desc(schedules.id))
        .limit(filter.limit),

    /** All of them with their input, for an export. */
    ownedBy: (ownerId: string, limit: number): Promise<ScheduleRow[]> =>
      db.select().from(schedules).where(eq(schedules.ownerId, ownerId)).orderBy(asc(schedules.id)).limit(limit),

    /** Those whose time has come by the database's clock, but for those another copy is busy with; held until the transaction ends. */
    claimDue: async (
      { limit, except }: { readonly limit: number; readonly except: readonly string[] },
      on: Queryable,
    ): Promise<ScheduleRow[]> =>
      on
        .select()
        .from(schedules)
        .where(and(lte(schedules.nextRunAt, sql`now()`), except.length > 0 ? notInArray(schedules.id, [...except]) : undefined))
        .orderBy(asc(schedules.nextRunAt))
        .limit(limit)
        .for("update", { skipLocked: true }),

    /** How long until the next one is due: 0 or less when one is, undefined when none will be. */
    msToNextDue: async (except: readonly string[]): Promise<number | undefined> => {
      const [row] = await db
        .select({ ms: milliseconds(sql`(${schedules.nextRunAt} - clock_timestamp())`) })
        .from(schedules)
        .where(and(sql`${schedules.nextRunAt} is not null`, except.length > 0 ? notInArray(schedules.id, [...except]) : undefined))
        .orderBy(asc(schedules.nextRunAt))
        .limit(1);
      return row?.ms;
    },

    /** Takes the ticks; those that were taken before are not among what it returns. */
    takeTicks: async (ticks: readonly Tick[], on: Queryable): Promise<Tick[]> => {
      if (ticks.length === 0) return [];
      return on
        .insert(scheduleTicks)
        .select(
          sql`select t."scheduleId", t."tickAt", now() from json_to_recordset(${JSON.stringify(ticks)}::json) as t ("scheduleId" text, "tickAt" timestamptz)`,
        )
        .onConflictDoNothing()
        .returning({ scheduleId: scheduleTicks.scheduleId, tickAt: scheduleTicks.tickAt });
    },

    settle: async (settled: readonly Settled[], on: Queryable): Promise<void> => {
      await on.execute(sql`
        update schedules set next_run_at = s."nextRunAt", last_tick_at = s."lastTickAt", last_run_at = s."lastRunAt",
          last_task_id = s."lastTaskId", paused = s.paused, last_error = s."lastError"
        from json_to_recordset(${JSON.stringify(settled)}::json) as s (id text, "nextRunAt" timestamptz, "lastTickAt" timestamptz,
          "lastRunAt" timestamptz, "lastTaskId" text, paused boolean, "lastError" text)
        where schedules.id = s.id`);
    },

    /** A schedule never goes back behind `lastTickAt`, so old rows only take room. */
    purgeTicks: async (): Promise<number> => {
      const gone = await db
        .delete(scheduleTicks)
        .where(lt(scheduleTicks.createdAt, sql`now() - interval '1 day'`))
        .returning({ id: scheduleTicks.scheduleId });
      return gone.length;
    },
  };
}

function belongsTo({ ownerId, teamId }: Pick<ScheduleFilter, "ownerId" | "teamId">) {
  if (teamId !== undefined) return eq(schedules.teamId, teamId);
  return ownerId === undefined ? undefined : and(eq(schedules.ownerId, ownerId), isNull(schedules.teamId));
}
