import type { AuthenticationMethod } from "../../../../db/schema/auth.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import { secondFactorFailed } from "../events.ts";
import type { SecondFactor, SecondFactorClaim } from "../log-in.ts";
import { recoveryCodeHash } from "./recovery-codes.ts";
import type { MfaStore, TotpRow } from "./store.ts";
import { stepOf, totpSecretOf } from "./totp.ts";
import { type Tries, TryDue } from "./tries.ts";

export interface SecondFactorDeps {
  readonly store: MfaStore;
  readonly tries: Pick<Tries, "forget">;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly now: Now;
}

/** Codes of an authenticator app, each good once, and recovery codes. */
export function createSecondFactor({ store, tries, transact, seal, now }: SecondFactorDeps): SecondFactor {
  const prove = async (unit: Unit, { userId, secret }: TotpRow, code: string): Promise<AuthenticationMethod | undefined> => {
    const at = now();
    const step = await stepOf(seal.open(secret, totpSecretOf(userId)), code, at);
    if (step !== undefined) return (await store.useStep(userId, step, unit.tx)) ? "otp" : undefined;
    const usedAt = at;
    return (await store.useRecoveryCode(userId, { hash: recoveryCodeHash(userId, code), usedAt }, unit.tx)) ? "rc" : undefined;
  };

  /** The unit that tried is undone, so it is told in another. */
  const recordFailure = ({ userId, origin }: SecondFactorClaim) =>
    transact(async (unit) => unit.publish(secondFactorFailed, { subject: userId, audience: userId, origin, data: {} }));

  return async (unit, claim) => {
    const { userId, code, origin } = claim;
    const row = await store.find(userId, unit.tx);
    if (!row?.confirmedAt) return undefined;
    if (code === undefined) throw new Problem("mfa_required");
    if (unit.countedTryOf !== userId) throw new TryDue(userId, origin);
    const method = await prove(unit, row, code.trim());
    if (!method) {
      unit.afterRollback(() => recordFailure(claim));
      throw new Problem("invalid_credentials");
    }
    await tries.forget(unit, userId, origin);
    return method;
  };
}
