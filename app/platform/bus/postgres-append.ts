import type { Sql } from "postgres";
import { isDatabaseUnavailable } from "../../../db/errors.ts";
import { withDeadline } from "../deadline.ts";
import { encodeEvent } from "./encode.ts";
import type { BusEvent, Cursor } from "./port.ts";
import { toCursor } from "./postgres-log.ts";

/** An event on its way into the log; its JSON is an object of the columns, in which `event` is JSON in a string. */
export interface Append {
  readonly id: string;
  readonly json: string;
}

/** The second layer of JSON keeps PostgreSQL from looking into the event: taken apart, the escape of a NUL character would be refused. */
export function toAppend({ uniqueId, ...event }: BusEvent): Append {
  const id = uniqueId ?? event.id;
  return { id, json: JSON.stringify({ id, type: event.type, event: encodeEvent(event) }) };
}

/** How long to wait before each repeat when the connection broke or fell silent; ids are unique, so a repeat never stores twice. */
const repeatAfterMs = [20, 200];
const attemptMsMax = 1_000;

/** Stores events in order and gives each its cursor, or the error that is its own: one bad event does not fail its neighbours. */
export async function append(sql: Sql, batch: readonly Append[]): Promise<readonly (Cursor | Error)[]> {
  try {
    return await insertAndRepeat(sql, batch);
  } catch (error) {
    if (batch.length === 1 || !isRefusedData(error)) throw error;
    const halves = [batch.slice(0, batch.length / 2), batch.slice(batch.length / 2)];
    const results: (Cursor | Error)[] = [];
    for (const half of halves) results.push(...(await appendOrError(sql, half)));
    return results;
  }
}

async function appendOrError(sql: Sql, batch: readonly Append[]): Promise<readonly (Cursor | Error)[]> {
  try {
    return await append(sql, batch);
  } catch (error) {
    const reason = error instanceof Error ? error : new Error(String(error));
    return batch.map(() => reason);
  }
}

async function insertAndRepeat(sql: Sql, batch: readonly Append[]): Promise<readonly Cursor[]> {
  for (const waitMs of repeatAfterMs) {
    try {
      return await withDeadline("publishing", attemptMsMax, insert(sql, batch));
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      await Bun.sleep(waitMs);
    }
  }
  return withDeadline("publishing", attemptMsMax, insert(sql, batch));
}

async function insert(sql: Sql, batch: readonly Append[]): Promise<readonly Cursor[]> {
  const stored = await sql<{ id: string; seq: string }[]>`
    insert into bus_events (id, type, event)
    select id, type, event
    from rows from (json_to_recordset(${`[${batch.map((event) => event.json).join()}]`}::text::json) as (
      id text, type text, event text
    )) with ordinality order by ordinality
    on conflict (id) do nothing
    returning id, seq::text`;
  const seqs = new Map(stored.map((row) => [row.id, row.seq]));
  const known = batch.map((event) => event.id).filter((id) => !seqs.has(id));
  if (known.length > 0) {
    const earlier = await sql<{ id: string; seq: string }[]>`select id, seq::text from bus_events 
      where id in (select json_array_elements_text(${JSON.stringify(known)}::text::json))`;
    for (const row of earlier) seqs.set(row.id, row.seq);
  }
  return batch.map((event) => toCursor(seqs.get(event.id) ?? "0"));
}

/** SQLSTATE class 22 (data exception), 23 (constraint) and 54 (limit): the fault is in an event, not in the database. */
function isRefusedData(error: unknown): boolean {
  return error instanceof Error && "code" in error && /^(22|23|54)...$/.test(String(error.code));
}
