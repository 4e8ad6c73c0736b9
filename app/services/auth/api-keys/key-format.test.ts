import { describe, expect, test } from "bun:test";
import { newId } from "../../../platform/ids.ts";
import { formatKey, hashSecret, matchesHash, newSecret, parseKey } from "./key-format.ts";

const parts = { keyId: newId("apiKey"), secret: newSecret() };
const key = formatKey(parts);

test("a key says its id and secret, in one word of 86 characters", () => {
  expect(key).toMatch(/^klsn_[0-9A-Za-z]{81}$/);
  expect(parseKey(key)).toEqual(parts);
});

test("secrets differ", () => {
  expect(new Set(Array.from({ length: 1_000 }, newSecret)).size).toBe(1_000);
});

test("every single wrong character is noticed", () => {
  for (let at = 0; at < key.length; at += 1) {
    const other = key[at] === "7" ? "8" : "7";
    expect(parseKey(key.slice(0, at) + other + key.slice(at + 1))).toBeUndefined();
  }
});

describe("no key", () => {
  const [body, checksum] = [key.slice(0, -6), key.slice(-6)];
  test.each<readonly [string, string]>([
    ["nothing", ""],
    ["the prefix alone", "klsn_"],
    ["without its checksum", body],
    ["with a checksum of zeros", `${body}000000`],
    ["the checksum in other case", body + swapCase(checksum)],
    ["a character more", `${key}0`],
    ["a character less", key.slice(0, -1)],
    ["another prefix", key.replace("klsn_", "klsm_")],
    ["the prefix in capitals", key.replace("klsn_", "KLSN_")],
    ["the id in capitals", `klsn_${key.slice(5, 37).toUpperCase()}${key.slice(37)}`],
    ["a space before", ` ${key}`],
    ["a line break after", `${key}\n`],
    ["a NUL inside", key.replace(/.$/, "\0")],
    ["letters that only look like ours", key.replace(/.$/, "а")],
    ["a book", `klsn_${"a".repeat(100_000)}`],
  ])("%s", (_, text) => {
    expect(parseKey(text)).toBeUndefined();
  });
});

describe("hashes", () => {
  test("match their secret and no other", async () => {
    expect(await matchesHash(parts, hashSecret(parts))).toBe(true);
    expect(await matchesHash({ ...parts, secret: newSecret() }, hashSecret(parts))).toBe(false);
    expect(hashSecret(parts)).not.toContain(parts.secret);
  });

  test("are of one key: in another row they open nothing", async () => {
    expect(await matchesHash({ ...parts, keyId: newId("apiKey") }, hashSecret(parts))).toBe(false);
  });

  test("by bcrypt match too", async () => {
    const hash = await Bun.password.hash(parts.secret, { algorithm: "bcrypt", cost: 4 });
    expect(await matchesHash(parts, hash)).toBe(true);
    expect(await matchesHash({ ...parts, secret: newSecret() }, hash)).toBe(false);
  });

  test.each(["", "$2b$", "nonsense"])("%p matches nothing", async (hash) => {
    expect(await matchesHash(parts, hash).catch(() => false)).toBe(false);
  });
});

function swapCase(text: string): string {
  return text.replaceAll(/./g, (letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()));
}
