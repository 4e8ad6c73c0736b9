import type { Now } from "../../../platform/clock.ts";
import { randomToken } from "../../../platform/ids.ts";
import type { Unit } from "../../../platform/outbox.ts";
import { hashToken } from "../one-time-tokens.ts";
import type { SignedIn } from "../schema.ts";
import type { UserRow } from "../store.ts";
import type { AccessTokens } from "../tokens/access-tokens.ts";
import { toSessionView, toUserView } from "../views.ts";
import type { KeptAnswers } from "./kept-answers.ts";
import type { SessionRow, SessionStore } from "./store.ts";

export interface SessionState {
  readonly session: SessionRow;
  /** The active one. */
  readonly user: UserRow;
  /** The ids of everybody in the session. */
  readonly users: readonly string[];
}

export type SessionTokens = ReturnType<typeof createSessionTokens>;

/** The pair of tokens that stands for a session. */
export function createSessionTokens(deps: {
  readonly store: Pick<SessionStore, "insertRefreshToken" | "supersedeRefreshTokens">;
  readonly accessTokens: Pick<AccessTokens, "sign">;
  readonly keptAnswers: Pick<KeptAnswers, "sealForAny">;
  readonly refreshSeconds: number;
  readonly now: Now;
}) {
  const { store, accessTokens, keptAnswers, refreshSeconds, now } = deps;

  /** The answer of every route that logs in, around a refresh token that the caller stores. */
  const answer = async ({ session, user, users }: SessionState, refreshToken: string): Promise<SignedIn> => {
    const access = await accessTokens.sign({
      userId: user.id,
      role: user.role,
      sessionId: session.id,
      version: session.version,
      users,
      network: session.boundNetwork ?? undefined,
    });
    return {
      accessToken: access.token,
      refreshToken,
      tokenType: "Bearer",
      expiresIn: access.expiresInSeconds,
      user: toUserView(user),
      session: toSessionView(session),
    };
  };

  /** Part of the caller's unit of work, as `reissue` is. */
  const issue = async (unit: Pick<Unit, "tx">, state: SessionState): Promise<SignedIn> => {
    const refreshToken = randomToken(32);
    const createdAt = now();
    const expiresAt = new Date(createdAt.getTime() + refreshSeconds * 1_000);
    await store.insertRefreshToken({ hash: hashToken(refreshToken), sessionId: state.session.id, createdAt, expiresAt }, unit.tx);
    return answer(state, refreshToken);
  };

  return {
    answer,
    issue,

    /**
     * After a change of who may do what in the session: as if the refresh token from before had been exchanged for this answer. A session has one
     * line of refresh tokens, so that of two who go on from one place one is noticed.
     */
    reissue: async (unit: Pick<Unit, "tx">, state: SessionState): Promise<SignedIn> => {
      const at = now();
      const signedIn = await issue(unit, state);
      const superseded = { at, answer: keptAnswers.sealForAny(signedIn), nextHash: hashToken(signedIn.refreshToken) };
      await store.supersedeRefreshTokens(state.session.id, superseded, unit.tx);
      return signedIn;
    },
  };
}
