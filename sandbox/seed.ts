/** A name for the randomness of a program that was given none. */
export function newSeed(): string {
  return crypto.randomUUID();
}

/** The start state of the guest's `Math.random`, as the JSON text of four 32-bit numbers. */
export function seedStateText(seed: string): string {
  const digest = new Bun.CryptoHasher("sha256").update(seed).digest();
  return JSON.stringify([0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset)));
}
