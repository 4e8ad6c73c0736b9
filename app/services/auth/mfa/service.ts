import type { z } from "zod";
import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import { mfaBegun, mfaDisabled, mfaEnabled, recoveryCodesMade } from "../events.ts";
import { letter, type SendMail } from "../mails.ts";
import type { AssertRecentLogIn } from "../sessions/recent-log-in.ts";
import type { AuthStore, UserRow } from "../store.ts";
import { newRecoveryCodes, recoveryCodeHash } from "./recovery-codes.ts";
import type { totpCodeRequest } from "./schema.ts";
import type { MfaStore } from "./store.ts";
import { describeTotp, newTotpSecret, stepOf, totpSecretOf } from "./totp.ts";

export type MfaService = ReturnType<typeof createMfaService>;

export interface MfaDeps {
  readonly users: Pick<AuthStore, "findUser">;
  readonly store: MfaStore;
  readonly transact: Transact;
  readonly assertRecentLogIn: AssertRecentLogIn;
  readonly sendMail: SendMail;
  readonly seal: Seal;
  readonly now: Now;
}

interface Call {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

/**
 * A second factor by authenticator app (RFC 6238). Each verb needs a log-in of the last minutes, which for an account with a second factor
 * has shown it (OWASP ASVS 5.0, 7.5.1).
 */
export function createMfaService({ users, store, transact, assertRecentLogIn, sendMail, seal, now }: MfaDeps) {
  const self = async ({ userId }: Actor, unit: Unit): Promise<UserRow> => {
    const user = await users.findUser(userId, unit.tx);
    if (!user) throw new Problem("invalid_token", { detail: "The account no longer exists." });
    return user;
  };

  const addressOf = ({ actor, origin }: Call) => ({ subject: actor.userId, audience: actor.userId, actorId: actor.userId, origin });

  const makeCodes = async (unit: Unit, userId: string): Promise<string[]> => {
    const codes = newRecoveryCodes();
    await store.replaceRecoveryCodes(
      userId,
      codes.map((code) => recoveryCodeHash(userId, code)),
      unit.tx,
    );
    return codes;
  };

  return {
    /** Counts once it is confirmed; beginning again makes the secret from before useless. */
    begin: async (call: Call) => {
      await assertRecentLogIn(call.actor);
      return transact(async (unit) => {
        const user = await self(call.actor, unit);
        const secret = await newTotpSecret();
        if (!(await store.begin({ userId: user.id, secret: seal.seal(secret, totpSecretOf(user.id)), createdAt: now() }, unit.tx)))
          throw new Problem("conflict", { detail: "A second factor is set up already. Remove it first." });
        unit.publish(mfaBegun, { ...addressOf(call), data: {} });
        return describeTotp(secret, user.email);
      });
    },

    /** The first right code shows that the app has the secret; from now on log-ins need one. */
    confirm: async (call: Call, { code }: z.infer<typeof totpCodeRequest>): Promise<{ recoveryCodes: string[] }> => {
      await assertRecentLogIn(call.actor);
      return transact(async (unit) => {
        const user = await self(call.actor, unit);
        const row = await store.find(user.id, unit.tx);
        if (!row) throw new Problem("not_found", { detail: "No second factor was begun: POST /v1/auth/mfa/totp first." });
        const step = await stepOf(seal.open(row.secret, totpSecretOf(row.userId)), code.trim(), now());
        if (step === undefined)
          throw new Problem("validation_failed", { errors: [{ pointer: "/code", detail: "is not the code of now" }] });
        if (!(await store.confirm(user.id, { step, confirmedAt: now() }, unit.tx)))
          throw new Problem("conflict", { detail: "The second factor is confirmed already." });
        unit.publish(mfaEnabled, { ...addressOf(call), data: {} });
        await sendMail(unit, notice(user, "Log-ins to your account now need a code of your authenticator app."));
        return { recoveryCodes: await makeCodes(unit, user.id) };
      });
    },

    remove: async (call: Call): Promise<void> => {
      await assertRecentLogIn(call.actor);
      await transact(async (unit) => {
        const user = await self(call.actor, unit);
        if (!(await store.remove(user.id, unit.tx))) throw new Problem("not_found", { detail: "There is no second factor." });
        unit.publish(mfaDisabled, { ...addressOf(call), data: {} });
        await sendMail(unit, notice(user, "Log-ins to your account no longer need a second factor."));
      });
    },

    /** Those from before stop working. */
    renewRecoveryCodes: async (call: Call): Promise<{ recoveryCodes: string[] }> => {
      await assertRecentLogIn(call.actor);
      return transact(async (unit) => {
        const user = await self(call.actor, unit);
        const row = await store.find(user.id, unit.tx);
        if (!row?.confirmedAt) throw new Problem("not_found", { detail: "There is no second factor to recover." });
        unit.publish(recoveryCodesMade, { ...addressOf(call), data: {} });
        await sendMail(unit, notice(user, "New recovery codes were made for your account; the ones from before no longer work."));
        return { recoveryCodes: await makeCodes(unit, user.id) };
      });
    },
  };
}

function notice(user: UserRow, what: string) {
  const text = letter(user, [what, "If that was not you, reset your password, which ends all sessions, and tell your administrator."]);
  return { to: user.email, subject: "The second factor of your account has changed", text };
}
