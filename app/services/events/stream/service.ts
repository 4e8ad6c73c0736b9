import type { Actor } from "../../../platform/actor.ts";
import { isCursor } from "../../../platform/bus/cursor.ts";
import type { Feed } from "../../../platform/bus/feed.ts";
import { compilePatterns, type Matches } from "../../../platform/bus/pattern.ts";
import { Problem } from "../../../platform/errors.ts";
import type { MaySee } from "../readers.ts";
import { faultOf } from "../schema.ts";
import type { createEventSources, OpenEventSource } from "./source.ts";

export type EventStreamService = ReturnType<typeof createEventStreamService>;

export interface EventStreamDeps {
  readonly open: ReturnType<typeof createEventSources>;
  readonly maySeeOf: (actor: Actor) => Promise<MaySee>;
  readonly feed: Feed;
  /** The types that change who may see what. */
  readonly membershipTypes: readonly string[];
  /** So many streams one user may hold open on this copy. */
  readonly streamsMax: number;
}

const patternsMax = 20;
const compiledMax = 1_000;

export function createEventStreamService({ open, maySeeOf, feed, membershipTypes, streamsMax }: EventStreamDeps) {
  const openOf = new Map<string, number>();
  /** Refreshes what each stream's caller may see. */
  const refreshers = new Set<() => void>();
  for (const type of membershipTypes)
    feed.watch(type, () => {
      for (const refresh of refreshers) refresh();
    });

  const count = (userId: string, by: 1 | -1) => {
    const streams = (openOf.get(userId) ?? 0) + by;
    if (streams === 0) openOf.delete(userId);
    else openOf.set(userId, streams);
  };

  /** Many streams ask for the same. */
  const compiledPatterns = new Map<string, Matches>();
  const compiled = (patterns: readonly string[]): Matches => {
    const key = patterns.join(" ");
    const matches = compiledPatterns.get(key) ?? compilePatterns(patterns);
    if (compiledPatterns.size >= compiledMax) compiledPatterns.clear();
    compiledPatterns.set(key, matches);
    return matches;
  };

  return {
    /** Throws `Problem`: `invalid_pattern`, `invalid_cursor` or `too_many_streams`. The stream counts from its first part to its end. */
    open: async (
      actor: Actor,
      asked: { readonly patterns: readonly string[]; readonly after: string | undefined },
    ): Promise<OpenEventSource> => {
      const patterns = [...new Set(asked.patterns)];
      const fault = faultOf(patterns);
      if (fault) throw new Problem("invalid_pattern", { detail: fault });
      if (patterns.length > patternsMax)
        throw new Problem("too_many_streams", { detail: `One stream carries at most ${patternsMax} patterns.`, retryAfterSeconds: 60 });
      if (asked.after !== undefined && !isCursor(asked.after))
        throw new Problem("invalid_cursor", {
          detail: `Last-Event-ID "${asked.after.slice(0, 40)}" is not the id of an event of this stream.`,
        });
      if ((openOf.get(actor.userId) ?? 0) >= streamsMax)
        throw new Problem("too_many_streams", {
          detail: `You hold ${streamsMax} event streams open here, which is as many as you may.`,
          retryAfterSeconds: 5,
        });

      let maySee = await maySeeOf(actor);
      // On a failure the stream goes on with what it knew; the next change tries again.
      const refresh = () =>
        void maySeeOf(actor).then(
          (now) => {
            maySee = now;
          },
          () => undefined,
        );
      return open({
        patterns,
        matches: compiled(patterns),
        maySee: (event) => maySee(event),
        after: asked.after,
        onOpen: () => {
          count(actor.userId, 1);
          refreshers.add(refresh);
        },
        onClose: () => {
          refreshers.delete(refresh);
          count(actor.userId, -1);
        },
      });
    },
  };
}
