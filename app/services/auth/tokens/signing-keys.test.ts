import { describe, expect, test } from "bun:test";
import { createLogger } from "../../../platform/logger.ts";
import { createSeal } from "../../../platform/seal.ts";
import type { SigningAlgorithm } from "./signing-key.ts";
import { openSigningKeys } from "./signing-keys.ts";
import type { SigningKeyRow } from "./store.ts";

const log = createLogger({ level: "silent", part: "test" });
const dayMs = 86_400_000;
const rotateDays = 90;

/** A table that copies share, and a clock that the test moves. */
function installation() {
  const clock = { ms: Date.UTC(2026, 0, 1) };
  const table: SigningKeyRow[] = [];
  let turn: Promise<unknown> = Promise.resolve();
  const store = {
    rotating: <T>(work: (on: never) => Promise<T>): Promise<T> => {
      const mine = turn.then(() => work(undefined as never));
      turn = mine;
      return mine;
    },
    insertSigningKey: async (row: SigningKeyRow) => void table.push(row),
    signingKeys: async () => table.toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime()),
    deleteSigningKeys: async (olderThan: Date) => {
      const kept = table.filter(({ createdAt }) => createdAt >= olderThan);
      return table.splice(0, table.length, ...kept).length - kept.length;
    },
  };
  const copy = (kek = 1, algorithm: SigningAlgorithm = "EdDSA") =>
    openSigningKeys({ store, seal: createSeal(Buffer.alloc(32, kek)), algorithm, rotateDays, now: () => new Date(clock.ms), log });
  return { clock, table, copy };
}

const kidsOf = async (keys: { publicKeys(): Promise<{ kid?: string }[]> }) => (await keys.publicKeys()).map(({ kid }) => kid);

test("the first copy makes a key that signs at once; a later one on the same installation signs with it", async () => {
  const { copy, table } = installation();
  const first = await copy();
  const second = await copy();
  expect(table).toHaveLength(1);
  expect(second.current().kid).toBe(first.current().kid);
});

test("copies that start together make one key", async () => {
  const { copy, table } = installation();
  const copies = await Promise.all([copy(), copy(), copy()]);
  expect(table).toHaveLength(1);
  expect(new Set(copies.map((keys) => keys.current().kid)).size).toBe(1);
});

test("private halves are stored sealed", async () => {
  const { copy, table } = installation();
  await copy();
  const sealed = Buffer.from(table[0]?.privateKey ?? []);
  expect(sealed.toString("latin1")).not.toContain('"d"');
  const opened = createSeal(Buffer.alloc(32, 1)).open(sealed, `signing-key:${table[0]?.kid}`);
  expect(JSON.parse(Buffer.from(opened).toString())).toHaveProperty("d");
});

describe("rotation", () => {
  test("the next key is shown before it signs, and the old one verifies for long after", async () => {
    const { clock, copy } = installation();
    const keys = await copy();
    const old = keys.current().kid;
    clock.ms += rotateDays * dayMs - 1;
    await keys.rotate();
    expect(await kidsOf(keys)).toEqual([old]);
    clock.ms += 1;
    await keys.rotate();
    const [, next] = await kidsOf(keys);
    expect(next).toBeString();
    expect(keys.current().kid).toBe(old);
    clock.ms += 600_000;
    expect(keys.current().kid).toBe(next ?? "");
    clock.ms += 2 * dayMs;
    expect(await keys.purge()).toBe(0);
    expect(await kidsOf(keys)).toEqual([old, next]);
    clock.ms += 2 * dayMs;
    expect(await keys.purge()).toBe(1);
    expect(await kidsOf(keys)).toEqual([next]);
  });

  test("a copy learns of the key that another one made", async () => {
    const { clock, copy } = installation();
    const [one, other] = [await copy(), await copy()];
    clock.ms += rotateDays * dayMs;
    await one.rotate();
    await other.rotate();
    clock.ms += 600_000;
    expect(other.current().kid).toBe(one.current().kid);
    expect(await kidsOf(one)).toHaveLength(2);
  });

  test("a copy that comes back after years makes a key before it signs with an ancient one for longer than it must", async () => {
    const { clock, copy, table } = installation();
    await copy();
    clock.ms += 1_000 * dayMs;
    const back = await copy();
    expect(table).toHaveLength(2);
    clock.ms += 600_000;
    expect(back.current().kid).toBe(table[1]?.kid ?? "");
  });
});

describe("keys that are not ours to sign with", () => {
  test("a copy with another key-encryption key has a key of its own, and shows both", async () => {
    const { copy } = installation();
    const [one, other] = [await copy(1), await copy(2)];
    expect(other.current().kid).not.toBe(one.current().kid);
    expect(await kidsOf(one)).toEqual(await kidsOf(other));
  });

  test("another algorithm by config: a new key at once, the old one still verifies", async () => {
    const { copy } = installation();
    const before = await copy(1, "EdDSA");
    const after = await copy(1, "ES256");
    expect(after.current().algorithm).toBe("ES256");
    expect(await kidsOf(after)).toContain(before.current().kid);
  });
});
