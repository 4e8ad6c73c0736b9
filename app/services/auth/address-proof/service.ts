import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { networkOf } from "../../../platform/network.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { KeyAuthority } from "../api-keys/authority.ts";
import { accountReclaimed, emailVerified } from "../events.ts";
import { reclaimNotice, type SendMail } from "../mails.ts";
import type { SessionService } from "../sessions/service.ts";
import type { SessionStore } from "../sessions/store.ts";
import type { UserRow } from "../store.ts";
import type { LeaveTeams } from "../teams/leave-all.ts";
import type { AddressProofStore } from "./store.ts";

export interface AddressProofDeps {
  readonly store: AddressProofStore;
  readonly sessionStore: Pick<SessionStore, "memberIds" | "otherLiveOf" | "pastOf">;
  readonly sessions: Pick<SessionService, "leaveAll">;
  readonly keys: Pick<KeyAuthority, "endAllMadeBy">;
  readonly leaveTeams: LeaveTeams;
  readonly sendMail: SendMail;
  readonly now: Now;
}

/** Of this many of its last sessions the networks are known. */
const sightingsMax = 100;

/** How somebody showed that the mailbox is theirs. */
export interface AddressProof {
  readonly by: "magic_link" | "reset_password";
  /** Who showed it, if they are logged in. */
  readonly actor?: Actor | undefined;
  readonly origin: RequestOrigin;
}

/** Takes the address of a user, whom the caller holds locked, as verified. Part of the caller's unit of work. */
export type ProveAddress = (unit: Unit, user: UserRow, proof: AddressProof) => Promise<UserRow>;

/**
 * Anybody can sign up with a stranger's address, and wait for its owner to use the account (pre-hijacking: Sudhodanan and Paverd, USENIX Security 2022). So when
 * an address is proved for the first time, by somebody who is not in a session of the account and comes from a network that the account was never used from, all that
 * was set up before goes: what opens the account, what acts for it, and the teams it came into. What it has made stays, and so does the role, which an administrator
 * gave. An account with a second factor stays as it is: the mailbox alone does not open it, so nobody comes to share it.
 *
 * The link that a sign-up itself has sent is no such proof (`links.redeem`): its mail goes to whoever signed up, often on another device, and says what to do for
 * whom it is a surprise.
 */
export function createProveAddress(deps: AddressProofDeps): ProveAddress {
  const { store, sessionStore, sessions, keys, leaveTeams, sendMail, now } = deps;

  const isInside = async (unit: Unit, userId: string, actor: Actor | undefined): Promise<boolean> =>
    actor?.via.kind === "session" && (await sessionStore.memberIds(actor.via.sessionId, unit.tx)).includes(userId);

  const isKnownNetwork = async (unit: Unit, userId: string, { ip }: RequestOrigin): Promise<boolean> => {
    if (ip === undefined) return false;
    const past = await sessionStore.pastOf(userId, sightingsMax, unit.tx);
    return past.some((seen) => seen.ip !== null && networkOf(seen.ip) === networkOf(ip));
  };

  /** Whether what is there may be somebody else's, who waits for the owner of the address to use it. */
  const mayBeStrangers = async (unit: Unit, userId: string, { actor, origin }: AddressProof): Promise<boolean> =>
    !(
      (await isInside(unit, userId, actor)) ||
      (await isKnownNetwork(unit, userId, origin)) ||
      (await store.hasSecondFactor(userId, unit.tx))
    );

  /** Returns what there was. */
  const removeAll = async (unit: Unit, user: UserRow, origin: RequestOrigin): Promise<string[]> => {
    const { id: userId } = user;
    const hadSessions = (await sessionStore.otherLiveOf(userId, undefined, unit.tx)).length > 0;
    await sessions.leaveAll(unit, { userId, reason: "address_proved", origin });
    const keysEnded = await keys.endAllMadeBy(unit, userId, { reason: "address_proved", origin });
    const teamsLeft = await leaveTeams(unit, userId, origin);
    const credentials = await store.dropCredentials(userId, unit.tx);
    await store.dropPassword(userId, unit.tx);
    return [
      ...(user.passwordHash === null ? [] : ["password"]),
      ...(hadSessions ? ["sessions"] : []),
      ...(keysEnded > 0 ? ["api_keys"] : []),
      ...credentials,
      ...(teamsLeft > 0 ? ["teams"] : []),
    ];
  };

  return async (unit, user, proof) => {
    const { by, origin } = proof;
    if (user.emailVerifiedAt) return user;
    const address = { subject: user.id, audience: user.id, actorId: user.id, origin };
    unit.publish(emailVerified, { ...address, data: { by } });
    const removed = (await mayBeStrangers(unit, user.id, proof)) ? await removeAll(unit, user, origin) : [];
    if (removed.length > 0) {
      unit.publish(accountReclaimed, { ...address, data: { by, removed } });
      await sendMail(unit, reclaimNotice(user, removed));
    }
    return (await store.setVerified(user.id, now(), unit.tx)) ?? user;
  };
}
