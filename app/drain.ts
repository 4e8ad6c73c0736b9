import type { startThreads } from "../workers/start-threads.ts";
import type { createEventStreams } from "./http/sse.ts";

/** At shutdown, what streams have to send the result of a task that has just ended. */
const lastWordsMs = 1_000;

export interface DrainParts {
  readonly threads: ReturnType<typeof startThreads>;
  readonly streams: ReturnType<typeof createEventStreams>;
  readonly http: { stop(signal: AbortSignal): Promise<unknown> } | undefined;
  readonly graceMs: number;
}

/** Takes no more work, and lets requests, streams, jobs and programs end within the grace period. */
export async function drain({ threads, streams, http, graceMs }: DrainParts): Promise<void> {
  const graceOver = AbortSignal.timeout(graceMs);
  const streamsEnd = new AbortController();
  graceOver.addEventListener("abort", () => streamsEnd.abort(), { once: true });
  const requests = Promise.all([streams.drain(streamsEnd.signal), http?.stop(graceOver)]);
  await threads.drain(graceMs);
  // No task runs here any more. Streams of tasks that have ended get to say so; the others would wait in vain, and resume at another copy.
  threads.feed.lookAgain();
  const cut = setTimeout(() => streamsEnd.abort(), lastWordsMs);
  await requests;
  clearTimeout(cut);
}
