import type { RequestOrigin } from "../../../../platform/actor.ts";
import type { Now } from "../../../../platform/clock.ts";
import { Problem } from "../../../../platform/errors.ts";
import { randomToken } from "../../../../platform/ids.ts";
import { networkOf } from "../../../../platform/network.ts";
import type { Transact } from "../../../../platform/outbox.ts";
import { type RevocationReason, refreshTokenReused } from "../../events.ts";
import { hashToken } from "../../one-time-tokens.ts";
import type { SignedIn } from "../../schema.ts";
import type { KeptAnswers } from "../kept-answers.ts";
import type { SessionService } from "../service.ts";
import type { SessionTokens } from "../session-tokens.ts";
import type { RefreshStatements } from "./batched.ts";
import type { PresentedToken } from "./store.ts";

export interface RefreshDeps {
  readonly statements: RefreshStatements;
  readonly transact: Transact;
  readonly tokens: Pick<SessionTokens, "answer">;
  readonly keptAnswers: Pick<KeptAnswers, "sealFor" | "open">;
  readonly sessions: Pick<SessionService, "revoke">;
  readonly refreshSeconds: number;
  /** A used token that comes back within this time gets its answer again: two tabs, or an answer that was lost on its way. */
  readonly graceSeconds: number;
  readonly idleSeconds: number;
  readonly sessionMaxSeconds: number;
  readonly now: Now;
}

export type Refresh = (refreshToken: string, origin: RequestOrigin) => Promise<SignedIn>;

/** Two exchanges of one token can meet once; the second then finds the answer of the first. */
const triesMax = 3;

/**
 * A new pair for a refresh token, which then has done its work. One that comes back after the grace window ends its session, because then two
 * hold it and one of them stole it (RFC 9700 §4.14.2). Throws `Problem` (`invalid_refresh_token`).
 */
export function createRefresh(deps: RefreshDeps): Refresh {
  const { statements, transact, keptAnswers, sessions, now } = deps;

  const refuse = async (presented: PresentedToken, reason: RevocationReason, origin: RequestOrigin): Promise<never> => {
    const { id, activeUserId } = presented.session;
    await transact(async (unit) => {
      await sessions.revoke(unit, id, { reason, origin });
      if (reason === "reuse")
        unit.publish(refreshTokenReused, { subject: id, audience: activeUserId, origin, data: { userId: activeUserId } });
    });
    throw new Problem("invalid_refresh_token");
  };

  const exchange = async (refreshToken: string, presented: PresentedToken, origin: RequestOrigin): Promise<SignedIn | undefined> => {
    const { session, user, users, token } = presented;
    const at = now();
    const next = randomToken(32);
    const answer = await deps.tokens.answer({ session: { ...session, lastSeenAt: at, ip: origin.ip ?? session.ip }, user, users }, next);
    const exchanged = await statements.exchange({
      hash: token.hash,
      answer: keptAnswers.sealFor(refreshToken, answer),
      nextHash: hashToken(next),
      at,
      nextExpiresAt: new Date(at.getTime() + deps.refreshSeconds * 1_000),
      ip: origin.ip,
    });
    return exchanged ? answer : undefined;
  };

  /** Throws unless the session may go on from here. */
  const assertUsable = async (presented: PresentedToken, origin: RequestOrigin): Promise<void> => {
    const { token, session, user } = presented;
    const at = now().getTime();
    const elsewhere = session.boundNetwork !== null && (!origin.ip || networkOf(origin.ip) !== session.boundNetwork);
    if (session.revokedAt || elsewhere || token.expiresAt.getTime() <= at) throw new Problem("invalid_refresh_token");
    if (user.disabledAt) throw new Problem("account_disabled");
    if (at - session.lastSeenAt.getTime() > deps.idleSeconds * 1_000) await refuse(presented, "idle", origin);
    if (at - session.createdAt.getTime() > deps.sessionMaxSeconds * 1_000) await refuse(presented, "too_old", origin);
  };

  /** The answer that a used token got, while its grace lasts and nobody has gone on from there. */
  const answerAgain = async (refreshToken: string, { token }: PresentedToken): Promise<SignedIn | undefined> => {
    const usedMsAgo = now().getTime() - (token.usedAt?.getTime() ?? 0);
    if (!token.answer || usedMsAgo > deps.graceSeconds * 1_000) return undefined;
    const answer = keptAnswers.open(refreshToken, token.answer);
    if (!answer) throw new Problem("invalid_refresh_token");
    const next = await statements.findPresented(hashToken(answer.refreshToken));
    return next && !next.token.usedAt ? answer : undefined;
  };

  return async (refreshToken, origin) => {
    for (let attempt = 0; attempt < triesMax; attempt += 1) {
      const presented = await statements.findPresented(hashToken(refreshToken));
      if (!presented) throw new Problem("invalid_refresh_token");
      await assertUsable(presented, origin);
      if (presented.token.usedAt) return (await answerAgain(refreshToken, presented)) ?? refuse(presented, "reuse", origin);
      const answer = await exchange(refreshToken, presented, origin);
      if (answer) return answer;
    }
    throw new Problem("invalid_refresh_token");
  };
}
