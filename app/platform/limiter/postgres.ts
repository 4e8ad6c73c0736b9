import type { Sql } from "postgres";
import { withDeadline } from "../deadline.ts";
import { assertUnits, type Outcome, toDecision } from "./decision.ts";
import type { Limiter, LimitPolicy } from "./port.ts";

const queryMsMax = 3_000;
const sweepEveryMs = 60_000;

/** Counts in the table `limiter_windows`: shared by all copies and still there after a restart. `sql` stays the caller's. */
export function createPostgresLimiter({ sql }: { readonly sql: Sql }): Limiter {
  let sweepAt = performance.now() + sweepEveryMs;

  return {
    consume: async (policy, key, units = 1) => {
      assertUnits(units);
      sweepNowAndThen();
      const outcome = units <= policy.limit ? await take(policy, key, units) : undefined;
      return toDecision(policy, outcome ?? (await look(policy, key)));
    },
    reset: async (policy, key) => {
      await inTime(sql`delete from limiter_windows where policy = ${policy.name} and key = ${key}`);
    },
    close: async () => undefined,
  };

  /** Undefined when the window has too little left: then the row is locked and compared, but not changed. */
  async function take(policy: LimitPolicy, key: string, units: number): Promise<Outcome | undefined> {
    const [row] = await inTime(sql<{ used: number; reset_ms: number }[]>`
      insert into limiter_windows as w (policy, key, used, expires_at)
      values (${policy.name}, ${key}, ${units}::int, now() + ${policy.windowSeconds}::int * interval '1 second')
      on conflict (policy, key) do update set
        used = case when w.expires_at <= now() then 0 else w.used end + excluded.used,
        expires_at = case when w.expires_at <= now() then excluded.expires_at else w.expires_at end
      where w.expires_at <= now() or w.used + excluded.used <= ${policy.limit}::int
      returning used::int, (extract(epoch from expires_at - now()) * 1000)::float8 as reset_ms`);
    return row && { allowed: true, used: row.used, resetMs: row.reset_ms };
  }

  async function look(policy: LimitPolicy, key: string): Promise<Outcome> {
    const [row] = await inTime(sql<{ used: number; reset_ms: number }[]>`
      select used::int, (extract(epoch from expires_at - now()) * 1000)::float8 as reset_ms
      from limiter_windows where policy = ${policy.name} and key = ${key} and expires_at > now()`);
    return { allowed: false, used: row?.used ?? 0, resetMs: row?.reset_ms ?? policy.windowSeconds * 1_000 };
  }

  function sweepNowAndThen(): void {
    if (performance.now() < sweepAt) return;
    sweepAt = performance.now() + sweepEveryMs;
    // Expired rows only take up room, so a failed sweep is the next one's business.
    inTime(sql`delete from limiter_windows where expires_at <= now()`).catch(() => undefined);
  }

  function inTime<T>(query: PromiseLike<T>): Promise<T> {
    return withDeadline("counting a request", queryMsMax, query);
  }
}
