import { eq, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../../../../db/client.ts";
import { refreshTokens, sessions, users } from "../../../../../db/schema/auth.ts";
import type { UserRow } from "../../store.ts";
import type { SessionRow } from "../store.ts";

export type RefreshStore = ReturnType<typeof createRefreshStore>;

/** A refresh token with all that its exchange needs. */
export interface PresentedToken {
  readonly token: typeof refreshTokens.$inferSelect;
  readonly session: SessionRow;
  readonly user: UserRow;
  /** The ids of everybody in the session, in the order in which they came. */
  readonly users: readonly string[];
}

/** A token's use: what it is exchanged for, and when. */
export interface Exchange {
  readonly hash: string;
  /** The sealed answer. */
  readonly answer: Uint8Array;
  readonly nextHash: string;
  readonly at: Date;
  readonly nextExpiresAt: Date;
  readonly ip: string | undefined;
}

const exchangedRows = z.array(z.object({ hash: z.string() }));

/**
 * The statements that clients ask for in thousands, for many clients at once. What is looked up stands in an array, because the planner then goes by
 * the index even while the tables were never analyzed.
 */
export function createRefreshStore(db: Db) {
  const presented = db
    .select({
      token: refreshTokens,
      session: sessions,
      user: users,
      users: sql<
        string[]
      >`(select json_agg(user_id order by authenticated_at, user_id) from session_users where session_id = ${sessions.id})`,
    })
    .from(refreshTokens)
    .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
    .innerJoin(users, eq(users.id, sessions.activeUserId))
    .where(sql`${refreshTokens.hash} = any(array(select json_array_elements_text(${sql.placeholder("hashes")}::json)))`)
    .prepare("presented_refresh_tokens");

  /**
   * One statement, so that of several exchanges of one token exactly one succeeds. It holds the sessions before the tokens, in the order in which
   * changes of them do. Returns the `nextHash` of each exchange that was made.
   */
  const exchange = async (exchanges: readonly Exchange[], onHeldSessions: "wait" | "skip"): Promise<ReadonlySet<string>> => {
    const asked = exchanges.map(({ answer, ...scalars }) => ({ ...scalars, answer: Buffer.from(answer).toString("base64") }));
    const rows = await db.execute(sql`
      with asked as (
        select * from json_to_recordset(${JSON.stringify(asked)}::json)
          as asked (hash text, answer text, "nextHash" text, at timestamptz, "nextExpiresAt" timestamptz, ip text)
      ), held as (
        select id from sessions
        where id = any(array(select session_id from refresh_tokens where hash = any(array(select hash from asked)) and used_at is null))
          and revoked_at is null
        order by id for no key update ${onHeldSessions === "skip" ? sql`skip locked` : sql``}
      ), used as (
        update refresh_tokens set used_at = asked.at, answer = decode(asked.answer, 'base64')
        from asked
        where refresh_tokens.hash = asked.hash and refresh_tokens.hash = any(array(select hash from asked)) and used_at is null
          and session_id in (select id from held)
        returning session_id, asked."nextHash", asked.at, asked."nextExpiresAt", asked.ip
      ), seen as (
        update sessions set last_seen_at = used.at, ip = coalesce(used.ip, sessions.ip)
        from used
        where id = used.session_id and id = any(array(select session_id from used))
      )
      insert into refresh_tokens (hash, session_id, created_at, expires_at)
      select "nextHash", session_id, at, "nextExpiresAt" from used
      returning hash`);
    return new Set(exchangedRows.parse([...rows]).map(({ hash }) => hash));
  };

  return {
    /** In no order, without those that there are none of. */
    presented: (hashes: readonly string[]): Promise<PresentedToken[]> => presented.execute({ hashes: JSON.stringify(hashes) }),

    /** Leaves out used tokens, ended sessions and, not to wait for them, sessions that something else is changing. */
    exchangeFree: (exchanges: readonly Exchange[]) => exchange(exchanges, "skip"),

    /** Waits for what is changing the session. False for a used token and an ended session. */
    exchangeOne: async (one: Exchange): Promise<boolean> => (await exchange([one], "wait")).has(one.nextHash),
  };
}
