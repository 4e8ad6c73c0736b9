import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Unit } from "../../../platform/outbox.ts";
import { identityLinked, identityUnlinked, userSignedUp } from "../events.ts";
import { identityNotice, type SendMail } from "../mails.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { Profile } from "./provider.ts";
import type { IdentityRow, IdentityStore } from "./store.ts";

/** Whom a provider says it is, and which provider. */
export interface Claim {
  readonly provider: string;
  readonly profile: Profile;
  readonly origin: RequestOrigin;
}

export interface IdentityDeps {
  readonly store: IdentityStore;
  readonly users: Pick<AuthStore, "findUserByEmail" | "insertUser" | "lockUser">;
  readonly sendMail: SendMail;
  readonly signup: "open" | "invite" | "closed";
  readonly now: Now;
}

export type Identities = ReturnType<typeof createIdentities>;

/** Which account a provider's account opens, and how it comes to do so. All verbs are part of the caller's unit of work. */
export function createIdentities({ store, users, sendMail, signup, now }: IdentityDeps) {
  const attach = async (unit: Unit, user: UserRow, { claim, how }: { claim: Claim; how: "signed_up" | "verified_email" | "signed_in" }) => {
    const { provider, profile, origin } = claim;
    const row = await store.insert(
      { provider, subject: profile.subject, userId: user.id, email: profile.email, createdAt: now() },
      unit.tx,
    );
    unit.publish(identityLinked, { subject: user.id, audience: user.id, actorId: user.id, origin, data: { provider, how } });
    if (how !== "signed_up") await sendMail(unit, identityNotice(user, { provider, change: "linked" }));
    return row;
  };

  const create = async (unit: Unit, email: string, claim: Claim): Promise<UserRow> => {
    if (signup !== "open") throw new Problem("signup_closed");
    const at = now();
    const { profile, origin } = claim;
    const user = await users.insertUser({ id: newId("user"), email, name: profile.name, emailVerifiedAt: at, createdAt: at }, unit.tx);
    if (!user) throw new Problem("email_taken", { detail: "Somebody signed up with this address just now: try again." });
    unit.publish(userSignedUp, { subject: user.id, audience: user.id, actorId: user.id, origin, data: { role: user.role } });
    await attach(unit, user, { claim, how: "signed_up" });
    return user;
  };

  return {
    /**
     * The account to log in to. An unknown identity is linked to an account only when both sides have verified the address: else somebody could
     * sign up with another's address first and wait for them (pre-hijacking, Sudhodanan and Paverd 2022), or write another's address into
     * their profile at the provider. Throws `Problem`: `email_not_vouched`, `email_taken`, `signup_closed`.
     */
    resolve: async (unit: Unit, claim: Claim): Promise<UserRow> => {
      const { provider, profile } = claim;
      await store.lock({ provider, subject: profile.subject }, unit.tx);
      const known = await store.find({ provider, subject: profile.subject }, unit.tx);
      if (known) return known.user;
      if (profile.email === undefined || !profile.emailVerified)
        throw new Problem("email_not_vouched", { detail: `${provider} does not vouch for an e-mail address of this account.` });
      const user = await users.findUserByEmail(profile.email, unit.tx);
      if (!user) return create(unit, profile.email, claim);
      if (!user.emailVerifiedAt)
        throw new Problem("email_taken", {
          detail: `Log in to it as before and link ${provider} there, or verify its e-mail address first: by a log-in link, or by a new password.`,
        });
      await attach(unit, user, { claim, how: "verified_email" });
      return user;
    },

    /** For whoever is logged in already: the addresses do not matter. Throws `Problem` (`identity_taken`) when it opens another account. */
    link: async (unit: Unit, userId: string, claim: Claim): Promise<IdentityRow> => {
      const { provider, profile } = claim;
      await store.lock({ provider, subject: profile.subject }, unit.tx);
      const known = await store.find({ provider, subject: profile.subject }, unit.tx);
      if (known && known.user.id !== userId) throw new Problem("identity_taken");
      if (known) return known.identity;
      const user = await users.lockUser(userId, unit.tx);
      if (!user || user.disabledAt) throw new Problem("account_disabled");
      return attach(unit, user, { claim, how: "signed_in" });
    },

    /** Throws `Problem`: `not_found` without such an identity, `only_way_in` when nothing else opens the account. */
    unlink: async (unit: Unit, userId: string, by: { readonly provider: string; readonly origin: RequestOrigin }): Promise<void> => {
      const { provider, origin } = by;
      // Held until the end, so that two ways to log in are not taken away at once.
      const user = await users.lockUser(userId, unit.tx);
      const all = await store.ofUser(userId, unit.tx);
      if (!(user && all.some((identity) => identity.provider === provider)))
        throw new Problem("not_found", { detail: `No account at ${provider} is linked.` });
      const hasOther = all.some((identity) => identity.provider !== provider);
      if (!(hasOther || user.passwordHash !== null || (await store.hasPasskey(userId, unit.tx)))) throw new Problem("only_way_in");
      await store.deleteOfUser(userId, provider, unit.tx);
      unit.publish(identityUnlinked, { subject: userId, audience: userId, actorId: userId, origin, data: { provider } });
      await sendMail(unit, identityNotice(user, { provider, change: "unlinked" }));
    },
  };
}
