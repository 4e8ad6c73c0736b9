import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { EmailService } from "../email/service.ts";
import { emailVerified, loginFailed, userSignedUp } from "../events.ts";
import type { AccountInvitations } from "../invitations/service.ts";
import type { LogIn, LogInUnit, TransactLogIn } from "../log-in.ts";
import { hashToken } from "../one-time-tokens.ts";
import type { CheckPassword, HoldChecked } from "../passwords/check.ts";
import type { Passwords } from "../passwords/hashing.ts";
import type { PasswordPolicy } from "../passwords/policy.ts";
import type { SignedIn } from "../schema.ts";
import type { AuthStore, UserRow } from "../store.ts";
import { toUserView, type UserView } from "../views.ts";
import { createRename } from "./rename.ts";
import type { loginRequest, setupRequest, signupRequest, updateMeRequest } from "./schema.ts";
import { createUndisclosedSignup } from "./undisclosed-signup.ts";

export type AccountService = ReturnType<typeof createAccountService>;

export interface AccountDeps {
  readonly store: AuthStore;
  readonly transact: TransactLogIn;
  readonly logIn: LogIn;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly checkPassword: CheckPassword;
  readonly holdChecked: HoldChecked;
  readonly email: Pick<EmailService, "greet" | "assertVerified" | "tellMailbox">;
  readonly invitations: Pick<AccountInvitations, "isOpen" | "take" | "announceAccepted">;
  readonly requireVerifiedEmail: boolean;
  readonly signup: "open" | "invite" | "closed";
  readonly now: Now;
}

type Signup = z.infer<typeof signupRequest>;
type Invited = NonNullable<Awaited<ReturnType<AccountInvitations["take"]>>>;

export function createAccountService(deps: AccountDeps) {
  const { store, transact, logIn, passwords, policy, checkPassword, holdChecked, invitations, signup, now } = deps;
  const rename = createRename({ store, transact });
  const signUpUndisclosed = createUndisclosedSignup({ store, transact, email: deps.email, now });

  const createUser = async (
    unit: Unit,
    input: { readonly email: string; readonly name?: string | null | undefined },
    as: {
      readonly passwordHash: string;
      readonly role: "user" | "admin";
      readonly emailVerifiedAt?: Date | null;
      readonly origin?: RequestOrigin;
    },
  ): Promise<UserRow> => {
    const { origin, ...columns } = as;
    const user = await store.insertUser({ id: newId("user"), email: input.email, name: input.name, ...columns, createdAt: now() }, unit.tx);
    if (!user) throw new Problem("email_taken", { detail: "Log in, or sign up with another address." });
    unit.publish(userSignedUp, {
      subject: user.id,
      audience: user.id,
      actorId: user.id,
      ...(origin ? { origin } : {}),
      data: { role: as.role },
    });
    return user;
  };

  /** Throws `Problem` (`weak_password`). */
  const hashNew = async ({ email, name, password }: Omit<Signup, "invitation">): Promise<string> => {
    await policy.assertAcceptable({ password, email, name, pointer: "/password" });
    return passwords.hash(password);
  };

  /** Whose password it is. The gate would refuse too, but its unit of work is rolled back by that, and with it what the audit log should hold. */
  const checkEntrant: CheckPassword = async (credentials, origin) => {
    const user = await checkPassword(credentials, origin);
    await deps.email.assertVerified(user, origin);
    if (!user.disabledAt) return user;
    const data = { reason: "account disabled" };
    await transact(async (unit) => unit.publish(loginFailed, { subject: user.id, audience: user.id, origin, data }));
    throw new Problem("account_disabled");
  };

  /** The same for all reasons, so that it tells nothing about invitations to others. */
  const badInvitation = (): Problem => {
    const detail = "The invitation is not good for this: it works once, for seven days, with the address that it was mailed to.";
    return new Problem(signup === "open" ? "invalid_link" : "signup_closed", { detail });
  };

  /** The link in the mail has proved the address. */
  const welcome = async (unit: LogInUnit, invited: Invited, { input, passwordHash, origin }: Welcome): Promise<SignedIn> => {
    const { email, name = invited.name } = input;
    const user = await createUser(unit, { email, name }, { passwordHash, role: invited.role, emailVerifiedAt: now(), origin });
    const data = { by: "invitation" } as const;
    unit.publish(emailVerified, { subject: user.id, audience: user.id, actorId: user.id, origin, data });
    invitations.announceAccepted(unit, invited, { user, origin });
    return logIn.open(unit, { user, method: "pwd", origin });
  };

  return {
    /** Only an account, without a session, where the e-mail address must be verified first; whether it was made, the mail tells. */
    signup: async (input: Signup, origin: RequestOrigin): Promise<SignedIn | { readonly user: UserView }> => {
      const { invitation: token, email } = input;
      if (signup === "closed" || (signup === "invite" && token === undefined)) throw new Problem("signup_closed");
      if (token !== undefined && !(await invitations.isOpen({ token, email }))) throw badInvitation();
      const passwordHash = await hashNew(input);
      if (deps.requireVerifiedEmail && token === undefined) return signUpUndisclosed({ email, name: input.name, passwordHash }, origin);
      return transact(async (unit) => {
        if (token !== undefined) {
          const invited = await invitations.take(unit, { token, email });
          if (!invited) throw badInvitation();
          return welcome(unit, invited, { input, passwordHash, origin });
        }
        const user = await createUser(unit, input, { passwordHash, role: "user", origin });
        await deps.email.greet(unit, user, origin);
        return logIn.open(unit, { user, method: "pwd", origin });
      });
    },

    /** The first administrator, whose address counts as verified: the operator answers for it. For whoever holds the link that only the operator has seen. */
    setup: async (input: z.infer<typeof setupRequest>, origin: RequestOrigin): Promise<SignedIn> => {
      const passwordHash = await hashNew(input);
      return transact(async (unit) => {
        await store.lockSetup(unit.tx);
        const valid = await store.useSetupToken(hashToken(input.token), now(), unit.tx);
        if (!valid || (await store.hasAdmin(unit.tx))) throw new Problem("invalid_setup_token");
        const user = await createUser(unit, input, { passwordHash, role: "admin", emailVerifiedAt: now(), origin });
        return logIn.open(unit, { user, method: "pwd", origin });
      });
    },

    login: async ({ email, password, totp }: z.infer<typeof loginRequest>, origin: RequestOrigin): Promise<SignedIn> => {
      const checked = await checkEntrant({ email, password }, origin);
      return transact(async (unit) => logIn.open(unit, { user: await holdChecked(unit, checked), method: "pwd", totp, origin }));
    },

    addToSession: async (
      actor: Actor,
      { email, password, totp }: z.infer<typeof loginRequest>,
      origin: RequestOrigin,
    ): Promise<SignedIn> => {
      const checked = await checkEntrant({ email, password }, origin);
      return transact(async (unit) => logIn.join(unit, actor, { user: await holdChecked(unit, checked), method: "pwd", totp, origin }));
    },

    me: async (actor: Actor): Promise<UserView> => {
      const user = await store.findUser(actor.userId);
      if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
      return toUserView(user);
    },

    updateMe: async ({ actor: { userId }, origin }: Call, { name }: z.infer<typeof updateMeRequest>): Promise<UserView> => {
      const user = name === undefined ? await store.findUser(userId) : await rename(userId, name, origin);
      if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
      return toUserView(user);
    },

    /** Creates the administrator named in the configuration unless there is one. True when it did. How good the password is, is up to the operator. */
    ensureAdmin: async (email: string, password: string): Promise<boolean> => {
      if (await store.hasAdmin()) return false;
      const passwordHash = await passwords.hash(password);
      return transact(async (unit) => {
        await store.lockSetup(unit.tx);
        if (await store.hasAdmin(unit.tx)) return false;
        if (await store.findUserByEmail(email, unit.tx)) throw new Error(takenByUser(email));
        await createUser(unit, { email }, { passwordHash, role: "admin", emailVerifiedAt: now() });
        return true;
      });
    },
  };
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

interface Welcome {
  readonly input: Signup;
  readonly passwordHash: string;
  readonly origin: RequestOrigin;
}

/** Whoever signed up with the address first must not become the administrator by that. */
function takenByUser(email: string): string {
  return `KEELSON_ADMIN_EMAIL: ${email} has signed up already and is no administrator. Set another address, or delete that account.`;
}
