import { compilePatterns, type Matches, type Pattern } from "../app/platform/bus/pattern.ts";
import type { Cursor, StoredEvent } from "../app/platform/bus/port.ts";
import type { ToCloudEvent } from "../app/services/events/cloud-event.ts";
import type { LiveEvent } from "../app/services/events/stream/live.ts";

export interface EventForwarderOptions {
  /** Where the log is read from. */
  readonly from: Cursor;
  readonly toCloudEvent: ToCloudEvent;
  readonly forward: (events: readonly LiveEvent[], through: Cursor) => void;
}

/** The bus thread's half of event streams: of all that happens only what somebody on this copy follows goes to the main thread. */
export function createEventForwarder({ from, toCloudEvent, forward }: EventForwarderOptions) {
  let through = from;
  let matches: Matches | undefined;

  return {
    follow: (patterns: readonly Pattern[]): Cursor => {
      matches = patterns.length === 0 ? undefined : compilePatterns(patterns);
      return through;
    },

    take: (events: readonly StoredEvent[]): void => {
      through = events.at(-1)?.cursor ?? through;
      if (!matches) return;
      const followed = events.filter(({ type }) => matches?.(type));
      forward(
        followed.map((event) => ({
          cursor: event.cursor,
          type: event.type,
          ...(event.audience === undefined ? {} : { audience: event.audience }),
          ...(event.tenant === undefined ? {} : { tenant: event.tenant }),
          json: JSON.stringify(toCloudEvent(event)),
        })),
        through,
      );
    },
  };
}
