import type { Db } from "../../../db/client.ts";
import type { AccountData } from "../../platform/account-data.ts";
import { createApiKeyStore } from "./api-keys/store.ts";
import { toApiKeyView } from "./api-keys/view.ts";
import { createInvitationStore } from "./invitations/store.ts";
import { toInvitationView } from "./invitations/view.ts";
import { createMfaStore } from "./mfa/store.ts";
import { createIdentityStore } from "./oauth/store.ts";
import { createPasskeyStore } from "./passkeys/store.ts";
import { toPasskeyView } from "./passkeys/view.ts";
import { createSessionStore } from "./sessions/store.ts";
import { createAuthStore } from "./store.ts";
import { createTeamStore } from "./teams/store.ts";
import { toInvitationView as toTeamInvitationView, toTeamView } from "./teams/views.ts";
import { toSessionView, toUserView } from "./views.ts";

/** As many teams and keys as one account's export holds, the oldest first. */
const exportedMax = 10_000;

/**
 * The account, what opens it, what acts for it, and the teams and invitations that it is in. No secrets and no public keys. Everything of it goes with the
 * account's row, but for what is kept under other keys: how often its second factor was guessed at, and the invitations to its address.
 */
export function openAuthAccountData(db: Db): AccountData {
  const users = createAuthStore(db);
  const sessions = createSessionStore(db);
  const passkeys = createPasskeyStore(db);
  const identities = createIdentityStore(db);
  const mfa = createMfaStore(db);
  const teams = createTeamStore(db);
  const apiKeys = createApiKeyStore(db);
  const invitations = createInvitationStore(db);

  return {
    service: "auth",
    export: async (userId) => {
      const user = await users.findUser(userId);
      const totp = await mfa.find(userId);
      const linked = await identities.ofUser(userId);
      const teamInvitations = user ? await teams.invitationsAbout(user) : [];
      return {
        user: user && toUserView(user),
        sessions: (await sessions.liveOf(userId)).map(toSessionView),
        passkeys: (await passkeys.ofUser(userId)).map(toPasskeyView),
        identities: linked.map(({ provider, subject, email, createdAt }) => ({
          provider,
          subject,
          email,
          createdAt: createdAt.toISOString(),
        })),
        totp: totp?.confirmedAt ? { enrolledAt: totp.confirmedAt.toISOString() } : null,
        apiKeys: (await apiKeys.list({ ownerId: userId }, { limit: exportedMax })).map(toApiKeyView),
        teams: (await teams.list(userId, { limit: exportedMax })).map(toTeamView),
        teamInvitations: teamInvitations.map((row) => ({ ...toTeamInvitationView(row), teamId: row.teamId })),
        invitations: (await invitations.sentBy(userId)).map(toInvitationView),
      };
    },
    erase: async (userId, on) => {
      const user = await users.findUser(userId, on);
      if (!user) return;
      await mfa.forgetFailures(userId, on);
      await teams.deleteInvitationsTo(user.email, on);
      await invitations.deleteTo(user.email, on);
      await users.deleteUser(userId, on);
    },
  };
}
