import { setImmediate as nextTurn } from "node:timers/promises";
import type { Actor } from "../platform/actor.ts";
import type { AppContext } from "./env.ts";
import type { RequestContext } from "./request-context.ts";

/** One message of an event stream (WHATWG HTML §9.2). */
export interface SseMessage {
  readonly id?: string;
  readonly event: string;
  readonly data: unknown;
}

/** Messages that are encoded already, each a whole frame. */
export interface SseFrames {
  readonly frames: readonly Uint8Array<ArrayBuffer>[];
}

/** The source has no more for now, and will write what comes by itself until `attach` resolves; then it is asked again. */
export interface SseLive {
  attach(sink: SseSink): Promise<void>;
}

export interface SseSink {
  /** Takes whole frames; false when the client has not taken what came before, and then nothing is taken. */
  write(bytes: Uint8Array<ArrayBuffer>): boolean;
}

export type SsePart = SseMessage | SseFrames | SseLive;

/** Yields until there is nothing more to say or `signal` aborts; it is only asked for the next message when the client takes it. */
export type SseSource = (signal: AbortSignal) => AsyncIterable<SsePart>;

export interface StreamOptions {
  /** Closed at once when this copy shuts down; the others may come to their end. */
  readonly endless: boolean;
  /** How far the stream has come where nothing was for the client, who resumes there: an id alone is no message (WHATWG HTML §9.2.6). */
  readonly position?: () => string | undefined;
}

export interface EventStreams {
  /** Answers with the stream. */
  respond(c: AppContext, source: SseSource, options: StreamOptions): Response;
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

const encoder = new TextEncoder();

interface OpenStream {
  readonly endless: boolean;
  readonly actor: Actor | undefined;
  readonly ended: Promise<void>;
  close(): void;
  /** A live stream shows that it is there, or is cut when its client has not taken anything for too long. */
  beat(now: number): void;
}

/** Keeps count of the open streams of this copy, so that it can end them. */
export function createEventStreams({ heartbeatMs = 15_000, stalledMs = 30_000 }: EventStreamOptions = {}): EventStreams {
  const streams = new Set<OpenStream>();
  let draining = false;
  // One clock for all live streams: a timer for each would cost more than the rest of it.
  const beat = () => {
    const now = performance.now();
    for (const stream of streams) stream.beat(now);
  };
  setInterval(beat, heartbeatMs / 5).unref();

  return {
    get open() {
      return streams.size;
    },
    respond: (c, source, { endless, position }) => {
      // Nothing would ever read the stream of a HEAD, nor end it.
      if (c.req.method === "HEAD") return c.body(null, 200, headers);
      const { server } = c.env;
      const request = c.req.raw;
      server.timeout(request, 0);
      const stream = openStream(source, { endless, position, heartbeatMs, stalledMs, context: c.env });
      streams.add(stream);
      void stream.ended.then(() => {
        streams.delete(stream);
        server.timeout(request, lingerSeconds);
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
    position,
    context,
    heartbeatMs,
    stalledMs,
  }: Required<EventStreamOptions> &
    Pick<OpenStream, "endless"> & { readonly position: StreamOptions["position"] | undefined; readonly context: RequestContext },
): OpenStream & { readonly body: ReadableStream<Uint8Array<ArrayBuffer>> } {
  const abort = new AbortController();
  const ended = Promise.withResolvers<void>();
  const messages = source(abort.signal)[Symbol.asyncIterator]();
  let stalled: ReturnType<typeof setTimeout> | undefined;
  let next: Promise<IteratorResult<SsePart>> | undefined;
  let sent = 0;
  let live: { hasRoom: boolean; lastAt: number } | undefined;
  let write: ((bytes: Uint8Array<ArrayBuffer>) => boolean) | undefined;

  const finish = () => {
    clearTimeout(stalled);
    abort.abort();
    ended.resolve();
    void messages.return?.().catch(() => undefined);
  };

  /** One message of the source, or a heartbeat while it has none. */
  const pump = async (controller: Controller): Promise<void> => {
    next ??= messages.next();
    const part = await orSilence(next, heartbeatMs).catch((error: unknown) => {
      context.log.warn({ err: error }, "event stream ended by an error");
      return { done: true, value: undefined } as const;
    });
    if (abort.signal.aborted) return;
    if (part === "silent") return controller.enqueue(encoder.encode(heartbeat(position?.())));
    next = undefined;
    if (part.done) return finish();
    if ("attach" in part.value) return goLive(controller, part.value);
    sent += 1;
    if (sent % burst === 0) await nextTurn();
    if (abort.signal.aborted) return;
    controller.enqueue("frames" in part.value ? joined(part.value.frames) : encoder.encode(toFrame(part.value)));
    stalled = setTimeout(cut, stalledMs);
  };

  const cut = () => {
    context.log.info({ stalledMs }, "event stream cut: the client does not read");
    finish();
  };

  const goLive = (controller: Controller, { attach }: SseLive): void => {
    const state = { hasRoom: true, lastAt: performance.now() };
    live = state;
    write = (bytes) => {
      if (!state.hasRoom || abort.signal.aborted) return false;
      state.hasRoom = false;
      state.lastAt = performance.now();
      controller.enqueue(bytes);
      return true;
    };
    attach({ write }).then(
      () => {
        live = undefined;
        // Without room the next pull goes on; with room there was one already.
        if (state.hasRoom && !abort.signal.aborted) void pump(controller);
        else if (!abort.signal.aborted) stalled = setTimeout(cut, stalledMs);
      },
      (error: unknown) => {
        context.log.warn({ err: error }, "event stream ended by an error");
        finish();
      },
    );
  };

  const beat = (now: number): void => {
    if (!live) return;
    const silentMs = now - live.lastAt;
    if (!live.hasRoom && silentMs > stalledMs) cut();
    else if (live.hasRoom && silentMs >= heartbeatMs * 0.8) write?.(encoder.encode(heartbeat(position?.())));
  };

  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start: (controller) => {
        controller.enqueue(encoder.encode(`retry: ${retryMs}\n\n`));
        abort.signal.addEventListener("abort", () => tryClose(controller), { once: true });
      },
      pull: (controller) => {
        clearTimeout(stalled);
        if (!live) return pump(controller);
        live.hasRoom = true;
        return undefined;
      },
      cancel: finish,
    },
    { highWaterMark: 0 },
  );
  return { endless, actor: context.actor, ended: ended.promise, close: finish, beat, body };
}

type Controller = ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;

function tryClose(controller: ReadableStreamDefaultController): void {
  try {
    controller.close();
  } catch {
    // The client has cancelled: the stream is closed already.
  }
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

function heartbeat(position: string | undefined): string {
  return position === undefined ? ": heartbeat\n\n" : `: heartbeat\nid: ${position}\n\n`;
}

function joined(frames: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first] = frames;
  return first && frames.length === 1 ? first : new Uint8Array(Buffer.concat(frames));
}

/** JSON has no raw line breaks, so one `data` line is enough. */
function toFrame(message: SseMessage): string {
  const id = message.id === undefined ? "" : `id: ${message.id}\n`;
  return `${id}event: ${message.event}\ndata: ${JSON.stringify(message.data ?? null)}\n\n`;
}
