import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decrypt, encrypt, overheadBytes, randomBytes } from "./aead.ts";

const key = new Uint8Array(32).fill(7);
const bytes = fc.uint8Array({ maxLength: 300 });

test("what was encrypted comes back, for its associated data", () => {
  fc.assert(
    fc.property(bytes, bytes, (plain, associated) => {
      const encrypted = encrypt(key, plain, associated);
      expect(encrypted.length).toBe(plain.length + overheadBytes);
      expect(Buffer.from(decrypt(key, encrypted, associated))).toEqual(Buffer.from(plain));
    }),
  );
});

describe("does not open", () => {
  const plain = new TextEncoder().encode("a secret");
  const associated = new TextEncoder().encode("usr_1/name/1");
  const encrypted = encrypt(key, plain, associated);

  test("with any one bit changed: nonce, tag or ciphertext", () => {
    for (let bit = 0; bit < encrypted.length * 8; bit += 1) {
      const altered = Uint8Array.from(encrypted);
      altered[bit >> 3] = (altered[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => decrypt(key, altered, associated)).toThrow();
    }
  });

  test("cut anywhere", () => {
    for (let length = 0; length < encrypted.length; length += 1)
      expect(() => decrypt(key, encrypted.subarray(0, length), associated)).toThrow();
  });

  test("with another key, or for something else", () => {
    expect(() => decrypt(new Uint8Array(32).fill(8), encrypted, associated)).toThrow();
    expect(() => decrypt(key, encrypted, new TextEncoder().encode("usr_2/name/1"))).toThrow();
  });
});

test("random bytes come once, whatever pieces they are taken in", () => {
  const seen = new Set<string>();
  for (let index = 0; index < 20_000; index += 1) seen.add(Buffer.from(randomBytes(12 + (index % 3) * 10)).toString("hex"));
  expect(seen.size).toBe(20_000);
});
