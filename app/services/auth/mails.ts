import type { Unit } from "../../platform/outbox.ts";
import type { Sighting, Suspicion } from "./sessions/familiarity.ts";

/** A mail in plain text. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Part of the caller's unit of work: what is rolled back sends nothing. */
export type SendMail = (unit: Unit, mail: Mail) => Promise<void>;

interface Recipient {
  readonly email: string;
  readonly name: string | null;
  readonly emailVerifiedAt: Date | null;
}

const unusual: Readonly<Record<Suspicion, string>> = {
  new_device: "a device that this account has not been used on before",
  new_network: "a network that this account has not been used from before",
  impossible_pace: "more places than one person can be at within minutes",
};

export function loginNotice(user: Recipient, sighting: Sighting, suspicions: readonly Suspicion[]): Mail {
  return {
    to: user.email,
    subject: "New log-in to your account",
    text: letter(user, [
      `Somebody logged in with ${sighting.device} from ${sighting.ip ?? "an unknown address"} at ${sighting.createdAt.toISOString()}.`,
      `This is ${suspicions.map((suspicion) => unusual[suspicion]).join(", and ")}.`,
      "If it was you, there is nothing to do. If not, change your password, which ends all other sessions.",
    ]),
  };
}

export function knownAddressNotice(user: Recipient): Mail {
  return {
    to: user.email,
    subject: "You have an account already",
    text: letter(user, [
      "Somebody tried to sign up with your address, which has an account. Nothing has changed.",
      'If it was you, log in. If you do not remember the password, ask for a link to choose a new one with "forgot password".',
      "If it was not you, there is nothing to do.",
    ]),
  };
}

/** To an address that may or may not have an account. The token is good for one acceptance by an account with that address. */
export function invitationMail(about: {
  readonly to: string;
  readonly team: string;
  readonly role: string;
  readonly inviter: Pick<Recipient, "email" | "emailVerifiedAt"> | undefined;
  readonly token: string;
}): Mail {
  const team = `"${linkless(about.team)}"`;
  const inviter = about.inviter?.emailVerifiedAt ? about.inviter.email : "Somebody";
  return {
    to: about.to,
    subject: `Invitation to the team ${team}`,
    text: letterTo(null, [
      `${inviter} invites you to the team ${team} as ${about.role}.`,
      "To accept within seven days, log in to (or sign up for) an account with this e-mail address and enter this code:",
      about.token,
      "If you do not know what this is about, there is nothing to do.",
    ]),
  };
}

/** To an address without an account. */
export function accountInvitationMail(
  to: Pick<Recipient, "email" | "name">,
  { inviter, link }: { readonly inviter: string; readonly link: string },
): Mail {
  return {
    to: to.email,
    subject: "You are invited to sign up",
    // An administrator has chosen the name.
    text: letterTo(to.name, [
      `${inviter} invites you to an account. Make it with this link, within seven days, with this e-mail address:`,
      link,
      "If you do not know what this is about, there is nothing to do.",
    ]),
  };
}

const removedNames: Readonly<Record<string, string>> = {
  password: "the password",
  sessions: "log-ins",
  api_keys: "API keys",
  passkeys: "passkeys",
  totp: "the authenticator app",
  identities: "linked accounts at other providers",
  teams: "memberships in teams",
};

export function reclaimNotice(user: Recipient, removed: readonly string[]): Mail {
  return {
    to: user.email,
    subject: "Your account was made safe",
    text: letter(user, [
      "You have shown that this e-mail address is yours. Nobody had before, so somebody else may have set up the account.",
      `Therefore this was removed from it: ${removed.map((name) => removedNames[name] ?? name).join(", ")}.`,
      "If you had set it up yourself, set it up again: it will stay.",
    ]),
  };
}

export function identityNotice(
  user: Recipient,
  { provider, change }: { readonly provider: string; readonly change: "linked" | "unlinked" },
): Mail {
  const what =
    change === "linked" ? `An account at ${provider} now opens your account` : `Accounts at ${provider} no longer open your account`;
  return {
    to: user.email,
    subject: `${provider} was ${change}`,
    text: letter(user, [
      `${what}.`,
      "If it was you, there is nothing to do. If not, change your password and look at what is linked to your account.",
    ]),
  };
}

/**
 * Greeting and paragraphs, as all mails of this service look. The name only for an address that is verified: until then somebody else may
 * have chosen it, to write to a stranger in our name.
 */
export function letter({ name, emailVerifiedAt }: Omit<Recipient, "email">, paragraphs: readonly string[]): string {
  return letterTo(emailVerifiedAt && name, paragraphs);
}

function letterTo(name: string | null, paragraphs: readonly string[]): string {
  return [`Hello${name ? ` ${name}` : ""},`, ...paragraphs].join("\n\n");
}

/** Mail programs make links of what looks like an address. */
function linkless(text: string): string {
  return text.replaceAll(/[.．。｡:/](?=\S)/g, "$& ");
}
