import type { Sql } from "postgres";
import { withDeadline } from "../deadline.ts";
import type { Logger } from "../logger.ts";
import { beginning } from "./cursor.ts";
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
  readonly id: string;
  readonly type: string;
  readonly subject: string | null;
  readonly audience: string | null;
  readonly request_id: string | null;
  readonly time: string;
  readonly data: string;
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
      select seq::text, id, type, subject, audience, request_id, data::text,
        to_char(time at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as time
      from bus_events where bus_events.seq > ${toSeq(after)}::text::bigint order by bus_events.seq limit ${limit}::int
    ) page on true`;
  const rows = await withDeadline("reading the event log", queryMsMax, query);
  const through = rows[0]?.trimmed_through ?? "0";
  const trimmed = BigInt(toSeq(after)) < BigInt(through);
  const events = rows.flatMap(toEvent);
  return { events, next: events.at(-1)?.cursor ?? (trimmed ? toCursor(through) : after), trimmed };
}

function toEvent(row: Row): readonly StoredEvent[] {
  if (row.seq === null) return [];
  return [
    {
      cursor: toCursor(row.seq),
      id: row.id,
      type: row.type,
      time: row.time,
      ...(row.subject !== null && { subject: row.subject }),
      ...(row.audience !== null && { audience: row.audience }),
      ...(row.request_id !== null && { requestId: row.request_id }),
      data: JSON.parse(row.data),
    },
  ];
}

async function oneCursor(query: PromiseLike<readonly { readonly seq: string }[]>): Promise<Cursor> {
  const [row] = await withDeadline("reading the event log", queryMsMax, query);
  return row === undefined ? beginning : toCursor(row.seq);
}
