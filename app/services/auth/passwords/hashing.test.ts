import { describe, expect, test } from "bun:test";
import { Problem } from "../../../platform/errors.ts";
import { createAtMost } from "./at-most.ts";
import { createPasswords, type HashingPrimitives } from "./hashing.ts";

/** Of the test suite of crypt_blowfish by Openwall. */
const vectors = [
  ["U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"],
  ["U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"],
  ["U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"],
  [
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
    "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
  ],
] as const;
const [, , , long] = vectors;

const passwords = createPasswords({ importedCost: () => undefined });

describe("imported bcrypt hashes", () => {
  test.each(vectors)(
    "%j is verified as the original system did",
    async (password, hash) => {
      for (const variant of ["$2a$", "$2b$", "$2y$"]) {
        expect(await passwords.verify(password, hash.replace("$2a$", variant))).toBe(true);
        expect(await passwords.verify(`x${password}`, hash.replace("$2a$", variant))).toBe(false);
      }
    },
    30_000,
  );

  test("what comes after 72 bytes is ignored by bcrypt, and not by argon2id", async () => {
    const [password, hash] = long;
    expect(await passwords.verify(password.slice(0, 72), hash)).toBe(true);
    expect(await passwords.verify(password.slice(0, 71), hash)).toBe(false);
    const own = await passwords.hash(password);
    expect(await passwords.verify(password.slice(0, 72), own)).toBe(false);
    expect(await passwords.verify(password, own)).toBe(true);
  });

  test("72 bytes may end in the middle of a character", async () => {
    const password = `${"x".repeat(71)}é and more`;
    const hash = await Bun.password.hash(Buffer.from(password).subarray(0, 72), { algorithm: "bcrypt", cost: 4 });
    expect(await passwords.verify(password, hash)).toBe(true);
    expect(await passwords.verify(password.replace("é", "z"), hash)).toBe(false);
  });

  test.each(["", "x", "$2a$05$short", "$2b$99$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui\n"])(
    "%j is no hash of bcrypt",
    async (hash) => {
      const opened = await passwords.verify("U*U", hash).catch(() => false);
      expect(opened).toBe(false);
    },
  );
});

test("what was not made with today's parameters is outdated", async () => {
  expect(passwords.isOutdated(await passwords.hash("a password"))).toBe(false);
  const others = [
    { algorithm: "argon2id", memoryCost: 19_456, timeCost: 3 },
    { algorithm: "argon2id", memoryCost: 8_192, timeCost: 2 },
    { algorithm: "argon2i", memoryCost: 19_456, timeCost: 2 },
    { algorithm: "bcrypt", cost: 4 },
  ] as const;
  for (const other of others) expect(passwords.isOutdated(await Bun.password.hash("a password", other))).toBe(true);
});

test.each([
  ["é as one character or as two", "caf\u00e9 au lait", "cafe\u0301 au lait"],
  ["full-width letters", "ｐａｓｓ word", "pass word"],
  ["a ligature", "e\ufb03cient", "efficient"],
])("one password however it is typed: %s", async (_, one, other) => {
  expect(await passwords.verify(other, await passwords.hash(one))).toBe(true);
  expect(await passwords.verify(one, await passwords.hash(other))).toBe(true);
});

describe("every check does the same work", () => {
  /** The real functions, and what they were asked. */
  function counted() {
    const verified: string[] = [];
    const primitives: HashingPrimitives = {
      hash: Bun.password.hash,
      verify: (password, hash, algorithm) => {
        verified.push(String(hash).startsWith("$2") ? "bcrypt" : "argon2id");
        return Bun.password.verify(password, hash, algorithm);
      },
    };
    return { primitives, verified };
  }

  test.each([
    ["while no imported account is known", undefined, ["argon2id"]],
    ["while there are imported accounts", 5, ["argon2id", "bcrypt"]],
  ] as const)("%s", async (_, cost, expected) => {
    const { primitives, verified } = counted();
    const subject = createPasswords({ importedCost: () => cost, primitives });
    const own = await subject.hash("the password");
    const [, imported] = long;
    for (const [password, hash] of [
      ["the password", own],
      ["another password", own],
      ["another password", undefined],
      ...(cost === undefined ? [] : [["another password", imported] as const, long]),
    ] as const) {
      verified.length = 0;
      await subject.verify(password, hash);
      expect(verified).toEqual([...expected]);
    }
  });

  test("a decoy's password opens nothing", async () => {
    const subject = createPasswords({ importedCost: () => 4 });
    expect(await subject.verify("nobody has this password", undefined)).toBe(false);
  });
});

describe("at most so many at once", () => {
  test("of many, no more run, and all get done in the order they came", async () => {
    const run = createAtMost(3, 100);
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        run(async () => {
          running += 1;
          most = Math.max(most, running);
          await Promise.resolve();
          running -= 1;
          done.push(n);
        }),
      ),
    );
    expect([most, running]).toEqual([3, 0]);
    expect(done).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  test("one that fails makes room, and too many in the line are refused", async () => {
    const run = createAtMost(1, 1);
    const fails = run(() => Promise.reject(new Error("no")));
    const waits = run(async () => "yes");
    const refusal = await run(async () => "never").catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Problem);
    expect(refusal).toMatchObject({ code: "unavailable", init: { retryAfterSeconds: 1 } });
    await expect(fails).rejects.toThrow("no");
    expect(await waits).toBe("yes");
    expect(await run(async () => "again")).toBe("again");
  });

  test("hashing goes through it", async () => {
    let running = 0;
    let most = 0;
    const slow = async <T>(work: () => Promise<T>): Promise<T> => {
      running += 1;
      most = Math.max(most, running);
      const result = await work();
      running -= 1;
      return result;
    };
    const primitives: HashingPrimitives = {
      hash: (password, how) => slow(() => Bun.password.hash(password, how)),
      verify: (password, hash, how) => slow(() => Bun.password.verify(password, hash, how)),
    };
    const subject = createPasswords({ importedCost: () => undefined, primitives, atOnce: 2 });
    await subject.verify("make the decoy", undefined);
    await Promise.all(
      Array.from({ length: 8 }, (_, n) => (n % 2 ? subject.hash(`password ${n}`) : subject.verify(`password ${n}`, undefined))),
    );
    expect(most).toBe(2);
  });
});
