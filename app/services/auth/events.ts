import { z } from "zod";
import { eventsOf } from "../../platform/events.ts";

const event = eventsOf("auth");

const method = z.enum(["pwd", "otp", "hwk", "email", "fed", "rc"]);

export const userSignedUp = event({
  type: "user.signed_up",
  description: "An account was made. The subject is the user.",
  audited: true,
  data: z.object({ role: z.enum(["user", "admin"]) }),
});

export const signupRepeated = event({
  type: "security.signup_repeated",
  description: "Somebody tried to sign up with the address of an account. The subject is the user who has it.",
  audited: true,
  outcome: "refused",
  data: z.object({}),
});

export const userUpdated = event({
  type: "user.updated",
  description: "An administrator changed an account. The subject is the user.",
  audited: true,
  data: z.object({
    role: z.enum(["user", "admin"]).optional(),
    disabled: z.boolean().optional(),
    tier: z.enum(["free", "pro", "enterprise"]).optional(),
  }),
});

export const userRenamed = event({
  type: "user.renamed",
  description: "An account is called something else now; the names themselves are not told. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const userDeleted = event({
  type: "user.deleted",
  description: "An account was closed. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const userErased = event({
  type: "user.erased",
  description: "Nothing is left of a user. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const userLoggedIn = event({
  type: "user.logged_in",
  description: "Somebody logged in. The subject is the user.",
  audited: true,
  data: z.object({ sessionId: z.string(), methods: z.array(method), device: z.string(), newDevice: z.boolean(), newNetwork: z.boolean() }),
});

export const loginFailed = event({
  type: "security.login_failed",
  description: "A wrong password, code or the like; the reason is for operators, never for the client. The subject is the user.",
  audited: true,
  outcome: "refused",
  data: z.object({ reason: z.string() }),
});

export const loginSuspicious = event({
  type: "security.login_suspicious",
  description: "A log-in that is unlike those before. The subject is the user.",
  audited: true,
  data: z.object({ sessionId: z.string(), reasons: z.array(z.enum(["new_device", "new_network", "impossible_pace"])), device: z.string() }),
});

export const sessionOpened = event({
  type: "session.opened",
  description: "A session began. The subject is the session.",
  data: z.object({ userId: z.string(), ip: z.string().nullable() }),
});

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

export const sessionRevoked = event({
  type: "session.revoked",
  description: "A session has ended: its tokens are refused from now on. The subject is the session.",
  audited: true,
  data: z.object({ userId: z.string(), reason: z.enum(revocationReasons) }),
});

export const sessionChanged = event({
  type: "session.changed",
  description: "What a session may do has changed, so its older access tokens are refused. The subject is the session.",
  audited: true,
  data: z.object({ userId: z.string(), change: z.enum(["user_added", "user_switched", "user_removed", "role_changed"]) }),
});

export const refreshTokenReused = event({
  type: "security.refresh_token_reused",
  description: "An old refresh token came back: somebody else may hold a copy (RFC 9700 §4.14.2). The subject is the session.",
  audited: true,
  outcome: "refused",
  data: z.object({ userId: z.string() }),
});

export const identityLinked = event({
  type: "identity.linked",
  description: "An account at a provider opens this one from now on. The subject is the user.",
  audited: true,
  data: z.object({ provider: z.string(), how: z.enum(["signed_up", "verified_email", "signed_in"]) }),
});

export const identityUnlinked = event({
  type: "identity.unlinked",
  description: "An account at a provider opens this one no longer. The subject is the user.",
  audited: true,
  data: z.object({ provider: z.string() }),
});
export const loginBlocked = event({
  type: "security.login_blocked",
  description: "Tries to log in have to wait from now on. The subject is the account, or nobody for a whole network.",
  audited: true,
  outcome: "refused",
  data: z.object({ scope: z.enum(["account_network", "network", "account"]), failures: z.number().int() }),
});

export const passwordChanged = event({
  type: "user.password_changed",
  description: "An account has another password. The subject is the user.",
  audited: true,
  data: z.object({ how: z.enum(["change", "set", "reset"]) }),
});

export const invitationSent = event({
  type: "invitation.sent",
  description: "Somebody was invited to sign up. The subject is the invitation.",
  audited: true,
  data: z.object({ role: z.enum(["user", "admin"]) }),
});
export const invitationWithdrawn = event({
  type: "invitation.withdrawn",
  description: "An invitation to sign up was taken back. The subject is the invitation.",
  audited: true,
  data: z.object({}),
});
export const invitationAccepted = event({
  type: "invitation.accepted",
  description: "Somebody signed up by invitation. The subject is the invitation.",
  audited: true,
  data: z.object({ userId: z.string(), role: z.enum(["user", "admin"]) }),
});

const linkPurpose = z.enum(["verify_email", "reset_password", "magic_link"]);

export const linkMailed = event({
  type: "user.link_mailed",
  description: "A link was mailed that whoever reads the mail can follow. The subject is the user.",
  audited: true,
  data: z.object({ purpose: linkPurpose }),
});

export const emailVerified = event({
  type: "user.email_verified",
  description: "An address was proved to be the user's. The subject is the user.",
  audited: true,
  data: z.object({ by: z.enum([...linkPurpose.options, "invitation"]) }),
});

export const accountReclaimed = event({
  type: "security.account_reclaimed",
  description:
    "Whoever proved the address first was in no session of the account, so what had been set up before was removed: it may have been a stranger's. The subject is the user.",
  audited: true,
  data: z.object({ by: z.enum(["magic_link", "reset_password"]), removed: z.array(z.string()) }),
});

export const userDisowned = event({
  type: "user.disowned",
  description: "Whoever has the mailbox says that the sign-up was not theirs. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const secondFactorFailed = event({
  type: "security.second_factor_failed",
  description: "A wrong or used code, after a right first factor. The subject is the user.",
  audited: true,
  outcome: "refused",
  data: z.object({}),
});

export const mfaBegun = event({
  type: "user.mfa_begun",
  description: "A user was given a secret for an authenticator app; it counts once it is confirmed. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const mfaEnabled = event({
  type: "user.mfa_enabled",
  description: "A log-in takes a second factor from now on. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const mfaDisabled = event({
  type: "user.mfa_disabled",
  description: "A log-in takes no second factor any more. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const recoveryCodesMade = event({
  type: "user.recovery_codes_made",
  description: "New recovery codes; those from before no longer work. The subject is the user.",
  audited: true,
  data: z.object({}),
});

export const passkeyAdded = event({
  type: "user.passkey_added",
  description: "A passkey opens the account from now on. The subject is the user.",
  audited: true,
  data: z.object({ passkeyId: z.string() }),
});
export const passkeyRemoved = event({
  type: "user.passkey_removed",
  description: "A passkey opens the account no longer. The subject is the user.",
  audited: true,
  data: z.object({ passkeyId: z.string() }),
});

export const passkeyCloned = event({
  type: "security.passkey_cloned",
  description:
    "A right signature with a counter that was there before: somebody else may have a copy of the key. The log-in was refused. The subject is the user.",
  audited: true,
  outcome: "refused",
  data: z.object({ passkeyId: z.string() }),
});
