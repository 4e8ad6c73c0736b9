import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { passkeyAdded, passkeyRemoved } from "../events.ts";
import { letter, type SendMail } from "../mails.ts";
import { deviceName } from "../sessions/device.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import type { AuthStore, UserRow } from "../store.ts";
import type { Ceremonies, Registered } from "./ceremonies.ts";
import type { Challenges } from "./challenges.ts";
import type { PasskeyView, registerRequest } from "./schema.ts";
import type { PasskeyRow, PasskeyStore } from "./store.ts";
import { toPasskeyView } from "./view.ts";

export interface PasskeyDeps {
  readonly users: Pick<AuthStore, "findUser" | "lockUser">;
  readonly store: PasskeyStore;
  readonly ceremonies: Pick<Ceremonies, "registrationOptions" | "verifyRegistration">;
  readonly challenges: Challenges;
  readonly transact: Transact;
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly sendMail: SendMail;
  readonly now: Now;
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

const passkeysMax = 50;

/** The passkeys of an account (WebAuthn Level 3). Adding and removing need a log-in of the last minutes (OWASP ASVS 5.0, 7.5.1). */
export function createPasskeyService(deps: PasskeyDeps) {
  const { users, store, ceremonies, challenges, transact, assertRecentLogIn, sendMail, now } = deps;

  const addressOf = ({ actor, origin }: Call) => ({ subject: actor.userId, audience: actor.userId, actorId: actor.userId, origin });

  /** Held until the end, so that two ways to log in are not taken away at once, and none is added beyond the limit. */
  const lockSelf = async ({ userId }: Actor, unit: Unit): Promise<UserRow> => {
    const user = await users.lockUser(userId, unit.tx);
    if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
    return user;
  };

  const assertRoom = (passkeys: readonly PasskeyRow[]) => {
    if (passkeys.length >= passkeysMax)
      throw new Problem("conflict", { detail: `An account has at most ${passkeysMax} passkeys. Remove one first.` });
  };

  const insert = async (unit: Unit, userId: string, of: Registered & { name: string; transports: readonly string[] }) => {
    assertRoom(await store.ofUser(userId, unit.tx));
    const row = await store.insert({ ...of, id: newId("passkey"), userId, createdAt: now() }, unit.tx);
    if (!row) throw new Problem("conflict", { detail: "This passkey is registered already." });
    return row;
  };

  return {
    /** The log-in has to be recent here; the challenge, which only its user gets, carries that on. */
    beginRegistration: async ({ actor }: Call) => {
      await assertRecentLogIn(actor);
      const user = await users.findUser(actor.userId);
      if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
      const passkeys = await store.ofUser(user.id);
      assertRoom(passkeys);
      const options = await ceremonies.registrationOptions({ ...user, passkeys });
      return { options, challengeToken: await challenges.issue(options.challenge, user.id) };
    },

    /** Throws `Problem`: `validation_failed` for a challenge that is used, old or another's and for a wrong response to it; `conflict`. */
    register: async (call: Call, { challengeToken, response, name }: z.infer<typeof registerRequest>): Promise<PasskeyView> => {
      const challenge = await challenges.take(challengeToken, call.actor.userId);
      if (challenge === undefined) throw refused("/challengeToken", "is not valid (any more): ask for new options");
      const registered = await ceremonies.verifyRegistration(response, challenge);
      if (!registered) throw refused("/response", "does not answer the challenge with a verified user");
      const transports = response.response.transports ?? [];
      const label = name ?? (await deviceName(call.origin.userAgent));
      const row = await transact(async (unit) => {
        const user = await lockSelf(call.actor, unit);
        const inserted = await insert(unit, user.id, { ...registered, transports, name: label });
        unit.publish(passkeyAdded, { ...addressOf(call), data: { passkeyId: inserted.id } });
        await sendMail(unit, notice(user, { name: inserted.name, change: "added" }));
        return inserted;
      });
      return toPasskeyView(row);
    },

    list: async ({ userId }: Actor): Promise<{ data: PasskeyView[]; nextCursor: null }> => ({
      data: (await store.ofUser(userId)).map(toPasskeyView),
      nextCursor: null,
    }),

    /** Throws `Problem`: `not_found` also for another's, `only_way_in` when nothing else opens the account. */
    remove: async (call: Call, id: string): Promise<void> => {
      await assertRecentLogIn(call.actor);
      await transact(async (unit) => {
        const user = await lockSelf(call.actor, unit);
        const all = await store.ofUser(user.id, unit.tx);
        const passkey = all.find((one) => one.id === id);
        if (!passkey) throw new Problem("not_found", { detail: "You have no such passkey." });
        const hasOther = all.length > 1 || user.passwordHash !== null || (await store.hasIdentity(user.id, unit.tx));
        if (!hasOther) throw new Problem("only_way_in");
        await store.deleteOfUser(user.id, id, unit.tx);
        unit.publish(passkeyRemoved, { ...addressOf(call), data: { passkeyId: id } });
        await sendMail(unit, notice(user, { name: passkey.name, change: "removed" }));
      });
    },
  };
}

function refused(pointer: string, detail: string): Problem {
  return new Problem("validation_failed", { errors: [{ pointer, detail }] });
}

function notice(user: UserRow, { name, change }: { readonly name: string; readonly change: "added" | "removed" }) {
  const what = change === "added" ? `The passkey "${name}" now opens your account.` : `The passkey "${name}" no longer opens your account.`;
  const advice =
    "If it was you, there is nothing to do. If not, change your password, which ends all other sessions, and look at your passkeys.";
  return { to: user.email, subject: `A passkey was ${change}`, text: letter(user, [what, advice]) };
}
