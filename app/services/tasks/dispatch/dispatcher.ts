import type { Sql } from "postgres";
import { advisoryLocks } from "../../../../db/advisory-locks.ts";
import type { Db } from "../../../../db/client.ts";
import { keepRunning, pause, type Session } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import { type Leadership, startLeadership } from "../../../platform/leadership.ts";
import type { Logger } from "../../../platform/logger.ts";
import { type QueueName, type QueueTable, queueNames } from "../../../platform/queue/catalogue.ts";
import type { Queues } from "../../../platform/queue/port.ts";
import { createCaretaker } from "./caretaker.ts";
import { createQueueDispatcher } from "./queue-dispatcher.ts";
import { createDispatchStore } from "./store.ts";

export interface Dispatcher extends Running {
  /** Whether this copy deals out the tasks. */
  readonly leads: boolean;
  /** Something waits in this queue, or it was resumed. */
  wake(queue: QueueName): void;
}

export interface DispatcherDeps {
  readonly sql: Sql;
  readonly db: Db;
  readonly queues: Queues;
  readonly settings: QueueTable;
  /** Tells the relay that there is something to hand on. */
  readonly wakeRelay: () => void;
  readonly now: Now;
  readonly log: Logger;
}

const channel = "keelson_tasks";
/** Without news; finds what a copy left behind when it died between its commit and its wake-up. */
const idleLookMs = 1_000;
const caretakingMs = 200;

/**
 * Hands waiting tasks on to the queues, in one copy for all: fairness and limits take one place that decides. Every copy stands by, and tells the one that leads when
 * something has come.
 */
export function startDispatcher(deps: DispatcherDeps): Dispatcher {
  const { sql, settings, log } = deps;
  const leadership = startLeadership({ sql, lock: advisoryLocks.dispatcher, log });
  const store = createDispatchStore(deps.db);
  const bells = new Map(queueNames.map((queue) => [queue, createBell()]));
  const ring = (queue: string) => [...bells].find(([name]) => name === queue)?.[1].ring();
  const caretaker = createCaretaker({ ...deps, store, ring });

  const listening = sql.listen(channel, (queue) => ring(queue));
  listening.catch((error: unknown) => log.warn({ err: error }, "the dispatcher can't hear other copies; it looks by itself"));
  const tell = createTeller((queue) => sql.notify(channel, queue).catch(() => undefined));

  /** Works one queue for as long as this copy leads. */
  const lead = async (queue: QueueName, bell: Bell, { signal, begun }: Session) => {
    const dispatcher = createQueueDispatcher({ queue, settings: settings[queue], store, queues: deps.queues });
    let lookedAt = Number.NEGATIVE_INFINITY;
    const isNews = () => bell.rung() || performance.now() - lookedAt > idleLookMs;
    const discover = async () => {
      lookedAt = performance.now();
      await dispatcher.discover();
    };
    while (!signal.aborted && leadership.leads) {
      if (isNews()) await discover();
      const handedOn = caretaker.isPaused(queue) ? 0 : await dispatcher.dispatch();
      begun();
      if (handedOn === 0) await bell.wait(dispatcher.lookAgainMs, signal);
    }
  };

  const loops = [...bells].map(([queue, bell]) =>
    keepRunning({ name: `dispatcher of ${queue}`, log }, async (session) => {
      await untilLeading(leadership, session.signal);
      await lead(queue, bell, session);
    }),
  );
  const care = keepRunning({ name: "dispatcher's housekeeping", log }, async ({ signal, begun }) => {
    await untilLeading(leadership, signal);
    caretaker.begin();
    while (!signal.aborted && leadership.leads) {
      await caretaker.look();
      begun();
      await pause(caretakingMs, signal);
    }
  });

  return {
    started: leadership.started,
    get leads() {
      return leadership.leads;
    },
    wake: (queue) => (leadership.leads ? ring(queue) : tell(queue)),
    stop: async () => {
      await Promise.all([...loops, care].map((loop) => loop.stop()));
      await leadership.stop();
      await listening.then(
        (it) => it.unlisten(),
        () => undefined,
      );
    },
  };
}

async function untilLeading(leadership: Leadership, signal: AbortSignal): Promise<void> {
  while (!leadership.leads && !signal.aborted) await pause(50, signal);
}

interface Bell {
  ring(): void;
  /** Whether it was rung since the last time this was asked. */
  rung(): boolean;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

function createBell(): Bell {
  let rung = true;
  let ringing = Promise.withResolvers<void>();
  return {
    ring: () => {
      rung = true;
      ringing.resolve();
    },
    rung: () => {
      const was = rung;
      rung = false;
      ringing = Promise.withResolvers<void>();
      return was;
    },
    wait: async (ms, signal) => {
      if (!rung) await Promise.race([ringing.promise, pause(ms, signal)]);
    },
  };
}

/** Says the same thing at most once in a few milliseconds: who listens looks at everything that waits. */
function createTeller(tell: (queue: QueueName) => Promise<unknown>): (queue: QueueName) => void {
  const soon = new Set<QueueName>();
  return (queue) => {
    if (soon.has(queue)) return;
    soon.add(queue);
    setTimeout(() => {
      soon.delete(queue);
      void tell(queue);
    }, 5);
  };
}
