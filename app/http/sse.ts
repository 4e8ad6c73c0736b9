import type { Actor } from "../platform/actor.ts";
import type { Logger } from "../platform/logger.ts";
import type { AppContext } from "./env.ts";

/** One message of an event stream (WHATWG HTML §9.2). */
export interface SseMessage {
  readonly id?: string;
  readonly event: string;
  readonly data: unknown;
}

/** Yields until there is nothing more to say or `signal` aborts; it is only asked for the next message when the client takes it. */
export type SseSource = (signal: AbortSignal) => AsyncIterable<SseMessage>;

export interface EventStreams {
  /** Answers with the stream; `endless` ones are closed at once when this copy shuts down, the others may come to their end. */
  respond(c: AppContext, source: SseSource, options: { readonly endless: boolean }): Response;
  /** Closes the streams of callers whose authority has ended. */
  closeFor(ended: (actor: Actor) => boolean): void;
  readonly open: number;
  /** Shutdown: closes the endless streams and resolves when all others have ended; `now` closes those too. */
  drain(now: AbortSignal): Promise<void>;
}

export interface EventStreamOptions {
  /** How long a source may be silent before a comment is sent, which keeps proxies from closing the connection. */
  readonly heartbeatMs?: number;
  /** A client that takes nothing for this long while there is something to send is cut. */
  readonly stalledMs?: number;
}

/** What clients wait before they reconnect. */
const retryMs = 2_000;
/** An ended stream whose client does not take the rest has its connection closed after this; until then Bun would hold it for ever. */
const lingerSeconds = 5;
/** After so many messages in a row the others on this thread get a turn: a source that never waits would keep them out while its client keeps up. */
const burst = 64;

const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

interface OpenStream {
  readonly endless: boolean;
  readonly actor: Actor | undefined;
  readonly ended: Promise<void>;
  close(): void;
}

/** Keeps count of the open streams of this copy, so that it can end them. */
export function createEventStreams({ heartbeatMs = 15_000, stalledMs = 30_000 }: EventStreamOptions = {}): EventStreams {
  const streams = new Set<OpenStream>();
  let draining = false;

  return {
    get open() {
      return streams.size;
    },
    respond: (c, source, { endless }) => {
      // Nothing would ever read the stream of a HEAD, nor end it.
      if (c.req.method === "HEAD") return c.body(null, 200, headers);
      c.env.server.timeout(c.req.raw, 0);
      const stream = openStream(source, { endless, heartbeatMs, stalledMs, log: c.env.log, actor: c.env.actor });
      streams.add(stream);
      void stream.ended.then(() => {
        streams.delete(stream);
        c.env.server.timeout(c.req.raw, lingerSeconds);
      });
      if (draining && endless) stream.close();
      return c.body(stream.body, 200, headers);
    },
    closeFor: (ended) => {
      for (const stream of streams) if (stream.actor && ended(stream.actor)) stream.close();
    },
    drain: async (now) => {
      draining = true;
      const close = () => {
        for (const stream of streams) stream.close();
      };
      for (const stream of streams) if (stream.endless) stream.close();
      now.addEventListener("abort", close, { once: true });
      if (now.aborted) close();
      await Promise.all([...streams].map((stream) => stream.ended));
      now.removeEventListener("abort", close);
    },
  };
}

/**
 * Pull-driven: the source is asked for a message only when the connection has room, so a slow client costs no memory.
 */
function openStream(
  source: SseSource,
  {
    endless,
    actor,
    heartbeatMs,
    stalledMs,
    log,
  }: Required<EventStreamOptions> & Pick<OpenStream, "endless" | "actor"> & { readonly log: Logger },
): OpenStream & { readonly body: ReadableStream<Uint8Array<ArrayBuffer>> } {
  const encoder = new TextEncoder();
  const abort = new AbortController();
  const ended = Promise.withResolvers<void>();
  const messages = source(abort.signal)[Symbol.asyncIterator]();
  let stalled: ReturnType<typeof setTimeout> | undefined;
  let next: Promise<IteratorResult<SseMessage>> | undefined;
  let sent = 0;

  const finish = () => {
    clearTimeout(stalled);
    abort.abort();
    ended.resolve();
    void messages.return?.().catch(() => undefined);
  };

  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start: (controller) => {
        controller.enqueue(encoder.encode(`retry: ${retryMs}\n\n`));
        abort.signal.addEventListener("abort", () => tryClose(controller), { once: true });
      },
      pull: async (controller) => {
        clearTimeout(stalled);
        next ??= messages.next();
        const message = await orSilence(next, heartbeatMs).catch((error: unknown) => {
          log.warn({ err: error }, "event stream ended by an error");
          return { done: true, value: undefined } as const;
        });
        if (abort.signal.aborted) return;
        if (message === "silent") return controller.enqueue(encoder.encode(": heartbeat\n\n"));
        next = undefined;
        if (message.done) return finish();
        sent += 1;
        if (sent % burst === 0) await nextTurn();
        if (abort.signal.aborted) return;
        controller.enqueue(encoder.encode(toFrame(message.value)));
        stalled = setTimeout(() => {
          log.info({ stalledMs }, "event stream cut: the client does not read");
          finish();
        }, stalledMs);
      },
      cancel: finish,
    },
    { highWaterMark: 0 },
  );
  return { endless, actor, ended: ended.promise, close: finish, body };
}

function tryClose(controller: ReadableStreamDefaultController): void {
  try {
    controller.close();
  } catch {
    // The client has cancelled: the stream is closed already.
  }
}

function nextTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  return promise;
}

/** `silent` when `next` has not come within `heartbeatMs`. */
async function orSilence<T>(next: Promise<T>, heartbeatMs: number): Promise<T | "silent"> {
  const silence = Promise.withResolvers<"silent">();
  const timer = setTimeout(() => silence.resolve("silent"), heartbeatMs);
  try {
    return await Promise.race([next, silence.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** JSON has no raw line breaks, so one `data` line is enough. */
function toFrame(message: SseMessage): string {
  const id = message.id === undefined ? "" : `id: ${message.id}\n`;
  return `${id}event: ${message.event}\ndata: ${JSON.stringify(message.data ?? null)}\n\n`;
}
