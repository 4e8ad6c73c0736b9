import type { z } from "zod";
import { ownershipOf } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import { addressedTo } from "../../../platform/events.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { type QueueName, type QueueTable, queueNames } from "../../../platform/queue/catalogue.ts";
import type { Queues } from "../../../platform/queue/port.ts";
import { retried, type TaskCall } from "../control.ts";
import { deadLettersPurged, queuePaused, queueRedriven, queueResumed, taskChanged } from "../events.ts";
import { taskRecord } from "../record/store.ts";
import { forgetAll } from "../retention/forget.ts";
import type { RetentionStore } from "../retention/store.ts";
import type { queueView } from "../schema.ts";
import type { TaskStore } from "../store.ts";
import { createRoom } from "./room.ts";
import type { QueueInsightStore } from "./store.ts";

export type QueueView = z.infer<typeof queueView>;
export type QueueService = ReturnType<typeof createQueueService>;

export interface QueueServiceDeps {
  readonly settings: QueueTable;
  readonly insight: QueueInsightStore;
  readonly store: Pick<TaskStore, "dead" | "pauseQueue" | "pausedQueues">;
  readonly retention: RetentionStore;
  readonly queues: Pick<Queues, "pause" | "resume">;
  readonly transact: Transact;
  /** Tells the dispatcher that something waits. */
  readonly wake: (queue: QueueName) => void;
}

/** Whoever looks every second should not make the database count every second, nor most of the time when a million wait. */
const cachedMs = 1_000;
const restPart = 5;
const redriveBatch = 500;

/** What may be seen and set of the queues. */
export function createQueueService({ settings, insight, store, retention, queues, transact, wake }: QueueServiceDeps) {
  let cached: { until: number; readonly views: Promise<ReadonlyMap<QueueName, QueueView>> } | undefined;
  const room = createRoom({ settings, count: insight.waitingUpTo });

  const look = async (): Promise<ReadonlyMap<QueueName, QueueView>> => {
    const [counts, oldest, ended, errors, workers, paused] = await Promise.all([
      insight.counts(),
      insight.oldestWaiting(),
      insight.ended(),
      insight.errors(),
      insight.workers(),
      store.pausedQueues(),
    ]);
    return new Map(
      queueNames.map((name) => {
        const done = ended.find(({ queue }) => queue === name);
        const { concurrencyMin: min, concurrencyMax: max } = settings[name];
        const active = counts.find(({ queue, status }) => queue === name && status === "active")?.count ?? 0;
        const current = workers.reduce((sum, concurrency) => sum + (concurrency[name] ?? 0), 0);
        const view: QueueView = {
          name,
          paused: paused.has(name),
          counts: Object.fromEntries([
            ...["waiting", "delayed", "active", "paused", "dead"].map((status) => [status, 0]),
            ...counts.filter(({ queue }) => queue === name).map(({ status, count }) => [status, count]),
          ]),
          oldestWaitingMs: Math.round(oldest.find(({ queue }) => queue === name)?.ms ?? 0),
          throughput: { perMinute1: done?.in1 ?? 0, perMinute5: (done?.in5 ?? 0) / 5, perMinute60: (done?.in60 ?? 0) / 60 },
          waitMs: percentiles(done?.waits),
          runMs: percentiles(done?.runs),
          errors: Object.fromEntries(errors.filter(({ queue }) => queue === name).map((it) => [it.name, it.count])),
          workers: workers.length,
          use: current === 0 ? 0 : Math.min(1, active / current),
          concurrency: { min, max, current },
        };
        return [name, view];
      }),
    );
  };

  const views = (): Promise<ReadonlyMap<QueueName, QueueView>> => {
    if (cached && performance.now() < cached.until) return cached.views;
    const begunAt = performance.now();
    const looking = { until: begunAt + cachedMs, views: look() };
    cached = looking;
    const rest = () => {
      looking.until = Math.max(looking.until, performance.now() + restPart * (performance.now() - begunAt));
    };
    looking.views.then(rest, () => undefined);
    return looking.views;
  };

  const known = (name: string): QueueName => {
    const queue = queueNames.find((it) => it === name);
    if (!queue) throw new Problem("not_found", { detail: `There is no queue ${name}. There are: ${queueNames.join(", ")}.` });
    return queue;
  };

  const setPaused = async ({ actor, origin }: TaskCall, name: string, paused: boolean): Promise<QueueView> => {
    const queue = known(name);
    await transact(async (unit) => {
      await store.pauseQueue(queue, paused, unit.tx);
      unit.publish(paused ? queuePaused : queueResumed, { subject: queue, actorId: actor.userId, origin, data: { queue } });
    });
    await (paused ? queues.pause(queue) : queues.resume(queue));
    if (!paused) wake(queue);
    cached = undefined;
    return viewOf(queue);
  };

  const viewOf = async (name: string): Promise<QueueView> => {
    const view = (await views()).get(known(name));
    if (!view) throw new Error(`no view of ${name}`);
    return view;
  };

  return {
    known,
    list: async (): Promise<QueueView[]> => [...(await views()).values()],
    get: viewOf,
    pause: (call: TaskCall, name: string) => setPaused(call, name, true),
    resume: (call: TaskCall, name: string) => setPaused(call, name, false),

    /** Gives dead letters all their attempts again: those of `taskIds`, or all that the actor may see. Returns how many. */
    redrive: async ({ actor, origin }: TaskCall, name: string, taskIds: readonly string[] | undefined): Promise<number> => {
      const queue = known(name);
      const whose = actor.role === "admin" ? {} : ownershipOf(actor);
      const by = { actorId: actor.userId, origin };
      let redriven = 0;
      for (;;) {
        const ids = await store.dead({ queue, ...whose, ...(taskIds ? { ids: taskIds } : {}) }, redriveBatch);
        if (ids.length === 0) break;
        redriven += await transact(async (unit) => {
          const moved = await taskRecord.move(
            ids.map((id) => ({ id, round: undefined, ...retried })),
            unit.tx,
          );
          for (const { id, status, lastSeq: seq, ...of } of moved)
            unit.publish(taskChanged, { subject: id, ...addressedTo(of), data: { queue, status, seq } });
          const data = { queue, redriven: moved.length, named: taskIds !== undefined };
          if (moved.length > 0) unit.publish(queueRedriven, { subject: queue, ...addressedTo(ownershipOf(actor)), ...by, data });
          return moved.length;
        });
      }
      wake(queue);
      return redriven;
    },

    /** Forgets dead letters that ended before a moment. Returns how many; when there are very many, ask again. */
    purge: async ({ actor, origin }: TaskCall, name: string, before: Date): Promise<number> => {
      const queue = known(name);
      const purged = await forgetAll(retention, { queue, dead: true, before });
      await transact(async (unit) => {
        const data = { queue, before: before.toISOString(), purged };
        unit.publish(deadLettersPurged, { subject: queue, actorId: actor.userId, origin, data });
      });
      cached = undefined;
      return purged;
    },

    assertRoom: room.assert,
  };
}

function percentiles(values: readonly number[] | null | undefined) {
  const [p50, p95, p99] = (values ?? []).map((value) => Math.round(value * 10) / 10);
  return p50 === undefined || p95 === undefined || p99 === undefined ? null : { p50, p95, p99 };
}
