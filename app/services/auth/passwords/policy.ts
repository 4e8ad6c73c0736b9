import { Problem } from "../../../platform/errors.ts";
import type { IsBreached } from "./breached.ts";
import type { Passwords } from "./hashing.ts";
import type { PasswordStore } from "./store.ts";
import type { EstimateStrength } from "./strength.ts";

/** A password that somebody wants to have, and whose it will be. */
export interface Wish {
  readonly password: string;
  readonly email: string;
  readonly name?: string | null | undefined;
  /** The field that it came in, as a JSON pointer. */
  readonly pointer: string;
  /** Whose passwords of the past it may not be; absent for a new account. */
  readonly account?: { readonly id: string; readonly passwordHash: string | null };
}

export type PasswordPolicy = ReturnType<typeof createPasswordPolicy>;

export interface PasswordPolicyDeps {
  readonly estimate: EstimateStrength;
  readonly isBreached: IsBreached | undefined;
  readonly passwords: Pick<Passwords, "verify">;
  readonly store: Pick<PasswordStore, "pastHashes">;
  readonly scoreMin: number;
  /** So many passwords, the current one included, may not come again; 0: any may. */
  readonly historyMax: number;
}

/** What a new password must be beyond its length (OWASP ASVS 5.0, 6.2; NIST SP 800-63B §5.1.1.2). */
export function createPasswordPolicy({ estimate, isBreached, passwords, store, scoreMin, historyMax }: PasswordPolicyDeps) {
  const wasUsed = async (password: string, account: NonNullable<Wish["account"]>): Promise<boolean> => {
    if (historyMax === 0) return false;
    const past = historyMax > 1 ? await store.pastHashes(account.id, historyMax - 1) : [];
    for (const hash of [account.passwordHash, ...past]) if (hash !== null && (await passwords.verify(password, hash))) return true;
    return false;
  };

  return {
    /** Throws `Problem` (`weak_password`) with advice. Call it outside of a transaction: it may wait for another service. */
    assertAcceptable: async ({ password, email, name, pointer, account }: Wish): Promise<void> => {
      const refuse = (detail: string): never => {
        throw new Problem("weak_password", { detail, errors: [{ pointer, detail }] });
      };
      const normal = password.normalize("NFKC");
      const { score, advice } = await estimate(normal, name ? [email, name] : [email]);
      if (score < scoreMin) refuse(advice || "It is too easy to guess.");
      if (await isBreached?.(normal)) refuse("It is in a list of passwords that have leaked, which is where guessing begins.");
      if (account && (await wasUsed(password, account))) refuse("It was used for this account before.");
    },
  };
}
