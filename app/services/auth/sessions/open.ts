import type { Db } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { AuthSettings } from "../settings.ts";
import type { AccessTokens } from "../tokens/access-tokens.ts";
import type { Revocations } from "../tokens/revocations.ts";
import { createAuthority } from "./authority.ts";
import { createKeptAnswers } from "./kept-answers.ts";
import { batched } from "./refresh/batched.ts";
import { createRefresh } from "./refresh/refresh.ts";
import { createRefreshStore } from "./refresh/store.ts";
import { createSessionService } from "./service.ts";
import { createSessionTokens } from "./session-tokens.ts";
import type { SessionStore } from "./store.ts";

export interface OpenSessionsDeps {
  readonly db: Db;
  readonly store: SessionStore;
  readonly revocations: Pick<Revocations, "learn">;
  readonly accessTokens: Pick<AccessTokens, "sign">;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly settings: Pick<AuthSettings, "refreshTokenSeconds" | "refreshGraceSeconds" | "sessionIdleSeconds" | "sessionMaxSeconds">;
  readonly now: Now;
}

/** Puts the parts of sessions together. Holds nothing open. */
export function openSessions({ db, store, revocations, accessTokens, transact, seal, settings, now }: OpenSessionsDeps) {
  const {
    refreshTokenSeconds: refreshSeconds,
    refreshGraceSeconds: graceSeconds,
    sessionIdleSeconds: idleSeconds,
    sessionMaxSeconds,
  } = settings;
  const keptAnswers = createKeptAnswers(seal);
  const tokens = createSessionTokens({ store, accessTokens, keptAnswers, refreshSeconds, now });
  const authority = createAuthority({ store, revocations });
  const sessions = createSessionService({ store, authority, transact, tokens, now });
  const limits = { refreshSeconds, graceSeconds, idleSeconds, sessionMaxSeconds };
  const refresh = createRefresh({ statements: batched(createRefreshStore(db)), transact, tokens, keptAnswers, sessions, ...limits, now });
  return { tokens, authority, sessions, refresh };
}
