import type { AuthenticationMethod } from "../../../../db/schema/auth.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import { secondFactorFailed } from "../events.ts";
import type { SecondFactor } from "../log-in.ts";
import { recoveryCodeHash } from "./recovery-codes.ts";
import type { MfaStore, TotpRow } from "./store.ts";
import { stepOf } from "./totp.ts";

export interface SecondFactorDeps {
  readonly store: MfaStore;
  readonly transact: <T>(work: (unit: Unit) => Promise<T>) => Promise<T>;
  readonly seal: Seal;
  readonly now: Now;
}

/** Six digits can be guessed: after so many wrong codes the next try waits, and each further one twice as long. */
const patience = { free: 5, firstSeconds: 30, secondsMax: 900 };

/** Codes of an authenticator app, each good once, and recovery codes. */
export function createSecondFactor({ store, transact, seal, now }: SecondFactorDeps): SecondFactor {
  const assertPatient = async (unit: Unit, userId: string) => {
    const waitMs = ((await store.blockedUntil(userId, unit.tx))?.getTime() ?? 0) - now().getTime();
    if (waitMs > 0) throw new Problem("rate_limited", { detail: "Too many wrong codes.", retryAfterSeconds: Math.ceil(waitMs / 1_000) });
  };

  const prove = async (unit: Unit, { userId, secret }: TotpRow, code: string): Promise<AuthenticationMethod | undefined> => {
    const at = now();
    const step = await stepOf(seal.open(secret), code, at);
    if (step !== undefined) return (await store.useStep(userId, step, unit.tx)) ? "otp" : undefined;
    const usedAt = at;
    return (await store.useRecoveryCode(userId, { hash: recoveryCodeHash(userId, code), usedAt }, unit.tx)) ? "rc" : undefined;
  };

  /** The unit that tried is undone, so it is counted and told in others. */
  const recordFailure = async (userId: string) => {
    await store.countFailure(userId, { at: now(), ...patience });
    await transact(async (unit) => unit.publish(secondFactorFailed, { subject: userId, audience: userId, data: {} }));
  };

  return async (unit, userId, code) => {
    const row = await store.find(userId, unit.tx);
    if (!row?.confirmedAt) return undefined;
    if (code === undefined) throw new Problem("mfa_required");
    await assertPatient(unit, userId);
    const method = await prove(unit, row, code.trim());
    if (!method) {
      unit.afterRollback(() => recordFailure(userId));
      throw new Problem("invalid_credentials");
    }
    await store.forgetFailures(userId, unit.tx);
    return method;
  };
}
