import { createHash } from "node:crypto";
import { z } from "zod";
import { Problem } from "../../../platform/errors.ts";
import { randomToken } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { hashToken, type OneTimeTokens } from "../one-time-tokens.ts";
import type { Attempt } from "./provider.ts";

/** What the browser keeps until it comes back. */
export interface FlowCookie {
  readonly name: string;
  readonly value: string;
  readonly secure: boolean;
  readonly maxAgeSeconds: number;
}

/** What the flow is for: the identity shall be linked to this user, who asked in this session. Without it: a log-in. */
export interface LinkRequest {
  readonly userId: string;
  readonly sessionId: string;
}

export interface FlowPurpose {
  /** Absolute and checked. */
  readonly returnTo?: string | undefined;
  /** Of whoever will exchange the code that `returnTo` gets. */
  readonly codeChallenge?: string | undefined;
  readonly link?: LinkRequest | undefined;
}

export interface Flow extends FlowPurpose {
  readonly attempt: Attempt;
}

export type Flows = ReturnType<typeof createFlows>;
export type ReadCookie = (name: string) => string | undefined;

const lifetimeSeconds = 600;

const flowData = z.object({
  provider: z.string(),
  browser: z.string(),
  returnTo: z.string().optional(),
  codeChallenge: z.string().optional(),
  sessionId: z.string().optional(),
});

/**
 * A log-in that is on its way. Its `state` is a one-time token. The browser that began it holds a secret of which only the digest is
 * stored; PKCE verifier and nonce are made from that secret, so neither a leaked table nor another browser can finish it (RFC 9700 §2.1, §4.7).
 */
export function createFlows(deps: { readonly oneTimeTokens: OneTimeTokens; readonly transact: Transact; readonly publicUrl: string }) {
  const { oneTimeTokens, transact } = deps;
  const publicUrl = deps.publicUrl.replace(/\/+$/, "");
  const secure = publicUrl.startsWith("https:");

  /** One for each flow, so that two tabs do not end each other's. */
  const cookieName = (state: string) => `${secure ? "__Host-" : ""}keelson-oauth-${hashToken(state).slice(0, 12)}`;

  const attemptOf = (provider: string, state: string, secret: string): Attempt => ({
    redirectUri: `${publicUrl}/v1/auth/oauth/${provider}/callback`,
    state,
    codeVerifier: derive("code_verifier", secret),
    nonce: derive("nonce", secret),
  });

  return {
    begin: async (
      provider: string,
      { returnTo, codeChallenge, link }: FlowPurpose,
    ): Promise<{ readonly attempt: Attempt; readonly cookie: FlowCookie }> => {
      const secret = randomToken(32);
      const data = { provider, browser: hashToken(secret), returnTo, codeChallenge, sessionId: link?.sessionId } satisfies z.infer<
        typeof flowData
      >;
      const token = { purpose: "oauth_flow", data, lifetimeSeconds, ...(link ? { userId: link.userId } : {}) } as const;
      const state = await transact((unit) => oneTimeTokens.issue(unit, token));
      return {
        attempt: attemptOf(provider, state, secret),
        cookie: { name: cookieName(state), value: secret, secure, maxAgeSeconds: lifetimeSeconds },
      };
    },

    /**
     * Takes the flow for good. Throws `Problem` (`invalid_oauth_flow`) when it is unknown, used, past its time, of another provider or
     * begun in another browser, which leaves it to the one that began it.
     */
    take: (provider: string, state: string, cookie: ReadCookie): Promise<Flow> =>
      transact(async (unit) => {
        const secret = cookie(cookieName(state));
        if (secret === undefined) throw notFinished("It was not begun in this browser.");
        const row = await oneTimeTokens.take(unit, "oauth_flow", state);
        if (!row) throw notFinished("It was used, or it is too old.");
        const { browser, sessionId, provider: begunWith, ...purpose } = flowData.parse(row.data);
        if (browser !== hashToken(secret)) throw notFinished("It was not begun in this browser.");
        if (begunWith !== provider) throw notFinished("It was begun with another provider.");
        return { attempt: attemptOf(provider, state, secret), ...purpose, link: linkOf(row.userId, sessionId) };
      }),
  };
}

function linkOf(userId: string | null, sessionId: string | undefined): LinkRequest | undefined {
  return userId !== null && sessionId !== undefined ? { userId, sessionId } : undefined;
}

function notFinished(detail: string): Problem {
  return new Problem("invalid_oauth_flow", { detail });
}

/** 43 characters, as many as RFC 7636 §4.1 asks for at least. */
function derive(use: string, secret: string): string {
  return createHash("sha256").update(`${use}:${secret}`).digest("base64url");
}
