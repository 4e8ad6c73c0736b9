import type { AuthenticationMethod } from "../../../db/schema/auth.ts";
import type { Actor, RequestOrigin } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { newId } from "../../platform/ids.ts";
import { networkOf } from "../../platform/network.ts";
import type { Unit } from "../../platform/outbox.ts";
import { loginSuspicious, sessionChanged, sessionOpened, userLoggedIn } from "./events.ts";
import { loginNotice, type SendMail } from "./mails.ts";
import type { SignedIn } from "./schema.ts";
import type { Authority } from "./sessions/authority.ts";
import { deviceName } from "./sessions/device.ts";
import { type Sighting, type Suspicion, suspicionsOf } from "./sessions/familiarity.ts";
import { type SessionService, sessionOf } from "./sessions/service.ts";
import type { SessionTokens } from "./sessions/session-tokens.ts";
import type { SessionStore } from "./sessions/store.ts";
import type { UserRow } from "./store.ts";

/** What log-ins run in; `mfa/tries.ts` says why it is more than a unit of work. */
export interface LogInUnit extends Unit {
  /** Whose second factor one code may be compared with here: the try has been counted, whatever becomes of this unit. */
  readonly countedTryOf: string | undefined;
}

export type TransactLogIn = <T>(work: (unit: LogInUnit) => Promise<T>) => Promise<T>;

export interface SecondFactorClaim {
  readonly userId: string;
  readonly code: string | undefined;
  readonly origin: RequestOrigin;
}

/**
 * Checks the second factor of a user who has one. Resolves to how it was proved, or to undefined for a user without one.
 * Throws `Problem`: `mfa_required` without a code, `invalid_credentials` for a wrong or used one.
 */
export type SecondFactor = (unit: LogInUnit, claim: SecondFactorClaim) => Promise<AuthenticationMethod | undefined>;

/** Who asks to come in, and what they have shown so far. */
export interface Entry {
  readonly user: UserRow;
  readonly method: AuthenticationMethod;
  readonly totp?: string | undefined;
  readonly origin: RequestOrigin;
}

export interface LogInDeps {
  readonly store: SessionStore;
  readonly authority: Pick<Authority, "change">;
  readonly sessions: Pick<SessionService, "leave">;
  readonly tokens: SessionTokens;
  readonly secondFactor: SecondFactor;
  readonly sendMail: SendMail;
  readonly sessionsMax: number;
  /** Sessions may be used only from the network they were opened from. */
  readonly bindNetwork: boolean;
  /** Nobody comes in before their e-mail address is verified. */
  readonly requireVerifiedEmail: boolean;
  readonly now: Now;
}

export type LogIn = ReturnType<typeof createLogIn>;

/** Somebody whom the gate has let through. */
interface Admitted {
  /** Held until the unit of work ends. */
  readonly user: UserRow;
  readonly methods: AuthenticationMethod[];
  readonly sighting: Sighting;
  readonly suspicions: readonly Suspicion[];
}

/** How many earlier sessions a log-in is compared with. */
const pastMax = 100;
/** The access token names them all, and has to fit into a header. */
const usersMax = 10;

/**
 * The one gate behind every way to log in. Whoever comes here has shown one factor; the gate asks for the second, refuses disabled accounts,
 * makes room, and opens the session. Both verbs are part of the caller's unit of work.
 */
export function createLogIn(deps: LogInDeps) {
  const { store, authority, sessions, tokens, secondFactor, sendMail, sessionsMax, bindNetwork, now } = deps;

  const prove = async (unit: LogInUnit, { user, method, totp, origin }: Entry): Promise<AuthenticationMethod[]> => {
    if (user.disabledAt) throw new Problem("account_disabled");
    if (deps.requireVerifiedEmail && !user.emailVerifiedAt) throw new Problem("email_not_verified");
    // A passkey is something one has, unlocked by something one is or knows: two factors already.
    const second = method === "hwk" ? undefined : await secondFactor(unit, { userId: user.id, code: totp, origin });
    return second === undefined ? [method] : [method, second];
  };

  /** Of the user's other sessions the oldest go. One that others share loses the user alone. */
  const makeRoom = async (unit: Unit, userId: string, { except, origin }: { readonly except?: string; readonly origin: RequestOrigin }) => {
    const live = (await store.liveOf(userId, unit.tx)).filter(({ id }) => id !== except);
    const oldestFirst = live.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
    for (const session of oldestFirst.slice(0, Math.max(0, live.length - sessionsMax + 1)))
      await sessions.leave(unit, session.id, { userId, reason: "too_many", origin });
  };

  /** Log-ins of one user come one after the other from here on: each counts the sessions of those before, and sees whether the account is disabled. */
  const admit = async (unit: LogInUnit, entry: Entry, sessionId?: string): Promise<Admitted> => {
    const { origin } = entry;
    const user = await store.lockUser(entry.user.id, unit.tx);
    if (!user) throw new Problem("invalid_credentials");
    const methods = await prove(unit, { ...entry, user });
    const sighting: Sighting = { device: await deviceName(origin.userAgent), ip: origin.ip ?? null, createdAt: now() };
    const suspicions = suspicionsOf(sighting, await store.pastOf(user.id, pastMax, unit.tx));
    await makeRoom(unit, user.id, { origin, ...(sessionId === undefined ? {} : { except: sessionId }) });
    return { user, methods, sighting, suspicions };
  };

  const announce = async (
    unit: Unit,
    admitted: Admitted,
    { sessionId, origin }: { readonly sessionId: string; readonly origin: RequestOrigin },
  ) => {
    const { user, methods, sighting, suspicions } = admitted;
    const { device } = sighting;
    const address = { subject: user.id, audience: user.id, actorId: user.id, origin };
    const [newDevice, newNetwork] = [suspicions.includes("new_device"), suspicions.includes("new_network")];
    unit.publish(userLoggedIn, { ...address, data: { sessionId, methods, device, newDevice, newNetwork } });
    if (suspicions.length === 0) return;
    unit.publish(loginSuspicious, { ...address, data: { sessionId, reasons: [...suspicions], device } });
    await sendMail(unit, loginNotice(user, sighting, suspicions));
  };

  return {
    /** Opens a session with the user in it. */
    open: async (unit: LogInUnit, entry: Entry): Promise<SignedIn> => {
      const { origin } = entry;
      const admitted = await admit(unit, entry);
      const { user, methods, sighting } = admitted;
      const session = await store.insert(
        {
          id: newId("session"),
          activeUserId: user.id,
          ip: origin.ip,
          userAgent: origin.userAgent,
          device: sighting.device,
          boundNetwork: bindNetwork && origin.ip ? networkOf(origin.ip) : null,
          createdAt: sighting.createdAt,
          lastSeenAt: sighting.createdAt,
        },
        methods,
        unit.tx,
      );
      unit.publish(sessionOpened, { subject: session.id, audience: user.id, origin, data: { userId: user.id, ip: session.ip } });
      await announce(unit, admitted, { sessionId: session.id, origin });
      return tokens.issue(unit, { session, user, users: [user.id] });
    },

    /** Brings another user into the caller's session and makes them the active one. */
    join: async (unit: LogInUnit, actor: Actor, entry: Entry): Promise<SignedIn> => {
      const { origin } = entry;
      const admitted = await admit(unit, entry, sessionOf(actor));
      const { user, methods, sighting } = admitted;
      const session = await store.lockLive(sessionOf(actor), unit.tx);
      if (!session) throw new Problem("invalid_token", { detail: "The session has ended." });
      const members = await store.memberIds(session.id, unit.tx);
      if (members.length >= usersMax && !members.includes(user.id))
        throw new Problem("conflict", { detail: `A session holds at most ${usersMax} users. Take one out first.` });
      await store.addMember({ sessionId: session.id, userId: user.id, methods, authenticatedAt: sighting.createdAt }, unit.tx);
      const changed = await authority.change(unit, session.id, user.id);
      unit.publish(sessionChanged, {
        subject: session.id,
        audience: user.id,
        actorId: actor.userId,
        origin,
        data: { userId: user.id, change: "user_added" },
      });
      await announce(unit, admitted, { sessionId: session.id, origin });
      return tokens.reissue(unit, { session: changed, user, users: await store.memberIds(session.id, unit.tx) });
    },
  };
}
