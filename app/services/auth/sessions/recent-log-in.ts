import type { Actor } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { sessionOf } from "./service.ts";
import type { SessionStore } from "./store.ts";

/** Throws `Problem` (`reauthentication_required`) when the actor's log-in is too old for what can't be undone or opens the account to others (OWASP ASVS 5.0, 7.5.1). */
export type AssertRecentLogIn = (actor: Actor) => Promise<void>;

const recentMs = 900_000;

export function createAssertRecentLogIn({
  store,
  now,
}: {
  readonly store: Pick<SessionStore, "members">;
  readonly now: Now;
}): AssertRecentLogIn {
  return async (actor) => {
    const member = (await store.members(sessionOf(actor))).find(({ user }) => user.id === actor.userId);
    if (!member || now().getTime() - member.authenticatedAt.getTime() > recentMs) throw new Problem("reauthentication_required");
  };
}
