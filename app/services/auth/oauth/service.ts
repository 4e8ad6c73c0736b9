import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { loginFailed } from "../events.ts";
import type { SignedIn } from "../schema.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import { sessionOf } from "../sessions/service.ts";
import type { SessionStore } from "../sessions/store.ts";
import type { Flow, FlowCookie, FlowPurpose, Flows, LinkRequest, ReadCookie } from "./flows.ts";
import type { Claim, Identities } from "./identities.ts";
import type { Profile } from "./provider.ts";
import type { FindProvider } from "./providers.ts";
import { assertReturnUrl, type ReturnPolicy } from "./return-url.ts";
import type { SignInCodes } from "./sign-in-codes.ts";
import type { IdentityRow, IdentityStore } from "./store.ts";

export interface OauthDeps {
  readonly findProvider: FindProvider;
  readonly flows: Flows;
  readonly codes: SignInCodes;
  readonly identities: Identities;
  readonly store: Pick<IdentityStore, "ofUser">;
  readonly sessions: Pick<SessionStore, "findLive" | "memberIds">;
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly transact: Transact;
  readonly returnPolicy: ReturnPolicy;
}

export type OauthService = ReturnType<typeof createOauthService>;

/** What the provider sent the browser back with. */
export interface Callback {
  readonly provider: string;
  readonly state: string;
  readonly answer: URLSearchParams;
  readonly cookie: ReadCookie;
}

export type Outcome =
  | { readonly kind: "signed_in"; readonly signedIn: SignedIn }
  | { readonly kind: "linked"; readonly identity: IdentityView }
  | { readonly kind: "redirect"; readonly location: string };

export interface IdentityView {
  readonly provider: string;
  readonly email: string | null;
  readonly createdAt: string;
}

interface Begun {
  readonly url: string;
  readonly cookie: FlowCookie;
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

/** Log-in through an outside provider: authorization code with PKCE, state and nonce (RFC 9700 §2.1, OpenID Connect Core §3.1). */
export function createOauthService(deps: OauthDeps) {
  const { findProvider, flows, codes, identities, store, sessions, transact } = deps;

  const begin = async (name: string, { returnTo: asked, codeChallenge, link }: FlowPurpose, pointer: string): Promise<Begun> => {
    const provider = findProvider(name);
    const returnTo = asked === undefined ? undefined : assertReturnUrl(asked, pointer, deps.returnPolicy);
    const { attempt, cookie } = await flows.begin(name, { returnTo, codeChallenge, link });
    return { url: await provider.authorizationUrl(attempt), cookie };
  };

  /** Runs `work` and, when it refuses, leaves the reason for operators. */
  const watched = async <T>(origin: RequestOrigin, provider: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        const reason = `${provider}: ${error.cause instanceof Error ? error.cause.message : error.message}`;
        await transact(async (unit) => unit.publish(loginFailed, { origin, data: { reason } }));
      }
      throw error;
    }
  };

  /** Only while the session that asked lives and the user is in it: whoever logged out wants no link. */
  const link = (asked: LinkRequest, claim: Claim): Promise<IdentityRow> =>
    transact(async (unit) => {
      const session = await sessions.findLive(asked.sessionId, unit.tx);
      const members = session ? await sessions.memberIds(session.id, unit.tx) : [];
      if (!members.includes(asked.userId))
        throw new Problem("invalid_oauth_flow", { detail: "The session that asked for the link has ended." });
      return identities.link(unit, asked.userId, claim);
    });

  const finish = async ({ returnTo, codeChallenge, link: asked }: Flow, { provider, profile, origin }: Claim): Promise<Outcome> => {
    if (asked) {
      const identity = toView(await link(asked, { provider, profile, origin }));
      return returnTo ? redirect(returnTo, { linked: provider }) : { kind: "linked", identity };
    }
    if (returnTo) return redirect(returnTo, { code: await codes.issue(provider, profile, codeChallenge) });
    return { kind: "signed_in", signedIn: await codes.exchange({ code: await codes.issue(provider, profile) }, origin) };
  };

  return {
    /** Throws `Problem`: `not_found`, `validation_failed`, `provider_unavailable`. */
    begin: (
      provider: string,
      to: { readonly returnTo?: string | undefined; readonly codeChallenge?: string | undefined },
    ): Promise<Begun> => begin(provider, to, "query.returnTo"),

    beginLink: async (actor: Actor, provider: string, returnTo: string | undefined): Promise<Begun> => {
      await deps.assertRecentLogIn(actor);
      return begin(provider, { returnTo, link: { userId: actor.userId, sessionId: sessionOf(actor) } }, "/returnTo");
    },

    /** Ends the flow. A browser that is to return somewhere returns there with what went wrong too, by its problem code. */
    callback: async ({ provider: name, state, answer, cookie }: Callback, origin: RequestOrigin): Promise<Outcome> => {
      const provider = findProvider(name);
      const flow = await watched(origin, name, flows.take(name, state, cookie));
      try {
        const profile: Profile = await watched(origin, name, provider.profile(answer, flow.attempt));
        return await finish(flow, { provider: name, profile, origin });
      } catch (error) {
        if (flow.returnTo && error instanceof Problem) return redirect(flow.returnTo, { error: error.code });
        throw error;
      }
    },

    exchange: codes.exchange,

    identities: async (actor: Actor): Promise<{ readonly data: IdentityView[]; readonly nextCursor: null }> => ({
      data: (await store.ofUser(actor.userId)).map(toView),
      nextCursor: null,
    }),

    unlink: async ({ actor, origin }: Call, provider: string): Promise<void> => {
      await deps.assertRecentLogIn(actor);
      return transact((unit) => identities.unlink(unit, actor.userId, { provider, origin }));
    },
  };
}

/** In the fragment, which browsers send to no server and in no Referer. */
function redirect(returnTo: string, fragment: Readonly<Record<string, string>>): Outcome {
  return { kind: "redirect", location: `${returnTo}#${new URLSearchParams(fragment)}` };
}

function toView({ provider, email, createdAt }: IdentityRow): IdentityView {
  return { provider, email, createdAt: createdAt.toISOString() };
}
