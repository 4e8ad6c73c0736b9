import type { z } from "zod";
import { compareCursors } from "../../../platform/bus/cursor.ts";
import type { Bus } from "../../../platform/bus/port.ts";
import { giveUp, type JobHandler } from "../../../platform/queue/job.ts";
import type { replayJob } from "../jobs.ts";
import type { SubscriptionStore } from "../subscriptions/store.ts";
import type { createCollect } from "./collect.ts";

export interface ReplayHandlerDeps {
  readonly bus: Pick<Bus, "read">;
  readonly subscriptions: Pick<SubscriptionStore, "wanting">;
  readonly collector: Pick<ReturnType<typeof createCollect>, "collect" | "wantingOf">;
}

const pageSize = 500;

/**
 * Collects once more what the log still holds for one subscription.
 * Idempotent: an event is collected once for each run, and the run goes on from the page that it saved.
 */
export function createReplayHandler({ bus, subscriptions, collector }: ReplayHandlerDeps): JobHandler<z.infer<typeof replayJob.input>> {
  return async ({ subscriptionId, run, after, until }, { checkpoint, save, signal, progress }) => {
    const wanted = (await subscriptions.wanting()).find(({ subscription }) => subscription.id === subscriptionId);
    if (!wanted) return giveUp("the subscription is no more, or disabled");
    const wanting = [await collector.wantingOf(wanted.subscription, wanted.role)];
    let position = typeof checkpoint === "string" ? checkpoint : after;
    let collected = 0;
    while (compareCursors(position, until) < 0) {
      signal.throwIfAborted();
      const { events, next } = await bus.read({ after: position, limit: pageSize });
      const inRange = events.filter(({ cursor }) => compareCursors(cursor, until) <= 0);
      collected += await collector.collect(wanting, inRange, run);
      if (events.length === 0) break;
      position = next;
      await save(position);
      await progress({ collected });
    }
    return { collected };
  };
}
