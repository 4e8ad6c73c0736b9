import type { z } from "zod";
import { isCursor } from "../../platform/bus/cursor.ts";
import { compilePatterns } from "../../platform/bus/pattern.ts";
import type { Bus, Cursor, StoredEvent } from "../../platform/bus/port.ts";
import { Problem } from "../../platform/errors.ts";
import type { MaySee } from "./readers.ts";
import { type eventQuery, faultOf } from "./schema.ts";

export type RecentQuery = z.infer<typeof eventQuery>;

interface Recent {
  readonly events: readonly StoredEvent[];
  /** Where the next page begins; null when there is none. */
  readonly next: Cursor | null;
}

const pageSize = 500;
/** One request looks through this many pages of the log at most; where it stopped, the next one goes on. */
const pagesMax = 10;

/** Events that were stored lately and that the caller may see, the newest first. Throws `Problem` (`invalid_pattern`, `invalid_cursor`). */
export async function readRecent(bus: Pick<Bus, "readBack">, query: RecentQuery & { readonly maySee: MaySee }): Promise<Recent> {
  const isWanted = filterOf(query);
  const since = query.since ? Date.parse(query.since) : Number.NEGATIVE_INFINITY;
  const events: StoredEvent[] = [];
  let before = query.cursor;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const page = await bus.readBack({ ...(before === undefined ? {} : { before }), limit: pageSize });
    const young = page.filter(({ storedAt }) => storedAt >= since);
    for (const event of young) {
      before = event.cursor;
      if (isWanted(event)) events.push(event);
      if (events.length === query.limit) return { events, next: before };
    }
    if (young.length < pageSize) return { events, next: null };
  }
  return { events, next: before ?? null };
}

function filterOf({ pattern, cursor, until, maySee }: RecentQuery & { readonly maySee: MaySee }): (event: StoredEvent) => boolean {
  const fault = faultOf(pattern ?? []);
  if (fault) throw new Problem("invalid_pattern", { detail: fault });
  if (cursor !== undefined && !isCursor(cursor)) throw new Problem("invalid_cursor", { detail: "That is no cursor of the event log." });
  const matches = pattern ? compilePatterns(pattern) : () => true;
  const latest = until ? Date.parse(until) : Number.POSITIVE_INFINITY;
  return (event) => event.storedAt <= latest && matches(event.type) && maySee(event);
}
