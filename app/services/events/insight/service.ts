import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import { eventOf, type GroupRow, type GroupStore } from "../../../platform/bus/group/store.ts";
import type { Bus } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { ToCloudEvent } from "../cloud-event.ts";
import { groupRedriven } from "../events.ts";
import type { deadLetterQuery, eventStats, GroupView, groupDeadLetter } from "./schema.ts";
import type { Timings } from "./timings.ts";

export type EventInsight = ReturnType<typeof createEventInsight>;

export interface EventInsightDeps {
  readonly bus: Pick<Bus, "length" | "read" | "readBack" | "origin">;
  readonly groups: Pick<GroupStore, "list" | "find" | "countDeadLetters" | "deadLetters" | "redrive">;
  readonly publishing: Pick<Timings, "quantiles">;
  readonly openStreams: () => number;
  readonly toCloudEvent: ToCloudEvent;
  readonly transact: Transact;
  readonly now: Now;
}

const lagCountMax = 1_000;
const averageOverMs = 60_000;

/** How the bus does, for administrators. */
export function createEventInsight({ bus, groups, publishing, openStreams, toCloudEvent, transact, now }: EventInsightDeps) {
  const viewOf = async (row: GroupRow, deadLetters: number): Promise<GroupView> => {
    const { events } = await bus.read({ after: row.cursor, limit: lagCountMax });
    const at = now().getTime();
    const silentMs = row.reportedAt ? at - row.reportedAt.getTime() : 0;
    return {
      name: row.name,
      patterns: [...row.patterns],
      isWorked: row.owner !== null && row.leasedUntil.getTime() > at,
      lag: { events: events.length, ms: events[0] ? Math.max(0, at - events[0].storedAt) : 0 },
      rate: row.rate * Math.exp(-silentMs / averageOverMs),
      handled: row.handled,
      failed: row.failed,
      ...(row.latencyMs === null ? {} : { latencyMs: row.latencyMs }),
      deadLetters,
      ...(row.lastError === null ? {} : { lastError: row.lastError }),
    };
  };

  const listGroups = async (): Promise<GroupView[]> => {
    const [rows, dead] = await Promise.all([groups.list(), groups.countDeadLetters()]);
    return Promise.all(rows.map((row) => viewOf(row, dead.get(row.name) ?? 0)));
  };

  const assertKnown = async (name: string): Promise<void> => {
    if (!(await groups.find(name))) throw new Problem("not_found", { detail: `There is no group ${name}.` });
  };

  return {
    listGroups,

    length: bus.length,

    stats: async (): Promise<z.infer<typeof eventStats>> => {
      const [length, [newest], oldest, all] = await Promise.all([
        bus.length(),
        bus.readBack({ limit: 1 }),
        bus.origin().then((after) => bus.read({ after, limit: 1 })),
        listGroups(),
      ]);
      const [first] = oldest.events;
      return {
        length,
        ...(first ? { oldestAt: new Date(first.storedAt).toISOString() } : {}),
        ...(newest ? { newestAt: new Date(newest.storedAt).toISOString() } : {}),
        deadLetters: all.reduce((sum, group) => sum + group.deadLetters, 0),
        publishMs: publishing.quantiles(),
        streams: openStreams(),
        groups: all,
      };
    },

    deadLetters: async (
      name: string,
      query: z.infer<typeof deadLetterQuery>,
    ): Promise<{ data: z.infer<typeof groupDeadLetter>[]; nextCursor: string | null }> => {
      await assertKnown(name);
      const rows = await groups.deadLetters(name, { ...(query.cursor ? { before: query.cursor } : {}), limit: query.limit + 1 });
      const page = rows.slice(0, query.limit);
      const data = page.map((row) => ({
        id: row.id,
        type: row.type,
        attempts: row.attempts,
        error: row.error,
        event: { ...toCloudEvent(eventOf(row)) },
        createdAt: row.createdAt.toISOString(),
      }));
      return { data, nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },

    /** Has them tried again by whichever copy works for the group: those of `ids`, or all. Returns how many. */
    redrive: async (
      { actor, origin }: { readonly actor: Actor; readonly origin: RequestOrigin },
      name: string,
      ids: readonly string[] | undefined,
    ): Promise<number> => {
      await assertKnown(name);
      return transact(async (unit) => {
        const redriven = await groups.redrive(name, ids, unit.tx);
        const data = { group: name, redriven, named: ids !== undefined };
        if (redriven > 0) unit.publish(groupRedriven, { subject: name, actorId: actor.userId, origin, data });
        return redriven;
      });
    },
  };
}
