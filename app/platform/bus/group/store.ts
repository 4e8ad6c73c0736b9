import { and, asc, count, desc, eq, inArray, isNotNull, isNull, lt, sql } from "drizzle-orm";
import type { Db, Queryable, Tx } from "../../../../db/client.ts";
import { busGroups, eventDeadLetters, eventEffects } from "../../../../db/schema/events.ts";
import { newId } from "../../ids.ts";
import type { Cursor, StoredEvent } from "../port.ts";

export type GroupRow = typeof busGroups.$inferSelect;
export type DeadLetterRow = typeof eventDeadLetters.$inferSelect;
export type GroupStore = ReturnType<typeof createGroupStore>;

/** What a copy that works for a group says with each step. */
export interface GroupReport {
  readonly handled: number;
  readonly failed: number;
  readonly rate: number;
  readonly latencyMs: number | undefined;
  readonly lastError: string | undefined;
}

export interface Lease {
  readonly cursor: Cursor;
  /** The copy before this one went without a word: what it had in hand may be why. */
  readonly isInherited: boolean;
  readonly rate: number;
}

export interface Failure {
  readonly group: string;
  readonly event: StoredEvent;
  readonly attempts: number;
  readonly error: string;
}

const errorLengthMax = 2_000;
const soon = (ms: number) => sql`clock_timestamp() + ${ms}::float8 * interval '1 ms'`;

/** Where durable groups are remembered: how far each has come and who works for it. Whoever has lost the lease changes nothing any more. */
export function createGroupStore(db: Db) {
  const held = (name: string, owner: string) => and(eq(busGroups.name, name), eq(busGroups.owner, owner));

  return {
    /** `from` is where it begins when it is new. */
    ensure: async (name: string, patterns: readonly string[], from: () => Promise<Cursor>): Promise<void> => {
      const known = await db
        .update(busGroups)
        .set({ patterns: [...patterns] })
        .where(eq(busGroups.name, name))
        .returning({ name: busGroups.name });
      if (known.length > 0) return;
      const row = { name, cursor: await from(), leasedUntil: sql`'-infinity'`, patterns: [...patterns] };
      await db.insert(busGroups).values(row).onConflictDoNothing();
    },

    /** Undefined while another copy works for it. */
    lease: async (name: string, owner: string, leaseMs: number): Promise<Lease | undefined> => {
      const rows = await db.execute(sql`
        with before as (select name, cursor, owner, rate from bus_groups where name = ${name} for update)
        update bus_groups g set owner = ${owner}, leased_until = ${soon(leaseMs)}
        from before where g.name = before.name and (g.owner is null or g.owner = ${owner} or g.leased_until < clock_timestamp())
        returning before.cursor, before.owner is not null and before.owner <> ${owner} as "isInherited", before.rate`);
      return ([...rows] as unknown as Lease[])[0];
    },

    /** Moves the cursor and renews the lease; false when another copy has it by now. */
    commit: async (
      holder: { readonly name: string; readonly owner: string },
      step: { readonly cursor: Cursor; readonly leaseMs: number } & GroupReport,
    ): Promise<boolean> => {
      const { name, owner } = holder;
      const rows = await db
        .update(busGroups)
        .set({
          cursor: step.cursor,
          leasedUntil: soon(step.leaseMs),
          handled: sql`${busGroups.handled} + ${step.handled}`,
          failed: sql`${busGroups.failed} + ${step.failed}`,
          rate: step.rate,
          reportedAt: sql`clock_timestamp()`,
          ...(step.latencyMs === undefined ? {} : { latencyMs: step.latencyMs }),
          ...(step.lastError === undefined ? {} : { lastError: storable(step.lastError) }),
        })
        .where(held(name, owner))
        .returning({ name: busGroups.name });
      return rows.length > 0;
    },

    /** Moves the cursor to before the event and answers how often that one has been in hand, this time included; undefined when another copy has the lease. */
    take: async (
      { name, owner }: { readonly name: string; readonly owner: string },
      { event, through }: { readonly event: Cursor; readonly through: Cursor },
    ): Promise<number | undefined> => {
      const tries = sql`case when ${busGroups.trying} = ${event} then ${busGroups.tries} + 1 else 1 end`;
      const [row] = await db
        .update(busGroups)
        .set({ cursor: through, trying: event, tries })
        .where(held(name, owner))
        .returning({ tries: busGroups.tries });
      return row?.tries;
    },

    release: async (name: string, owner: string): Promise<void> => {
      await db.update(busGroups).set({ owner: null, leasedUntil: sql`'-infinity'`, trying: null, tries: 0 }).where(held(name, owner));
    },

    delete: async (name: string, on: Queryable = db): Promise<void> => {
      await on.delete(busGroups).where(eq(busGroups.name, name));
      await on.delete(eventDeadLetters).where(eq(eventDeadLetters.groupName, name));
    },

    /** Inside a transaction that commits only with the effect; false when there was one before. */
    once: async (name: string, eventId: string, effect: (tx: Tx) => Promise<void>): Promise<boolean> =>
      db.transaction(async (tx) => {
        const rows = await tx
          .insert(eventEffects)
          .values({ groupName: name, eventId })
          .onConflictDoNothing()
          .returning({ eventId: eventEffects.eventId });
        if (rows.length === 0) return false;
        await effect(tx);
        return true;
      }),

    bury: async ({ group, event, attempts, error }: Failure, on: Queryable): Promise<string> => {
      const id = newId("deadLetter");
      const row = { id, groupName: group, eventId: event.id, type: event.type, event: JSON.stringify(event), attempts };
      await on.insert(eventDeadLetters).values({ ...row, error: storable(error) });
      return id;
    },

    /** The newest first. */
    deadLetters: (group: string, { before, limit }: { readonly before?: string; readonly limit: number }): Promise<DeadLetterRow[]> =>
      db
        .select()
        .from(eventDeadLetters)
        .where(and(eq(eventDeadLetters.groupName, group), before ? lt(eventDeadLetters.id, before) : undefined))
        .orderBy(desc(eventDeadLetters.id))
        .limit(limit),

    /** Has them tried again by the copy that works for the group: those of `ids`, or all. Returns how many. */
    redrive: async (group: string, ids: readonly string[] | undefined, on: Queryable = db): Promise<number> => {
      const rows = await on
        .update(eventDeadLetters)
        .set({ redriveAt: sql`now()` })
        .where(
          and(
            eq(eventDeadLetters.groupName, group),
            isNull(eventDeadLetters.redriveAt),
            ids ? inArray(eventDeadLetters.id, [...ids]) : undefined,
          ),
        )
        .returning({ id: eventDeadLetters.id });
      return rows.length;
    },

    /** Those to be tried again, the oldest first. */
    redriven: (group: string, limit: number): Promise<DeadLetterRow[]> =>
      db
        .select()
        .from(eventDeadLetters)
        .where(and(eq(eventDeadLetters.groupName, group), isNotNull(eventDeadLetters.redriveAt)))
        .orderBy(asc(eventDeadLetters.id))
        .limit(limit),

    resurrect: async (id: string): Promise<void> => {
      await db.delete(eventDeadLetters).where(eq(eventDeadLetters.id, id));
    },

    buryAgain: async ({
      id,
      attempts,
      error,
    }: {
      readonly id: string;
      readonly attempts: number;
      readonly error: string;
    }): Promise<void> => {
      await db
        .update(eventDeadLetters)
        .set({ attempts, error: storable(error), redriveAt: null })
        .where(eq(eventDeadLetters.id, id));
    },

    list: (): Promise<GroupRow[]> => db.select().from(busGroups).orderBy(asc(busGroups.name)),

    find: async (name: string): Promise<GroupRow | undefined> => {
      const [row] = await db.select().from(busGroups).where(eq(busGroups.name, name));
      return row;
    },

    countDeadLetters: async (): Promise<ReadonlyMap<string, number>> => {
      const rows = await db
        .select({ group: eventDeadLetters.groupName, letters: count() })
        .from(eventDeadLetters)
        .groupBy(eventDeadLetters.groupName);
      return new Map(rows.map(({ group, letters }) => [group, letters]));
    },

    /** Returns how many went. */
    forgetEffects: async (hours: number): Promise<number> => {
      const rows = await db
        .delete(eventEffects)
        .where(lt(eventEffects.at, sql`now() - ${hours}::float8 * interval '1 hour'`))
        .returning({ id: eventEffects.eventId });
      return rows.length;
    },

    forgetDeadLetters: async (days: number): Promise<number> => {
      const old = lt(eventDeadLetters.createdAt, sql`now() - ${days}::float8 * interval '1 day'`);
      const rows = await db.delete(eventDeadLetters).where(old).returning({ id: eventDeadLetters.id });
      return rows.length;
    },
  };
}

/** The event of a dead letter, with its place in the log: what `bury` has written. */
export function eventOf({ event }: Pick<DeadLetterRow, "event">): StoredEvent {
  return JSON.parse(event) as StoredEvent;
}

/** PostgreSQL keeps no NUL in text. */
function storable(error: string): string {
  return error.replaceAll("\0", "").slice(0, errorLengthMax);
}
