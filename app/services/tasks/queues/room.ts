import { Problem } from "../../../platform/errors.ts";
import type { QueueName, QueueTable } from "../../../platform/queue/catalogue.ts";

export interface RoomDeps {
  readonly settings: QueueTable;
  /** How many wait in a queue, counted no further than `max`. */
  readonly count: (queue: QueueName, max: number) => Promise<number>;
  readonly nowMs?: () => number;
}

/** To count a million takes the database a good part of a second, so it is asked no sooner than so many could have come. */
const arrivalsPerMs = 100;
const lookMsMin = 1_000;
const lookMsMax = 60_000;

interface Look {
  readonly waiting: number;
  readonly until: number;
}

/** Keeps queues from growing without end. A burst may go a little beyond. */
export function createRoom({ settings, count, nowMs = () => performance.now() }: RoomDeps) {
  const looks = new Map<QueueName, Look>();
  const looking = new Map<QueueName, Promise<Look>>();

  const look = async (queue: QueueName): Promise<Look> => {
    const { waitingMax } = settings[queue];
    const waiting = await count(queue, waitingMax);
    const validMs = Math.min(lookMsMax, Math.max(lookMsMin, (waitingMax - waiting) / arrivalsPerMs));
    const looked = { waiting, until: nowMs() + validMs };
    looks.set(queue, looked);
    return looked;
  };

  /** Whoever comes while somebody counts waits for that only when nothing is known yet. */
  const current = (queue: QueueName): Look | Promise<Look> => {
    const known = looks.get(queue);
    if (known && nowMs() < known.until) return known;
    const running = looking.get(queue) ?? look(queue).finally(() => looking.delete(queue));
    looking.set(queue, running);
    if (!known) return running;
    running.catch(() => undefined);
    return known;
  };

  return {
    /** Throws `Problem` (`queue_full`) when no more may wait. */
    assert: async (queue: QueueName): Promise<void> => {
      const { waitingMax } = settings[queue];
      const { waiting } = await current(queue);
      if (waiting >= waitingMax)
        throw new Problem("queue_full", { detail: `${waitingMax} tasks wait in ${queue}; try again later.`, retryAfterSeconds: 5 });
    },
  };
}
