import type { Logger } from "../logger.ts";
import type { Running, StoredEvent } from "./port.ts";

export interface Session {
  readonly signal: AbortSignal;
  /** Call when connected and positioned: settles `started` and forgets earlier failures. */
  begun(): void;
}

export interface LoopOptions {
  /** Appears in the log. */
  readonly name: string;
  readonly log?: Logger | undefined;
  /** Runs once after the last session, also when the store is gone. */
  finish?(): Promise<void>;
}

/** Runs `session` again and again, with back-off after each failure, until stopped. `stop` must not be awaited from inside a delivery. */
export function keepRunning(options: LoopOptions, session: (context: Session) => Promise<void>): Running {
  const stopping = new AbortController();
  const started = Promise.withResolvers<void>();
  let failures = 0;

  const done = run();
  return {
    started: started.promise,
    stop: () => {
      stopping.abort();
      return done;
    },
  };

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) await runOnce();
    started.resolve();
    await options.finish?.().catch((error: unknown) => options.log?.warn({ err: error }, `${options.name} did not leave cleanly`));
  }

  async function runOnce(): Promise<void> {
    try {
      await session({ signal: stopping.signal, begun });
    } catch (error) {
      if (stopping.signal.aborted) return;
      if (failures === 0) options.log?.warn({ err: error }, `${options.name} was interrupted and reconnects`);
      failures += 1;
      await pause(backOffMs(failures, 2_000), stopping.signal);
    }
  }

  function begun(): void {
    if (failures > 0) options.log?.info(`${options.name} goes on`);
    failures = 0;
    started.resolve();
  }
}

export interface DeliveryOptions {
  readonly signal: AbortSignal;
  readonly name: string;
  readonly log?: Logger | undefined;
}

/** Hands over one batch until it is accepted: true then, false when stopped before that. */
export async function deliver(
  events: readonly StoredEvent[],
  handle: (events: readonly StoredEvent[]) => void | Promise<void>,
  options: DeliveryOptions,
): Promise<boolean> {
  for (let attempt = 1; !options.signal.aborted; attempt += 1) {
    try {
      await handle(events);
      return true;
    } catch (error) {
      options.log?.warn({ err: error, attempt, cursor: events[0]?.cursor }, `${options.name}: a batch was refused and is delivered again`);
      await pause(backOffMs(attempt, 5_000), options.signal);
    }
  }
  return false;
}

/** Resolves after `ms`, or at once when `signal` is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

function backOffMs(attempt: number, msMax: number): number {
  return Math.min(50 * 2 ** (attempt - 1), msMax) * (0.75 + Math.random() / 2);
}
