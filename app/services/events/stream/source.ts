import { compareCursors } from "../../../platform/bus/cursor.ts";
import type { Matches, Pattern } from "../../../platform/bus/pattern.ts";
import type { Bus, Cursor } from "../../../platform/bus/port.ts";
import type { ToCloudEvent } from "../cloud-event.ts";
import type { MaySee } from "../readers.ts";
import type { SweepStore } from "../retention/store.ts";
import type { Kept, LiveEvents, Membership, Sink } from "./live.ts";

/** What a stream says: an event, several in one piece, that events between two positions are gone, or that there is no more for now: what comes is written to the sink. */
export type StreamPart =
  | { readonly event: "message" | "gap"; readonly id: Cursor; readonly data: unknown }
  | { readonly frames: readonly Uint8Array<ArrayBuffer>[] }
  | { attach(sink: Sink): Promise<void> };

export interface EventSourceOptions {
  readonly patterns: readonly Pattern[];
  readonly matches: Matches;
  /** Asked for each event: what the caller may see can change meanwhile. */
  readonly maySee: MaySee;
  /** Where to go on; undefined for what comes from now on. */
  readonly after: Cursor | undefined;
  readonly onOpen: () => void;
  readonly onClose: () => void;
}

export interface OpenEventSource {
  parts(signal: AbortSignal): AsyncIterable<StreamPart>;
  /** How far this stream has come, also where nothing was for it. */
  position(): Cursor | undefined;
}

const pageSize = 500;

/** Opens streams of events: first what the log holds after the position, then what comes, without a gap or a repeat in between. */
export function createEventSources(deps: {
  readonly bus: Pick<Bus, "read" | "head" | "origin">;
  readonly live: Pick<LiveEvents, "join">;
  /** How far events of single types are gone. */
  readonly sweeps: Pick<SweepStore, "all">;
  readonly toCloudEvent: ToCloudEvent;
}) {
  const { bus, live, sweeps, toCloudEvent } = deps;

  return function openEventSource({ patterns, matches, maySee, after, onOpen, onClose }: EventSourceOptions): OpenEventSource {
    let position = after;
    let member: Membership | undefined;

    /** One page of the log. Where it ends, what is kept has begun. */
    async function* fromLog(from: Cursor, until: Cursor): AsyncGenerator<StreamPart> {
      const { events, next, trimmed } = await bus.read({ after: from, limit: pageSize });
      if (trimmed) {
        const origin = await bus.origin();
        yield { event: "gap", id: origin, data: { after: from, resumedAfter: origin } };
      }
      for (const event of events) {
        position = event.cursor;
        if (matches(event.type) && maySee(event)) yield { event: "message", id: event.cursor, data: toCloudEvent(event) };
      }
      position = events.length === 0 && compareCursors(next, until) < 0 ? until : next;
    }

    function keptAfter(from: Cursor, member: Membership): readonly Kept[] {
      const found = member.after(from).filter((event) => matches(event.type) && maySee(event));
      const through = member.through();
      if (through !== undefined && compareCursors(from, through) < 0) position = through;
      return found;
    }

    async function attach(member: Membership, sink: Sink): Promise<void> {
      const moved = (to: Cursor) => {
        position = to;
      };
      if (position !== undefined)
        position = await member.attach({ sink, position, accepts: (event) => matches(event.type) && maySee(event), moved });
    }

    /** A position behind the end: the log lost events (a failover, a flush), or is another one by now. */
    async function* fromEnd(from: Cursor): AsyncGenerator<StreamPart> {
      const head = await bus.head();
      if (compareCursors(from, head) <= 0) return;
      yield { event: "gap", id: head, data: { after: from, resumedAfter: head } };
      position = head;
    }

    /** Retention may have removed events of these types although the log reaches back further. */
    async function* sweptAfter(from: Cursor): AsyncGenerator<StreamPart> {
      const swept = [...(await sweeps.all())].filter(([type, through]) => matches(type) && compareCursors(through, from) > 0);
      if (swept.length > 0) yield { event: "gap", id: from, data: { after: from, resumedAfter: from, types: swept.map(([type]) => type) } };
    }

    /** What is kept after the position, or the offer to be written to; undefined while that is not known yet. */
    function fromKept(from: Cursor, member: Membership): StreamPart | undefined {
      const found = keptAfter(from, member);
      if (found.length > 0) return { frames: found.map(({ frame }) => frame) };
      // The log may have been read further than the bus thread has: what that still forwards must not be written again.
      const through = member.through();
      const isAhead = through === undefined || compareCursors(from, through) > 0;
      return isAhead ? undefined : { attach: (sink) => attach(member, sink) };
    }

    /** Undefined when the log has to be read, or after waiting for there to be more. */
    async function nextKept(from: Membership): Promise<StreamPart | undefined> {
      const complete = from.completeAfter();
      position ??= complete;
      if (complete !== undefined && position !== undefined) {
        if (compareCursors(position, complete) < 0) return undefined;
        const part = fromKept(position, from);
        if (part) return part;
      }
      await from.news();
      return undefined;
    }

    async function* catchUp(from: Membership): AsyncGenerator<StreamPart> {
      const complete = from.completeAfter();
      if (position !== undefined && complete !== undefined && compareCursors(position, complete) < 0) yield* fromLog(position, complete);
    }

    async function* parts(signal: AbortSignal): AsyncGenerator<StreamPart> {
      const joined = live.join(patterns);
      member = joined;
      onOpen();
      signal.addEventListener("abort", joined.wake, { once: true });
      try {
        if (after !== undefined) {
          yield* sweptAfter(after);
          yield* fromEnd(after);
        }
        while (!signal.aborted) {
          const part = await nextKept(joined);
          if (part) yield part;
          else yield* catchUp(joined);
        }
      } finally {
        joined.leave();
        onClose();
      }
    }

    return { parts, position: () => member?.settled() ?? position };
  };
}
