import type { Worker } from "node:worker_threads";
import type { Logger } from "../app/platform/logger.ts";
import { type Channel, ChannelError, type Methods, openChannel } from "./channel.ts";

/** What every thread answers, whatever else it does. */
export type LifeCycle = {
  /** Take no new work and resolve when the running work has ended. */
  drain(input: { readonly graceMs: number }): Promise<void>;
  /** Close everything. The thread is ended after this answers. */
  stop(input: Record<string, never>): Promise<void>;
};

export type ThreadMethods = Methods & LifeCycle;
export type ThreadState = "starting" | "ready" | "restarting" | "stopped";

export interface SupervisedThread<Theirs extends ThreadMethods> {
  readonly name: string;
  readonly state: ThreadState;
  /** How often it died and was started again. */
  readonly restarts: number;
  /** Resolves at the first ready; rejects when it can't start. */
  readonly started: Promise<void>;
  /** The channel to the living thread; throws `ChannelError` while there is none. */
  channel(): Channel<Theirs>;
  drain(graceMs: number): Promise<void>;
  /** Ends the thread for good. Stopping twice is harmless. */
  stop(): Promise<void>;
  /** Ends the thread at once, as a crash would; it is started again. For tests of the supervision. */
  kill(): Promise<void>;
}

export interface SupervisorOptions<Mine extends Methods, Theirs extends ThreadMethods> {
  readonly name: string;
  readonly spawn: () => Worker;
  /** What this side answers to the thread. */
  readonly methods: Mine;
  readonly log: Logger;
  /** Called with each new channel before the thread counts as ready: hand it its ports here. */
  readonly onReady?: (channel: Channel<Theirs>) => void;
  /** Called each time it is ready again after it died. */
  readonly onRestarted?: (restarts: number) => void;
  readonly readyTimeoutMs?: number;
}

const backoffMs = { first: 100, max: 10_000 };
/** A thread that lived this long is well: its next death starts the back-off anew. */
const stableMs = 60_000;
const stopTimeoutMs = 5_000;

/** Keeps one thread running: starts it, waits for its `ready`, starts it again with back-off when it dies. */
export function superviseThread<Mine extends Methods, Theirs extends ThreadMethods>(
  options: SupervisorOptions<Mine, Theirs>,
): SupervisedThread<Theirs> {
  const { name, log } = options;
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => undefined);
  let state: ThreadState = "starting";
  let restarts = 0;
  let failuresInRow = 0;
  let readyAt = Number.POSITIVE_INFINITY;
  let current: { readonly worker: Worker; readonly channel: Channel<Theirs> } | undefined;
  let restartTimer: ReturnType<typeof setTimeout> | undefined;
  let stopping: Promise<void> | undefined;

  const start = () => {
    const worker = options.spawn();
    const channel = openChannel<Mine, Theirs>(worker, options.methods);
    current = { worker, channel };
    let lastError: Error | undefined;
    const readyTimer = setTimeout(() => {
      lastError = new Error(`not ready within ${options.readyTimeoutMs ?? 30_000} ms`);
      void worker.terminate();
    }, options.readyTimeoutMs ?? 30_000);
    worker.on("error", (error) => {
      lastError = error instanceof Error ? error : new Error(String(error));
    });
    worker.on("exit", (code) => {
      clearTimeout(readyTimer);
      onExit(channel, code, lastError);
    });
    channel.ready.then(
      () => {
        clearTimeout(readyTimer);
        if (stopping) return;
        options.onReady?.(channel);
        state = "ready";
        readyAt = performance.now();
        started.resolve();
        if (restarts > 0) options.onRestarted?.(restarts);
      },
      () => undefined,
    );
  };

  const onExit = (channel: Channel<Theirs>, code: number, error: Error | undefined) => {
    channel.close(`the ${name} thread ended`);
    current = undefined;
    if (stopping) return;
    const neverReady = state === "starting";
    if (neverReady) {
      state = "stopped";
      started.reject(new Error(`the ${name} thread did not start: ${error?.message ?? `exit code ${code}`}`, { cause: error }));
      return;
    }
    state = "restarting";
    restarts += 1;
    if (performance.now() - readyAt > stableMs) failuresInRow = 0;
    readyAt = Number.POSITIVE_INFINITY;
    const delayMs = Math.min(backoffMs.first * 2 ** failuresInRow, backoffMs.max);
    failuresInRow += 1;
    log.error({ err: error, code, thread: name, delayMs }, "thread died; starting it again");
    restartTimer = setTimeout(start, delayMs);
  };

  const end = async () => {
    clearTimeout(restartTimer);
    state = "stopped";
    const living = current;
    if (!living) return;
    await lifeOf(living.channel)
      .call("stop", {}, stopTimeoutMs)
      .catch((error: unknown) => log.warn({ err: error, thread: name }, "thread did not stop by itself"));
    living.channel.close(`the ${name} thread was stopped`);
    await living.worker.terminate();
  };

  start();
  return {
    name,
    get state() {
      return state;
    },
    get restarts() {
      return restarts;
    },
    started: started.promise,
    channel: () => {
      if (!current || state !== "ready") throw new ChannelError(`the ${name} thread is ${state}`);
      return current.channel;
    },
    drain: async (graceMs) => {
      if (!current) return;
      await lifeOf(current.channel)
        .call("drain", { graceMs }, graceMs + 1_000)
        .catch((error: unknown) => log.warn({ err: error, thread: name }, "thread did not drain in time"));
    },
    stop: () => {
      stopping ??= end();
      return stopping;
    },
    kill: async () => {
      await current?.worker.terminate();
    },
  };
}

/** Every thread answers `LifeCycle`, which `ThreadMethods` demands; a generic channel only can't show it to the compiler. */
function lifeOf<Theirs extends ThreadMethods>(channel: Channel<Theirs>): Channel<LifeCycle> {
  return channel as unknown as Channel<LifeCycle>;
}
