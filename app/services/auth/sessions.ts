import { createHash } from "node:crypto";
import type { RequestOrigin } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { newId, randomToken } from "../../platform/ids.ts";
import type { Transact, Unit } from "../../platform/outbox.ts";
import type { AccessTokens } from "./access-tokens.ts";
import { sessionOpened, sessionRevoked } from "./events.ts";
import type { AuthStore, SessionRow, UserRow } from "./store.ts";

export interface TokenPair {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly tokenType: "Bearer";
  readonly expiresIn: number;
}

export type Sessions = ReturnType<typeof createSessions>;

export interface SessionDeps {
  readonly store: AuthStore;
  readonly transact: Transact;
  readonly accessTokens: AccessTokens;
  readonly refreshSeconds: number;
  readonly now: Now;
}

/** Opening, renewing and ending sessions. A session is the family of all refresh tokens that came one from the other. */
export function createSessions({ store, transact, accessTokens, refreshSeconds, now }: SessionDeps) {
  const issue = async (unit: Unit, session: SessionRow, user: UserRow): Promise<TokenPair> => {
    const refreshToken = randomToken(32);
    await store.insertRefreshToken(
      { hash: hashToken(refreshToken), sessionId: session.id, createdAt: now(), expiresAt: new Date(+now() + refreshSeconds * 1_000) },
      unit.tx,
    );
    const access = await accessTokens.sign({ userId: user.id, sessionId: session.id, role: user.role });
    return { accessToken: access.token, refreshToken, tokenType: "Bearer", expiresIn: access.expiresInSeconds };
  };

  const revoke = async (unit: Unit, sessionId: string, reason: "logout" | "reuse") => {
    const revoked = await store.revokeSession(sessionId, now(), unit.tx);
    if (revoked) unit.publish(sessionRevoked, { subject: sessionId, audience: revoked.userId, data: { userId: revoked.userId, reason } });
  };

  return {
    /** Part of the caller's unit of work. */
    open: async (unit: Unit, user: UserRow, origin: RequestOrigin) => {
      const session = await store.insertSession(
        { id: newId("session"), userId: user.id, ip: origin.ip, userAgent: origin.userAgent, createdAt: now(), lastSeenAt: now() },
        unit.tx,
      );
      unit.publish(sessionOpened, {
        subject: session.id,
        audience: user.id,
        requestId: origin.requestId,
        data: { userId: user.id, ip: session.ip },
      });
      return { user, session, tokens: await issue(unit, session, user) };
    },

    /** A new pair for a refresh token, which then has done its work. Coming back with a used one ends the session (RFC 9700 §4.14.2). */
    refresh: async (refreshToken: string) => {
      const hash = hashToken(refreshToken);
      const renewed = await transact(async (unit) => {
        const known = await store.findRefreshToken(hash, unit.tx);
        if (!known || known.expiresAt <= now()) return undefined;
        if (known.usedAt) {
          await revoke(unit, known.sessionId, "reuse");
          return undefined;
        }
        const session = await store.findLiveSession(known.sessionId, unit.tx);
        const user = session && (await store.findUser(session.userId, unit.tx));
        if (!session || !user) return undefined;
        await store.useRefreshToken(hash, now(), unit.tx);
        await store.touchSession(session.id, now(), unit.tx);
        return { user, session, tokens: await issue(unit, session, user) };
      });
      if (!renewed) throw new Problem("invalid_refresh_token");
      return renewed;
    },

    end: (sessionId: string): Promise<void> => transact((unit) => revoke(unit, sessionId, "logout")),
  };
}

/** Only the digest is stored, so a leaked table opens no session. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
