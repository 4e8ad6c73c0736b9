/** Argon2id at the OWASP minimum (Password Storage Cheat Sheet): 19 MiB, two passes. */
const parameters = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes as long when there is no hash to compare with, so that the time does not tell whether the account exists. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}

export function createPasswords(): Passwords {
  let decoy: Promise<string> | undefined;
  return {
    hash: (password) => Bun.password.hash(password, parameters),
    verify: async (password, hash) => {
      decoy ??= Bun.password.hash("nobody has this password", parameters);
      const matches = await Bun.password.verify(password, hash ?? (await decoy));
      return matches && hash !== undefined;
    },
  };
}
