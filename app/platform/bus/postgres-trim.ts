import type { Sql } from "postgres";
import type { Bus, Cursor } from "./port.ts";
import { toSeq } from "./postgres-log.ts";

/**
 * Removes the beginning of the log and remembers in the same statement how far. By age it walks from the oldest event to the
 * first that is young enough, so it costs what it removes and needs no index on the time.
 */
export async function trim(sql: Sql, { lengthMax, ageMaxMs }: Parameters<Bus["trim"]>[0]): Promise<number> {
  const byLength =
    lengthMax === undefined
      ? sql`null::bigint`
      : sql`(select seq from bus_events order by seq desc offset ${String(Math.floor(lengthMax))}::text::bigint limit 1)`;
  const byAge =
    ageMaxMs === undefined
      ? sql`null::bigint`
      : sql`(select coalesce(
          (select seq - 1 from bus_events where stored_at > clock_timestamp() - ${ageMaxMs}::float8 * interval '1 ms' order by seq limit 1),
          (select max(seq) from bus_events)))`;
  const [row] = await sql<{ removed: number }[]>`
    with bound as (select greatest(${byLength}, ${byAge}) as seq),
    removed as (delete from bus_events using bound where bus_events.seq <= bound.seq returning bus_events.seq),
    mark as (
      update bus_trimmed set through = greatest(through, last.seq)
      from (select max(seq) as seq from removed) last where last.seq is not null
    )
    select count(*)::int as removed from removed`;
  return row?.removed ?? 0;
}

export async function removeEvents(sql: Sql, cursors: readonly Cursor[]): Promise<number> {
  const seqs = JSON.stringify(cursors.map(toSeq));
  const removed = await sql`
    delete from bus_events where seq in (select json_array_elements_text(${seqs}::text::json)::bigint) returning 1`;
  return removed.length;
}
