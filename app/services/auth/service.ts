import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../platform/actor.ts";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { newId } from "../../platform/ids.ts";
import type { Transact, Unit } from "../../platform/outbox.ts";
import { userSignedUp } from "./events.ts";
import type { Passwords } from "./passwords.ts";
import type { loginRequest, session as sessionSchema, setupRequest, signupRequest, user as userSchema } from "./schema.ts";
import { hashToken, type Sessions, type TokenPair } from "./sessions.ts";
import type { AuthStore, SessionRow, UserRow } from "./store.ts";

export type UserView = z.infer<typeof userSchema>;
export type SessionView = z.infer<typeof sessionSchema>;
export type AuthService = ReturnType<typeof createAuthService>;

export interface AuthDeps {
  readonly store: AuthStore;
  readonly transact: Transact;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly signup: "open" | "invite" | "closed";
  readonly now: Now;
}

type Signup = z.infer<typeof signupRequest>;

export function createAuthService({ store, transact, sessions, passwords, signup, now }: AuthDeps) {
  const createUser = async (
    unit: Unit,
    input: Omit<Signup, "password">,
    as: { readonly passwordHash: string; readonly role: "user" | "admin" },
  ) => {
    const user = await store.insertUser({ id: newId("user"), email: input.email, name: input.name, ...as, createdAt: now() }, unit.tx);
    if (!user) throw new Problem("email_taken", { detail: "Log in, or sign up with another address." });
    unit.publish(userSignedUp, { subject: user.id, audience: user.id, data: { role: as.role } });
    return user;
  };

  return {
    signup: async (input: Signup, origin: RequestOrigin) => {
      if (signup !== "open") throw new Problem("signup_closed");
      const passwordHash = await passwords.hash(input.password);
      return toSignedIn(
        await transact(async (unit) => sessions.open(unit, await createUser(unit, input, { passwordHash, role: "user" }), origin)),
      );
    },

    /** The first administrator, for whoever holds the link that only the operator has seen. */
    setup: async (input: z.infer<typeof setupRequest>, origin: RequestOrigin) => {
      const passwordHash = await passwords.hash(input.password);
      const opened = await transact(async (unit) => {
        const valid = await store.useSetupToken(hashToken(input.token), now(), unit.tx);
        if (!valid || (await store.hasAdmin(unit.tx))) throw new Problem("invalid_setup_token");
        return sessions.open(unit, await createUser(unit, input, { passwordHash, role: "admin" }), origin);
      });
      return toSignedIn(opened);
    },

    login: async (input: z.infer<typeof loginRequest>, origin: RequestOrigin) => {
      const user = await store.findUserByEmail(input.email);
      const matches = await passwords.verify(input.password, user?.passwordHash);
      if (!user || !matches) throw new Problem("invalid_credentials");
      return toSignedIn(await transact((unit) => sessions.open(unit, user, origin)));
    },

    refresh: async (refreshToken: string) => toSignedIn(await sessions.refresh(refreshToken)),

    logout: (actor: Actor) => sessions.end(actor.sessionId),

    session: async (actor: Actor) => {
      const session = await store.findLiveSession(actor.sessionId);
      const user = await store.findUser(actor.userId);
      if (!session || !user) throw new Problem("invalid_token", { detail: "The session has ended." });
      const { id, email, name, role } = toUserView(user);
      return { session: toSessionView(session), activeUserId: user.id, users: [{ id, email, name, role }] };
    },

    me: async (actor: Actor): Promise<UserView> => {
      const user = await store.findUser(actor.userId);
      if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
      return toUserView(user);
    },

    /** Creates the administrator named in the configuration unless there is one. True when it did. */
    ensureAdmin: async (email: string, password: string): Promise<boolean> => {
      if (await store.hasAdmin()) return false;
      const passwordHash = await passwords.hash(password);
      await transact((unit) => createUser(unit, { email }, { passwordHash, role: "admin" }));
      return true;
    },
  };
}

function toSignedIn(opened: { readonly user: UserRow; readonly session: SessionRow; readonly tokens: TokenPair }) {
  return { ...opened.tokens, user: toUserView(opened.user), session: toSessionView(opened.session) };
}

function toUserView(row: UserRow): UserView {
  return { id: row.id, email: row.email, name: row.name, role: row.role, createdAt: row.createdAt.toISOString() };
}

function toSessionView(row: SessionRow): SessionView {
  return {
    id: row.id,
    userId: row.userId,
    ip: row.ip,
    device: row.userAgent,
    createdAt: row.createdAt.toISOString(),
    lastSeenAt: row.lastSeenAt.toISOString(),
  };
}
