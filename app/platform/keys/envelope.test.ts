import { describe, expect, test } from "bun:test";
import { createEnvelope, type Kek, kekVersionOf, prefixBytes, rewrapPrefix, UnknownKek } from "./envelope.ts";

const kek = (version: number): Kek => ({ version, key: new Uint8Array(32).fill(version) });
const keks = (...all: readonly Kek[]) => ({
  current: () => all.at(-1) ?? kek(1),
  find: (version: number) => all.find((it) => it.version === version),
});
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const plain = Buffer.from("correct horse");

test("each value has a data key of its own, and opens for what it is bound to", () => {
  const seal = createEnvelope(keks(kek(1)));
  const [one, two] = [seal.seal(plain, "a"), seal.seal(plain, "a")];
  expect(Buffer.from(one).equals(Buffer.from(two))).toBe(false);
  expect(text(seal.open(one, "a"))).toBe("correct horse");
  expect(() => seal.open(one, "b")).toThrow();
});

test("with any byte changed it does not open: format, version, data key, nonce, tag, ciphertext", () => {
  const seal = createEnvelope(keks(kek(1), kek(2)));
  const sealed = seal.seal(plain, "a");
  for (const index of sealed.keys()) {
    const altered = Uint8Array.from(sealed);
    altered[index] = (altered[index] ?? 0) ^ 1;
    expect(() => seal.open(altered, "a")).toThrow();
  }
});

test("the data key of one value does not open another", () => {
  const seal = createEnvelope(keks(kek(1)));
  const [one, two] = [seal.seal(plain, "a"), seal.seal(plain, "a")];
  const crossed = Buffer.concat([one.subarray(0, 65), two.subarray(65)]);
  expect(() => seal.open(crossed, "a")).toThrow();
});

describe("rewrapping", () => {
  const before = createEnvelope(keks(kek(1))).seal(plain, "a");

  test("moves a value to the key in force without knowing what it is bound to", () => {
    const prefix = rewrapPrefix(keks(kek(1), kek(2)), before.subarray(0, prefixBytes));
    const after = Buffer.concat([prefix, before.subarray(prefixBytes)]);
    expect([kekVersionOf(before), kekVersionOf(after)]).toEqual([1, 2]);
    const onlyNew = createEnvelope(keks(kek(2)));
    expect(text(onlyNew.open(after, "a"))).toBe("correct horse");
    expect(() => onlyNew.open(after, "b")).toThrow();
  });

  test("refuses what it can't open", () => {
    expect(() => rewrapPrefix(keks(kek(2)), before)).toThrow(UnknownKek);
    expect(() =>
      rewrapPrefix(
        keks(kek(1), kek(2)),
        Buffer.from("something else, long enough to be one of those, but it is none of ours: no format, no version"),
      ),
    ).toThrow();
  });
});
