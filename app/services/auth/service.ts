import type { Db } from "../../../db/client.ts";
import type { Feed } from "../../platform/bus/feed.ts";
import type { Now } from "../../platform/clock.ts";
import type { Chore } from "../../platform/housekeeping.ts";
import { apiKeyPrefix } from "../../platform/ids.ts";
import type { Limiter } from "../../platform/limiter/port.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { Seal } from "../../platform/seal.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { createAccountService } from "./accounts/service.ts";
import { createProveAddress } from "./address-proof/service.ts";
import { createAddressProofStore } from "./address-proof/store.ts";
import { apiKeyChanged, apiKeyRevoked, apiKeyRotated } from "./api-keys/events.ts";
import { openApiKeys } from "./api-keys/open.ts";
import { createCan } from "./can.ts";
import { createAnswerFirst } from "./email/answer-first.ts";
import { createTellOwner } from "./email/known-address.ts";
import { createMailedLinks } from "./email/links.ts";
import { createEmailService } from "./email/service.ts";
import { sessionChanged, sessionRevoked } from "./events.ts";
import { createAccountInvitations } from "./invitations/service.ts";
import { createInvitationStore } from "./invitations/store.ts";
import { createLogIn } from "./log-in.ts";
import type { SendMail } from "./mails.ts";
import { createSecondFactor } from "./mfa/second-factor.ts";
import { createMfaService } from "./mfa/service.ts";
import { createMfaStore } from "./mfa/store.ts";
import { createTransactLogIn, createTries } from "./mfa/tries.ts";
import { openOauth } from "./oauth/open.ts";
import { createOneTimeTokens } from "./one-time-tokens.ts";
import { openPasskeys } from "./passkeys/open.ts";
import { openPasswords } from "./passwords/open.ts";
import { createPasswordService } from "./passwords/service.ts";
import { createActivity } from "./sessions/activity.ts";
import type { Sightings } from "./sessions/familiarity.ts";
import { openSessions } from "./sessions/open.ts";
import { createAssertRecentLogIn } from "./sessions/recent-log-in.ts";
import { createSessionStore } from "./sessions/store.ts";
import type { AuthSettings } from "./settings.ts";
import { createAuthStore } from "./store.ts";
import { teamCreated, teamDeleted, teamMemberJoined, teamMemberRemoved } from "./teams/events.ts";
import { createLimitInvitations } from "./teams/invitation-limits.ts";
import { createInvitationService } from "./teams/invitations.ts";
import { createLeaveTeams } from "./teams/leave-all.ts";
import { createMembership } from "./teams/membership.ts";
import { createTeamService } from "./teams/service.ts";
import { createTeamStore } from "./teams/store.ts";
import { type AccessTokens, createAccessTokens } from "./tokens/access-tokens.ts";
import { startRevocations } from "./tokens/revocations.ts";
import { openSigningKeys } from "./tokens/signing-keys.ts";
import { createStatementSigner } from "./tokens/statements.ts";
import { createTokenStore } from "./tokens/store.ts";
import { createCloseAccount } from "./users/close.ts";
import { createUserService } from "./users/service.ts";

export interface AuthDeps {
  readonly db: Db;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly feed: Feed;
  readonly limiter: Pick<Limiter, "consume">;
  readonly sendMail: SendMail;
  readonly createTask: TaskProducer["create"];
  readonly settings: AuthSettings;
  readonly now: Now;
  readonly log: Logger;
}

export type AuthService = Awaited<ReturnType<typeof openAuthService>>;

/** Puts the parts together. It runs (it keeps up with revocations), so stop it at the end. */
export async function openAuthService({ db, transact, seal, feed, limiter, sendMail, createTask, settings, now, log }: AuthDeps) {
  const store = createAuthStore(db);
  const tokenStore = createTokenStore(db);
  const sessionStore = createSessionStore(db);

  const signingKeys = await openSigningKeys({
    store: tokenStore,
    seal,
    algorithm: settings.tokenAlgorithm,
    rotateDays: settings.signingKeyDays,
    now,
    log,
  });
  const activity = createActivity({ store: sessionStore, now });
  const revocations = startRevocations({ store: tokenStore, accessTokenSeconds: settings.accessTokenSeconds, log });
  const unwatch = [sessionRevoked, sessionChanged, apiKeyRevoked, apiKeyChanged, apiKeyRotated].map(({ type }) =>
    feed.watch(type, revocations.look),
  );
  const accessTokens = createAccessTokens({
    signingKeys,
    allKeys: tokenStore.signingKeys,
    revocations,
    seen: activity.seen,
    issuer: settings.issuer,
    lifetimeSeconds: settings.accessTokenSeconds,
    now,
  });

  const { tokens, authority, sessions, refresh } = openSessions({
    db,
    store: sessionStore,
    revocations,
    accessTokens,
    transact,
    seal,
    settings,
    now,
  });

  const sightings: Sightings = async (userId, limit) => sessionStore.pastOf(userId, limit, db);
  const { warm, passwords, passwordStore, policy, lockout, checkPassword, holdChecked, imported } = openPasswords({
    db,
    store,
    sightings,
    transact,
    settings,
    now,
    log,
  });
  const requireVerifiedEmail = settings.emailVerification === "required";
  const mfaStore = createMfaStore(db);
  const secondFactorTries = createTries({ store: passwordStore, sightings, now });
  const transactLogIn = createTransactLogIn({ transact, tries: secondFactorTries });
  const logIn = createLogIn({
    store: sessionStore,
    authority,
    sessions,
    tokens,
    secondFactor: createSecondFactor({ store: mfaStore, tries: secondFactorTries, transact, seal, now }),
    sendMail,
    sessionsMax: settings.sessionsMax,
    bindNetwork: settings.bindNetwork,
    requireVerifiedEmail,
    now,
  });

  const teamStore = createTeamStore(db);
  const { publicUrl } = settings;
  const apiKeys = openApiKeys({ db, users: store, teams: teamStore, revocations, limiter, transact, settings, now, log });
  const keys = apiKeys.authority;
  const leaveTeams = createLeaveTeams({ store: teamStore, keys });
  const proveAddress = createProveAddress({
    store: createAddressProofStore(),
    sessionStore,
    sessions,
    keys,
    leaveTeams,
    sendMail,
    now,
  });
  const closeAccount = createCloseAccount({ store, sessions, keys, createTask, now });

  const answerFirst = createAnswerFirst(log);
  const oneTimeTokens = createOneTimeTokens({ store, now });
  const links = createMailedLinks({ oneTimeTokens, users: store, store: passwordStore, proveAddress, transact, sendMail, publicUrl, now });
  const { emailVerification: verification } = settings;
  const tellOwner = createTellOwner({ limiter, transact, sendMail });
  const email = createEmailService({
    users: store,
    links,
    answerFirst,
    logIn,
    leaveTeams,
    closeAccount,
    tellOwner,
    transact: transactLogIn,
    verification,
  });
  const assertRecentLogIn = createAssertRecentLogIn({ store: sessionStore, now });
  const passwordService = createPasswordService({
    users: store,
    store: passwordStore,
    transact,
    passwords,
    policy,
    checkPassword,
    lockout,
    secondFactorTries,
    sessions,
    links,
    answerFirst,
    assertRecentLogIn,
    sendMail,
    historyMax: settings.passwordHistory,
    now,
  });
  const invitationStore = createInvitationStore(db);
  const accountInvitations = createAccountInvitations({
    store: invitationStore,
    users: store,
    oneTimeTokens,
    transact,
    sendMail,
    publicUrl,
    now,
  });
  const accounts = createAccountService({
    store,
    transact: transactLogIn,
    logIn,
    passwords,
    policy,
    checkPassword,
    holdChecked,
    email,
    invitations: accountInvitations,
    requireVerifiedEmail,
    signup: settings.signup,
    now,
  });
  const oauth = openOauth({
    db,
    users: store,
    sessions: sessionStore,
    assertRecentLogIn,
    oneTimeTokens,
    transact: transactLogIn,
    logIn,
    sendMail,
    settings,
    now,
  });

  const users = createUserService({ teams: teamStore, store, assertRecentLogIn, sessions, keys, transact, closeAccount, now });

  const membership = createMembership(teamStore);
  const limit = createLimitInvitations(limiter);
  const mfa = createMfaService({ users: store, store: mfaStore, transact, assertRecentLogIn, sendMail, seal, now });
  const passkeys = openPasskeys({
    db,
    users: store,
    oneTimeTokens,
    assertRecentLogIn,
    transact: transactLogIn,
    logIn,
    sendMail,
    settings,
    now,
  });

  return {
    mfa,
    passkeys,
    apiKeys: apiKeys.service,
    importApiKey: apiKeys.importKey,
    teams: createTeamService({ store: teamStore, users: store, membership, keys, transact, now }),
    invitations: createInvitationService({ store: teamStore, users: store, membership, limit, sendMail, transact, now }),
    /** For the services that cost something. */
    spend: apiKeys.credits.spend,
    can: createCan({ teamRole: teamStore.roleOf }),
    teamsOf: (userId: string) => teamStore.idsOf(userId, db),
    /** The types of events that say that somebody came to a team or left one. */
    membershipTypes: [teamCreated, teamDeleted, teamMemberJoined, teamMemberRemoved].map(({ type }) => type),
    accounts,
    accountInvitations,
    users,
    oauth,
    passwords: passwordService,
    email,
    sessions,
    refresh,
    signingKeys,
    signStatement: createStatementSigner({ signingKeys, issuer: settings.issuer, now }),
    /** Takes access tokens and API keys. */
    verify: ((token, from) =>
      token.startsWith(apiKeyPrefix) ? apiKeys.verify(token) : accessTokens.verify(token, from)) satisfies AccessTokens["verify"],
    /** What one copy or another must do from time to time. */
    chores: [
      { name: "store when sessions were last used", run: activity.flush },
      { name: "store when API keys were last used", run: apiKeys.activity.flush },
      { name: "forget expired invitations to teams", run: () => teamStore.deleteExpiredInvitations(now()) },
      { name: "forget expired invitations to sign up", run: () => invitationStore.deleteExpired(now()) },
      { name: "end idle sessions", run: () => sessions.endIdle(settings.sessionIdleSeconds) },
      { name: "rotate the signing key", run: signingKeys.rotate },
      { name: "forget old signing keys", run: signingKeys.purge },
      { name: "forget old revocations", run: () => tokenStore.deleteRevocations(settings.accessTokenSeconds + 3_600) },
      { name: "forget old refresh tokens", run: () => sessionStore.deleteOldRefreshTokens(now()) },
      { name: "forget expired one-time tokens", run: () => store.deleteExpiredOneTimeTokens(now()) },
      { name: "forget old log-in failures", run: lockout.purge },
      { name: "look for imported passwords", run: imported.look },
    ] satisfies readonly Chore[],
    /** Begins to load what the first requests would have to wait for. */
    warm,
    /** Calls back for each session whose tokens, all or those of older versions, are refused from now on. */
    onRevoked: revocations.onRevoked,
    stop: async () => {
      for (const end of unwatch) end();
      await answerFirst.settled();
      for (const { flush } of [activity, apiKeys.activity])
        await flush().catch((error: unknown) => log.warn({ err: error }, "could not store when sessions and keys were last used"));
      await apiKeys.credits.settled();
      await revocations.stop();
    },
  };
}
