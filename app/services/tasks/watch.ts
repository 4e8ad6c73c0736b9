import type { Feed } from "../../platform/bus/feed.ts";
import type { TaskEvent } from "./events.ts";
import type { TaskStore } from "./store.ts";

/** The history of one task after entry `afterSeq`, then each new entry, up to its result. */
export type WatchTask = (id: string, afterSeq: number, signal: AbortSignal) => AsyncIterable<TaskEvent>;

const pageSize = 200;
/** Reads again even without news: a net under the bus, not its substitute. */
const rereadMs = 5_000;

/**
 * The table is the truth and the feed only says when to look, so a reader who resumes with the last number it saw
 * misses nothing and sees nothing twice, whichever copy it comes back to.
 */
export function createTaskWatch(deps: { readonly store: Pick<TaskStore, "historyAfter">; readonly feed: Feed }): WatchTask {
  return async function* watchTask(id, afterSeq, signal) {
    let seq = afterSeq;
    let news = Promise.withResolvers<void>();
    const wake = () => news.resolve();
    const unwatch = deps.feed.watch(id, wake);
    signal.addEventListener("abort", wake, { once: true });
    try {
      while (!signal.aborted) {
        news = Promise.withResolvers<void>();
        const { events, complete } = await deps.store.historyAfter(id, seq, pageSize);
        for (const event of events) {
          seq = event.seq;
          yield event;
        }
        if (complete) return;
        if (events.length === 0) await withTimeout(news.promise, rereadMs);
      }
    } finally {
      unwatch();
    }
  };
}

/** Resolves when the task has ended, or when `signal` aborts. */
export async function taskEnd(watch: WatchTask, id: string, signal: AbortSignal): Promise<void> {
  for await (const _event of watch(id, 0, signal));
}

async function withTimeout(promise: Promise<void>, timeoutMs: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, timeoutMs);
  await Promise.race([promise, late.promise]);
  clearTimeout(timer);
}
