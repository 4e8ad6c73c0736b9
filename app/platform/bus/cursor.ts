import type { Cursor, IsCursor } from "./port.ts";

const shape = /^(0|[1-9]\d{0,18})-(0|[1-9]\d{0,18})$/;
/** What PostgreSQL's `bigint` holds; the ids of a Redis Stream stay below it until the year 292 million. */
const partMax = 2n ** 63n - 1n;

/** Before everything: reading after it starts with the first event there ever was. */
export const beginning: Cursor = "0-0";

/** `<n>-<m>` in canonical decimal: a Redis Stream id, or a sequence number of the PostgreSQL log followed by `-0`. */
export const isCursor: IsCursor = (value) => {
  const parts = shape.exec(value);
  return parts?.slice(1).every((part) => BigInt(part) <= partMax) ?? false;
};

/** Negative when `a` comes before `b`, 0 when they are the same position. Both must be cursors of one bus. */
export function compareCursors(a: Cursor, b: Cursor): number {
  const [aMajor, aMinor] = partsOf(a);
  const [bMajor, bMinor] = partsOf(b);
  if (aMajor !== bMajor) return aMajor < bMajor ? -1 : 1;
  if (aMinor !== bMinor) return aMinor < bMinor ? -1 : 1;
  return 0;
}

/** Throws a RangeError for anything that `isCursor` refuses: by then it is a fault of ours, not of a client. */
export function assertCursor(value: string): void {
  if (!isCursor(value)) throw new RangeError(`not a bus cursor: ${JSON.stringify(value)}`);
}

function partsOf(cursor: Cursor): readonly [bigint, bigint] {
  assertCursor(cursor);
  const dash = cursor.indexOf("-");
  return [BigInt(cursor.slice(0, dash)), BigInt(cursor.slice(dash + 1))];
}
