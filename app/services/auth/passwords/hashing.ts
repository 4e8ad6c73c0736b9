import { availableParallelism } from "node:os";
import { createAtMost } from "./at-most.ts";

/** Argon2id at the OWASP minimum (Password Storage Cheat Sheet): 19 MiB, two passes. */
const parameters = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;
/** What every hash made with the parameters begins with. */
const current = `$argon2id$v=19$m=${parameters.memoryCost},t=${parameters.timeCost},p=1$`;
const bcryptShape = /^\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53}$/;
/** The block cipher takes 72 bytes of key; every implementation but Bun's ignores what comes after. */
const bcryptBytesMax = 72;
/** Requests in line for a core. At 25 ms each the last one waits about as long as clients do. */
const waitingMax = 1_000;

export interface Passwords {
  /** Argon2id of the password after NFKC (NIST SP 800-63B §5.1.1.2), so that no two ways to type it differ. */
  hash(password: string): Promise<string>;
  /**
   * Takes as long when there is no hash to compare with, so that the time does not tell whether the account exists: every check makes one
   * argon2id hash, and while there are imported accounts one bcrypt hash too, whosever the account is.
   * An imported bcrypt hash is compared with the first 72 bytes of the password as it was sent, as the system it comes from did.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>;
  /** The hash was made another way than `hash` does it today. */
  isOutdated(hash: string): boolean;
}

/** The functions of `Bun.password` that are used; both run on threads of their own. */
export type HashingPrimitives = Pick<typeof Bun.password, "hash" | "verify">;

export interface HashingOptions {
  /** The bcrypt cost of the imported accounts; undefined while none is known. */
  readonly importedCost: () => number | undefined;
  readonly primitives?: HashingPrimitives;
  /** Each hash takes 19 MiB and a core. */
  readonly atOnce?: number;
}

export function createPasswords({ importedCost, primitives = Bun.password, atOnce = availableParallelism() }: HashingOptions): Passwords {
  const run = createAtMost(atOnce, waitingMax);
  const argon2 = (password: string) => primitives.hash(password.normalize("NFKC"), parameters);
  let argon2Decoy: Promise<string> | undefined;
  const bcryptDecoys = new Map<number, Promise<string>>();

  const bcryptDecoy = (cost: number): Promise<string> => {
    const made = bcryptDecoys.get(cost) ?? primitives.hash(decoyPassword, { algorithm: "bcrypt", cost });
    bcryptDecoys.set(cost, made);
    return made;
  };

  const verifyArgon2 = async (password: string, hash: string | undefined): Promise<boolean> => {
    argon2Decoy ??= argon2(decoyPassword);
    const matches = await primitives.verify(password.normalize("NFKC"), hash ?? (await argon2Decoy));
    return matches && hash !== undefined;
  };

  const verifyBcrypt = async (password: string, hash: string | undefined): Promise<boolean> => {
    const cost = hash === undefined ? importedCost() : undefined;
    if (hash === undefined && cost === undefined) return false;
    const matches = await primitives.verify(Buffer.from(password).subarray(0, bcryptBytesMax), hash ?? (await bcryptDecoy(cost ?? 0)));
    return matches && hash !== undefined;
  };

  return {
    hash: (password) => run(() => argon2(password)),
    verify: (password, hash) =>
      run(async () => {
        const bcrypt = hash !== undefined && bcryptShape.test(hash);
        const byArgon2 = await verifyArgon2(password, bcrypt ? undefined : hash);
        const byBcrypt = await verifyBcrypt(password, bcrypt ? hash : undefined);
        return byArgon2 || byBcrypt;
      }),
    isOutdated: (hash) => !hash.startsWith(current),
  };
}

const decoyPassword = "nobody has this password";

/** The work factor of a bcrypt hash (2 to this power rounds); undefined for any other hash. */
export function bcryptCostOf(hash: string): number | undefined {
  const cost = bcryptShape.exec(hash)?.groups?.cost;
  return cost === undefined ? undefined : Number(cost);
}
