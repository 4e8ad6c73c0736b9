import { z } from "zod";
import { defineEvent } from "../../platform/events.ts";

const method = z.enum(["pwd", "otp", "hwk", "email", "fed", "rc"]);

/** The subject is the user. */
export const userSignedUp = defineEvent({
  type: "user.signed_up",
  audited: true,
  data: z.object({ role: z.enum(["user", "admin"]) }),
});

/** The subject is the user whose address somebody tried to sign up with. */
export const signupRepeated = defineEvent({ type: "security.signup_repeated", audited: true, data: z.object({}) });

/** The subject is the user. An administrator changed the account. */
export const userUpdated = defineEvent({
  type: "user.updated",
  audited: true,
  data: z.object({
    role: z.enum(["user", "admin"]).optional(),
    disabled: z.boolean().optional(),
    tier: z.enum(["free", "pro", "enterprise"]).optional(),
  }),
});

/** The subject is the user, who changed what the account is called; the names themselves are not for the audit log. */
export const userRenamed = defineEvent({ type: "user.renamed", audited: true, data: z.object({}) });

/** The subject is the user, who closed the account. */
export const userDeleted = defineEvent({ type: "user.deleted", audited: true, data: z.object({}) });

/** The subject is the user, of whom nothing is left. */
export const userErased = defineEvent({ type: "user.erased", audited: true, data: z.object({}) });

/** The subject is the user. */
export const userLoggedIn = defineEvent({
  type: "user.logged_in",
  audited: true,
  data: z.object({ sessionId: z.string(), methods: z.array(method), device: z.string(), newDevice: z.boolean(), newNetwork: z.boolean() }),
});

/** The subject is the user. Wrong password, code or the like; the reason is for operators, never for the client. */
export const loginFailed = defineEvent({ type: "security.login_failed", audited: true, data: z.object({ reason: z.string() }) });

/** The subject is the user. */
export const loginSuspicious = defineEvent({
  type: "security.login_suspicious",
  audited: true,
  data: z.object({ sessionId: z.string(), reasons: z.array(z.enum(["new_device", "new_network", "impossible_pace"])), device: z.string() }),
});

/** The subject is the session. */
export const sessionOpened = defineEvent({ type: "session.opened", data: z.object({ userId: z.string(), ip: z.string().nullable() }) });

export const revocationReasons = [
  "logout",
  "remote_logout",
  "admin_logout",
  "reuse",
  "idle",
  "too_old",
  "too_many",
  "password_changed",
  "user_disabled",
  "user_deleted",
  "address_proved",
] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/** The subject is the session. Its tokens are refused from now on. */
export const sessionRevoked = defineEvent({
  type: "session.revoked",
  audited: true,
  data: z.object({ userId: z.string(), reason: z.enum(revocationReasons) }),
});

/** The subject is the session. What it may do has changed, so its older access tokens are refused. */
export const sessionChanged = defineEvent({
  type: "session.changed",
  audited: true,
  data: z.object({ userId: z.string(), change: z.enum(["user_added", "user_switched", "user_removed", "role_changed"]) }),
});

/** The subject is the session. An old refresh token came back: somebody else may hold a copy (RFC 9700 §4.14.2). */
export const refreshTokenReused = defineEvent({
  type: "security.refresh_token_reused",
  audited: true,
  data: z.object({ userId: z.string() }),
});

/** The subject is the key, as in all events of keys. */
export const apiKeyCreated = defineEvent({
  type: "api_key.created",
  audited: true,
  data: z.object({ name: z.string(), scopes: z.array(z.string()), teamId: z.string().nullable() }),
});

/** An administrator brought it from another system, for its owner. */
export const apiKeyImported = defineEvent({
  type: "api_key.imported",
  audited: true,
  data: z.object({ name: z.string(), scopes: z.array(z.string()), ownerId: z.string() }),
});

/** What copies know of the key is out of date. `changed` names fields, never what is in them. */
export const apiKeyChanged = defineEvent({ type: "api_key.changed", audited: true, data: z.object({ changed: z.array(z.string()) }) });

export const apiKeyRotated = defineEvent({ type: "api_key.rotated", audited: true, data: z.object({ graceSeconds: z.number() }) });

export const keyRevocationReasons = ["revoked", "member_removed", "team_deleted", "address_proved"] as const;
export type KeyRevocationReason = (typeof keyRevocationReasons)[number];

export const apiKeyRevoked = defineEvent({
  type: "api_key.revoked",
  audited: true,
  data: z.object({ reason: z.enum(keyRevocationReasons), teamId: z.string().nullable() }),
});

const credits = z.object({ creditsUsed: z.number(), limit: z.number() });

/** Once each time that spending goes beyond the soft limit. */
export const apiKeySoftLimitCrossed = defineEvent({ type: "api_key.credit_soft_limit_crossed", audited: true, data: credits });

/** The first time that the hard limit refuses something, until the limit is changed. */
export const apiKeyHardLimitCrossed = defineEvent({ type: "api_key.credit_hard_limit_crossed", audited: true, data: credits });

const teamRole = z.enum(["owner", "admin", "member", "viewer"]);

/** The subject is the team, as in all events of teams. */
export const teamCreated = defineEvent({ type: "team.created", audited: true, data: z.object({ name: z.string() }) });
export const teamRenamed = defineEvent({ type: "team.renamed", audited: true, data: z.object({ name: z.string() }) });
export const teamDeleted = defineEvent({ type: "team.deleted", audited: true, data: z.object({}) });
export const teamMemberJoined = defineEvent({
  type: "team.member_joined",
  audited: true,
  data: z.object({ userId: z.string(), role: teamRole }),
});
export const teamMemberChanged = defineEvent({
  type: "team.member_changed",
  audited: true,
  data: z.object({ userId: z.string(), role: teamRole }),
});
export const teamMemberRemoved = defineEvent({ type: "team.member_removed", audited: true, data: z.object({ userId: z.string() }) });
export const teamOwnerChanged = defineEvent({
  type: "team.owner_changed",
  audited: true,
  data: z.object({ from: z.string(), to: z.string() }),
});
export const teamInvitationSent = defineEvent({
  type: "team.invitation_sent",
  audited: true,
  data: z.object({ invitationId: z.string(), role: teamRole }),
});
export const teamInvitationWithdrawn = defineEvent({
  type: "team.invitation_withdrawn",
  audited: true,
  data: z.object({ invitationId: z.string() }),
});

/** The subject is the user. An account at the provider opens theirs from now on. */
export const identityLinked = defineEvent({
  type: "identity.linked",
  audited: true,
  data: z.object({ provider: z.string(), how: z.enum(["signed_up", "verified_email", "signed_in"]) }),
});

/** The subject is the user. */
export const identityUnlinked = defineEvent({ type: "identity.unlinked", audited: true, data: z.object({ provider: z.string() }) });
/** The subject is the account, or nobody for a whole network. Tries to log in have to wait from now on. */
export const loginBlocked = defineEvent({
  type: "security.login_blocked",
  audited: true,
  data: z.object({ scope: z.enum(["account_network", "network", "account"]), failures: z.number().int() }),
});

/** The subject is the user. */
export const passwordChanged = defineEvent({
  type: "user.password_changed",
  audited: true,
  data: z.object({ how: z.enum(["change", "set", "reset"]) }),
});

/** The subject is the invitation, as in all events of invitations to sign up. */
export const invitationSent = defineEvent({ type: "invitation.sent", audited: true, data: z.object({ role: z.enum(["user", "admin"]) }) });
export const invitationWithdrawn = defineEvent({ type: "invitation.withdrawn", audited: true, data: z.object({}) });
export const invitationAccepted = defineEvent({
  type: "invitation.accepted",
  audited: true,
  data: z.object({ userId: z.string(), role: z.enum(["user", "admin"]) }),
});

const linkPurpose = z.enum(["verify_email", "reset_password", "magic_link"]);

/** The subject is the user. Whoever reads the mail can follow the link. */
export const linkMailed = defineEvent({ type: "user.link_mailed", audited: true, data: z.object({ purpose: linkPurpose }) });

/** The subject is the user. */
export const emailVerified = defineEvent({
  type: "user.email_verified",
  audited: true,
  data: z.object({ by: z.enum([...linkPurpose.options, "invitation"]) }),
});

/**
 * The subject is the user. Whoever proved the address first was in no session of the account, so what had been set up before was removed: it may have been a
 * stranger's.
 */
export const accountReclaimed = defineEvent({
  type: "security.account_reclaimed",
  audited: true,
  data: z.object({ by: z.enum(["magic_link", "reset_password"]), removed: z.array(z.string()) }),
});

/** The subject is the user: whoever has the mailbox says that the sign-up was not theirs. */
export const userDisowned = defineEvent({ type: "user.disowned", audited: true, data: z.object({}) });

/** The subject is the user. A wrong or used code, after a right first factor. */
export const secondFactorFailed = defineEvent({ type: "security.second_factor_failed", audited: true, data: z.object({}) });

/** The subject is the user, who was given a secret; it counts once it is confirmed. */
export const mfaBegun = defineEvent({ type: "user.mfa_begun", audited: true, data: z.object({}) });

/** The subject is the user. */
export const mfaEnabled = defineEvent({ type: "user.mfa_enabled", audited: true, data: z.object({}) });

/** The subject is the user. */
export const mfaDisabled = defineEvent({ type: "user.mfa_disabled", audited: true, data: z.object({}) });

/** The subject is the user. The codes from before no longer work. */
export const recoveryCodesMade = defineEvent({ type: "user.recovery_codes_made", audited: true, data: z.object({}) });

/** The subject is the user, as in all events of passkeys. */
export const passkeyAdded = defineEvent({ type: "user.passkey_added", audited: true, data: z.object({ passkeyId: z.string() }) });
export const passkeyRemoved = defineEvent({ type: "user.passkey_removed", audited: true, data: z.object({ passkeyId: z.string() }) });

/** A right signature with a counter that was there before: somebody else may have a copy of the key. The log-in was refused. */
export const passkeyCloned = defineEvent({ type: "security.passkey_cloned", audited: true, data: z.object({ passkeyId: z.string() }) });
