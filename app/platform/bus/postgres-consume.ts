import { withDeadline } from "../deadline.ts";
import { beginning } from "./cursor.ts";
import { deliver, keepRunning, type Session } from "./keep-running.ts";
import type { Bus, ConsumeOptions, Cursor, Running } from "./port.ts";
import { type PostgresBusContext, queryMsMax, readHead, readOrigin, readRange, toCursor, toSeq } from "./postgres-log.ts";

/** A copy that can't reach the database must still be able to stop; its lease runs out by itself. */
const releaseMsMax = 1_000;

/**
 * One copy at a time works for a group, by a lease on the group's row that it renews; so order holds within the group, no
 * connection is held while `handle` runs, and whoever lost the lease can't move the cursor any more.
 */
export function consumePostgres(context: PostgresBusContext, options: ConsumeOptions, handle: Parameters<Bus["consume"]>[1]): Running {
  const { sql, wake, log } = context;
  const { group, batchSize, claimAfterMs } = options;
  const owner = crypto.randomUUID();
  const name = `event bus group ${group}`;
  let handledThrough: Cursor | undefined;
  let held: { readonly cursor: Cursor; readonly renewAt: number } | undefined;

  return keepRunning({ name, log, finish: release }, work);

  async function work({ signal, begun }: Session): Promise<void> {
    await ensureGroup();
    begun();
    while (!signal.aborted) {
      const version = wake.version();
      const cursor = await position();
      const worked = cursor !== undefined && (await workOn(cursor, signal));
      if (!worked) await wake.after(version, signal);
    }
  }

  /** True when there was something to do. */
  async function workOn(cursor: Cursor, signal: AbortSignal): Promise<boolean> {
    const { events, next } = await readRange(sql, { after: cursor, limit: batchSize });
    if (events.length === 0) return false;
    const heartbeat = setInterval(() => void lease().catch(() => undefined), claimAfterMs / 3);
    const accepted = await deliver(events, handle, { signal, name, log }).finally(() => clearInterval(heartbeat));
    if (accepted) handledThrough = next;
    return accepted;
  }

  /** Where to read on, or undefined while another copy works for the group. An idle group writes nothing but its renewals. */
  async function position(): Promise<Cursor | undefined> {
    const fresh = held !== undefined && performance.now() < held.renewAt;
    return fresh && handledThrough === undefined ? held?.cursor : lease();
  }

  /** Takes or renews the lease and moves the cursor past what has been handled, in one statement. */
  async function lease(): Promise<Cursor | undefined> {
    const handled = handledThrough;
    const renewAt = performance.now() + claimAfterMs / 3;
    const query = sql<{ cursor: string }[]>`
      update bus_groups set owner = ${owner}, leased_until = clock_timestamp() + ${claimAfterMs}::float8 * interval '1 ms',
        cursor = case when owner = ${owner} then greatest(cursor, ${toSeq(handled ?? beginning)}::text::bigint) else cursor end
      where name = ${group} and (owner is null or owner = ${owner} or leased_until < clock_timestamp())
      returning cursor::text`;
    const [row] = await withDeadline("leasing an event group", queryMsMax, query);
    if (handledThrough === handled) handledThrough = undefined;
    held = row && { cursor: toCursor(row.cursor), renewAt };
    return held?.cursor;
  }

  async function ensureGroup(): Promise<void> {
    const [known] = await withDeadline("finding an event group", queryMsMax, sql`select 1 from bus_groups where name = ${group}`);
    if (known !== undefined) return;
    const from = options.from === "start" ? await readOrigin(sql) : await readHead(sql);
    const query = sql`insert into bus_groups (name, cursor) values (${group}, ${toSeq(from)}::text::bigint) on conflict (name) do nothing`;
    await withDeadline("making an event group", queryMsMax, query);
  }

  /** Stores how far this copy came; the notification makes the next one take over at once. */
  async function release(): Promise<void> {
    const query = sql`
      with released as (
        update bus_groups set owner = null, leased_until = '-infinity',
          cursor = greatest(cursor, ${toSeq(handledThrough ?? beginning)}::text::bigint)
        where name = ${group} and owner = ${owner} returning name
      )
      select pg_notify('keelson_bus', '') from released`;
    await withDeadline("releasing an event group", releaseMsMax, query);
  }
}
