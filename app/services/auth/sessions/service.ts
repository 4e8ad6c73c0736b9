import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { type RevocationReason, sessionChanged, sessionRevoked } from "../events.ts";
import { toSessionView, toUserView } from "../views.ts";
import type { Authority } from "./authority.ts";
import type { SessionTokens } from "./session-tokens.ts";
import type { SessionRow, SessionStore } from "./store.ts";

export type SessionService = ReturnType<typeof createSessionService>;

export interface SessionDeps {
  readonly store: SessionStore;
  readonly authority: Authority;
  readonly transact: Transact;
  readonly tokens: SessionTokens;
  readonly now: Now;
}

/** Who acts, from which request. */
interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

/** As many idle sessions as one round ends. */
const idleBatch = 500;

/** What a user sees of sessions and may do with them. Sessions open in `log-in.ts`, and are renewed in `refresh.ts`. */
export function createSessionService({ store, authority, transact, tokens, now }: SessionDeps) {
  const revoke = async (unit: Unit, id: string, how: { readonly reason: RevocationReason } & Partial<Call>) => {
    const row = await authority.end(unit, id, { at: now(), reason: how.reason });
    if (!row) return;
    unit.publish(sessionRevoked, {
      subject: id,
      audience: row.activeUserId,
      ...(how.actor ? { actorId: how.actor.userId } : {}),
      ...(how.origin ? { origin: how.origin } : {}),
      data: { userId: row.activeUserId, reason: how.reason },
    });
  };

  /** Takes the user out; with nobody left the session ends. */
  const leave = async (unit: Unit, id: string, how: { readonly userId: string; readonly reason: RevocationReason } & Partial<Call>) => {
    const session = await store.lockLive(id, unit.tx);
    if (!session) return;
    const others = (await store.memberIds(id, unit.tx)).filter((member) => member !== how.userId);
    const [next] = others;
    if (next === undefined) return revoke(unit, id, how);
    await store.removeMember(id, how.userId, unit.tx);
    await authority.change(unit, id, session.activeUserId === how.userId ? next : session.activeUserId);
    unit.publish(sessionChanged, {
      subject: id,
      audience: how.userId,
      ...(how.actor ? { actorId: how.actor.userId } : {}),
      ...(how.origin ? { origin: how.origin } : {}),
      data: { userId: how.userId, change: "user_removed" },
    });
  };

  const ownLive = async (actor: Actor, unit?: Unit): Promise<SessionRow> => {
    const id = sessionOf(actor);
    const session = unit ? await store.lockLive(id, unit.tx) : await store.findLive(id);
    if (!session) throw new Problem("invalid_token", { detail: "The session has ended." });
    return session;
  };

  return {
    revoke,
    leave,

    /** Ends every session of the user, or takes the user out of those that others share. */
    leaveAll: async (
      unit: Unit,
      how: { readonly userId: string; readonly reason: RevocationReason; readonly exceptId?: string } & Partial<Call>,
    ) => {
      for (const id of await store.otherLiveOf(how.userId, how.exceptId, unit.tx)) await leave(unit, id, how);
    },

    /** Older access tokens of the user's sessions are refused; the next refresh makes one with the new role. */
    roleChanged: async (unit: Unit, userId: string, by: Partial<Call> = {}) => {
      for (const session of await store.liveOf(userId, unit.tx)) {
        await authority.change(unit, session.id, session.activeUserId);
        unit.publish(sessionChanged, {
          subject: session.id,
          audience: userId,
          ...(by.actor ? { actorId: by.actor.userId } : {}),
          data: { userId, change: "role_changed" },
        });
      }
    },

    logout: (call: Call): Promise<void> => transact((unit) => revoke(unit, sessionOf(call.actor), { reason: "logout", ...call })),

    current: async (actor: Actor) => {
      const session = await ownLive(actor);
      const members = await store.members(session.id);
      return {
        session: toSessionView(session),
        activeUserId: session.activeUserId,
        users: members.map(({ user }) => {
          const { id, email, name, role } = toUserView(user);
          return { id, email, name, role };
        }),
      };
    },

    list: async (actor: Actor) => {
      const current = actor.via.kind === "session" ? actor.via.sessionId : undefined;
      const rows = await store.liveOf(actor.userId);
      return { data: rows.map((row) => ({ ...toSessionView(row), current: row.id === current })), nextCursor: null };
    },

    /** Log-out from afar. Somebody else's session does not exist. */
    endOne: (call: Call, id: string): Promise<void> =>
      transact(async (unit) => {
        const mine = await store.liveOf(call.actor.userId, unit.tx);
        if (!mine.some((session) => session.id === id)) throw new Problem("not_found", { detail: `There is no session ${id}.` });
        await leave(unit, id, { userId: call.actor.userId, reason: "remote_logout", ...call });
      }),

    /** All but the one that asks. */
    endOthers: (call: Call): Promise<void> =>
      transact(async (unit) => {
        const { actor } = call;
        const exceptId = actor.via.kind === "session" ? actor.via.sessionId : undefined;
        for (const id of await store.otherLiveOf(actor.userId, exceptId, unit.tx))
          await leave(unit, id, { userId: actor.userId, reason: "remote_logout", ...call });
      }),

    /**
     * Authority goes to another user who is in the session already; the old tokens lose it. To the active one there is nothing to switch: new
     * tokens for nothing would make a refresh token out of a stolen access token.
     */
    switchTo: (call: Call, userId: string) =>
      transact(async (unit) => {
        const session = await ownLive(call.actor, unit);
        const members = await store.members(session.id, unit.tx);
        const next = members.find(({ user }) => user.id === userId);
        if (!next) throw new Problem("not_found", { detail: `There is no user ${userId} in this session.` });
        if (next.user.disabledAt) throw new Problem("account_disabled");
        if (userId === session.activeUserId) throw new Problem("conflict", { detail: "This user is the active one already." });
        const changed = await authority.change(unit, session.id, userId);
        unit.publish(sessionChanged, {
          subject: session.id,
          audience: userId,
          actorId: call.actor.userId,
          origin: call.origin,
          data: { userId, change: "user_switched" },
        });
        return tokens.reissue(unit, { session: changed, user: next.user, users: members.map(({ user }) => user.id) });
      }),

    /** Returns how many sessions it ended. */
    endIdle: async (idleSeconds: number): Promise<number> => {
      const idle = await store.idleSince(new Date(now().getTime() - idleSeconds * 1_000), idleBatch);
      for (const id of idle) await transact((unit) => revoke(unit, id, { reason: "idle" }));
      return idle.length;
    },

    /** Who is left goes on; removing the last one ends the session. */
    removeUser: (call: Call, userId: string): Promise<void> =>
      transact(async (unit) => {
        const session = await ownLive(call.actor, unit);
        if (!(await store.memberIds(session.id, unit.tx)).includes(userId))
          throw new Problem("not_found", { detail: `There is no user ${userId} in this session.` });
        await leave(unit, session.id, { userId, reason: "logout", ...call });
      }),
  };
}

/** The session whose token was shown. Throws `Problem` (`forbidden`) for an API key, which has none. */
export function sessionOf(actor: Actor): string {
  if (actor.via.kind !== "session") throw new Problem("forbidden", { detail: "This needs a log-in: an API key has no session." });
  return actor.via.sessionId;
}
