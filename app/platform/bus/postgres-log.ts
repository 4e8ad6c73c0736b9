import type { Sql } from "postgres";
import { withDeadline } from "../deadline.ts";
import type { Logger } from "../logger.ts";
import { assertCursor, beginning } from "./cursor.ts";
import { decodeEvent } from "./encode.ts";
import type { Cursor, ReadResult, StoredEvent } from "./port.ts";
import type { Wake } from "./postgres-wake.ts";

/** What the verbs of one bus share. */
export interface PostgresBusContext {
  readonly sql: Sql;
  readonly wake: Wake;
  readonly log: Logger | undefined;
}

/** All of it as text: the pool belongs to others, who may have set parsers of their own (drizzle does). */
interface Row {
  readonly seq: string | null;
  readonly event: string;
  readonly stored_at: string;
  readonly trimmed_through: string;
}

export const queryMsMax = 3_000;

export function toCursor(seq: string): Cursor {
  return `${seq}-0`;
}

/** Cursors of another adapter pass too (after a change of the substrate): they stand for no event here, only for a number. */
export function toSeq(cursor: Cursor): string {
  return cursor.slice(0, cursor.indexOf("-"));
}

export async function readHead(sql: Sql): Promise<Cursor> {
  return oneCursor(
    sql<{ seq: string }[]>`
      select coalesce((select max(seq) from bus_events), (select through from bus_trimmed))::text as seq`,
  );
}

export async function readOrigin(sql: Sql): Promise<Cursor> {
  return oneCursor(sql<{ seq: string }[]>`select through::text as seq from bus_trimmed`);
}

/** One statement, hence one snapshot: a trim in between can't pass a gap off as none. */
export async function readRange(sql: Sql, { after, limit }: { readonly after: Cursor; readonly limit: number }): Promise<ReadResult> {
  const query = sql<Row[]>`
    select bus_trimmed.through::text as trimmed_through, page.*
    from bus_trimmed left join lateral (
      select seq::text, event, ${milliseconds(sql)} as stored_at from bus_events where bus_events.seq > ${toSeq(after)}::text::bigint order by bus_events.seq limit ${limit}::int
    ) page on true`;
  const rows = await withDeadline("reading the event log", queryMsMax, query);
  const through = rows[0]?.trimmed_through ?? "0";
  const trimmed = BigInt(toSeq(after)) < BigInt(through);
  const events = rows.flatMap(toEvent);
  return { events, next: events.at(-1)?.cursor ?? (trimmed ? toCursor(through) : after), trimmed };
}

export async function readBackRange(
  sql: Sql,
  { before, limit }: { readonly before?: Cursor; readonly limit: number },
): Promise<readonly StoredEvent[]> {
  if (before !== undefined) assertCursor(before);
  const query = sql<Row[]>`
    select seq::text, event, ${milliseconds(sql)} as stored_at from bus_events
    where ${before === undefined ? sql`true` : sql`seq < ${toSeq(before)}::text::bigint`} order by bus_events.seq desc limit ${limit}::int`;
  return (await withDeadline("reading the event log", queryMsMax, query)).flatMap(toEvent);
}

/** Only the day's blocks are looked at: the index is a BRIN one. */
export async function cursorBefore(sql: Sql, time: Date): Promise<Cursor> {
  return oneCursor(
    sql<{ seq: string }[]>`
      select coalesce(
        (select min(seq) - 1 from bus_events where stored_at >= ${time.toISOString()}::text::timestamptz),
        (select max(seq) from bus_events), (select through from bus_trimmed)
      )::text as seq`,
  );
}

export async function countEvents(sql: Sql): Promise<number> {
  const [row] = await withDeadline("counting the event log", queryMsMax, sql<{ n: string }[]>`select count(*)::text as n from bus_events`);
  return Number(row?.n ?? 0);
}

function milliseconds(sql: Sql) {
  return sql`floor(extract(epoch from stored_at) * 1000)::text`;
}

function toEvent(row: Row): readonly StoredEvent[] {
  return row.seq === null ? [] : [{ ...decodeEvent(row.event), cursor: toCursor(row.seq), storedAt: Number(row.stored_at) }];
}

async function oneCursor(query: PromiseLike<readonly { readonly seq: string }[]>): Promise<Cursor> {
  const [row] = await withDeadline("reading the event log", queryMsMax, query);
  return row === undefined ? beginning : toCursor(row.seq);
}
