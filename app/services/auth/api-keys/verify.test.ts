import { beforeEach, describe, expect, test } from "bun:test";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import { createMemoryLimiter } from "../../../platform/limiter/memory.ts";
import { createMatchesImported } from "./imported.ts";
import { formatKey, hashSecret, newSecret } from "./key-format.ts";
import type { ApiKeyRow, UsableKey } from "./store.ts";
import { createVerifyApiKey } from "./verify.ts";

const parts = { keyId: newId("apiKey"), secret: newSecret() };
const key = formatKey(parts);
const start = Date.parse("2026-01-01T00:00:00Z");

let clock: number;
let reads: number;
let uses: number;
let stored: UsableKey | undefined;
let minVersion: number;
let stale: boolean;
let whileReading: () => void;
let replaced: string[];

beforeEach(() => {
  clock = start;
  reads = 0;
  uses = 0;
  minVersion = 0;
  stale = false;
  whileReading = () => undefined;
  replaced = [];
  stored = usable({});
});

function usable(row: Partial<ApiKeyRow>, more: Partial<UsableKey> = {}): UsableKey {
  return {
    key: {
      id: parts.keyId,
      ownerId: "usr_1",
      teamId: null,
      name: "test",
      secretHash: hashSecret(parts),
      previousHash: null,
      previousUntil: null,
      scopes: ["tasks:read"],
      rateLimit: null,
      creditLimitSoft: null,
      creditLimitHard: null,
      creditsUsed: 0,
      creditLimitReachedAt: null,
      version: 0,
      createdAt: new Date(start),
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
      ...row,
    },
    owner: { role: "user", disabledAt: null },
    memberId: null,
    ...more,
  };
}

function verifier() {
  const isOutdated = (version: number) => version < minVersion;
  return createVerifyApiKey({
    store: {
      findUsable: async () => {
        reads += 1;
        const answer = stored;
        whileReading();
        return answer;
      },
    },
    matchesImported: createMatchesImported({
      store: { replaceHash: async (_id, _from, to) => void replaced.push(to) },
      limiter: createMemoryLimiter(),
    }),
    revocations: {
      isRevoked: (_id, version) => {
        if (isOutdated(version)) return true;
        return stale ? Promise.resolve((stored?.key.version ?? Number.POSITIVE_INFINITY) > version) : false;
      },
    },
    seen: () => {
      uses += 1;
    },
    now: () => new Date(clock),
  });
}

const outcome = async (verify: ReturnType<typeof verifier>, shown = key) => {
  try {
    return (await verify(shown)).via.kind;
  } catch (error) {
    return error instanceof Problem ? error.code : error;
  }
};

describe("refused before any lookup", () => {
  test.each<readonly [string, string]>([
    ["a wrong checksum", key.slice(0, -1) + (key.endsWith("0") ? "1" : "0")],
    ["one character of the secret changed", key.slice(0, 50) + (key[50] === "0" ? "1" : "0") + key.slice(51)],
    ["cut short", key.slice(0, -10)],
    ["the prefix alone", "klsn_"],
    ["much too long", `klsn_${"0".repeat(10_000)}`],
  ])("%s", async (_, shown) => {
    expect(await outcome(verifier(), shown)).toBe("invalid_token");
    expect(reads).toBe(0);
  });

  test("a key that is known to be revoked", async () => {
    const verify = verifier();
    expect(await outcome(verify)).toBe("api_key");
    minVersion = Number.POSITIVE_INFINITY;
    expect([await outcome(verify), reads, uses]).toEqual(["invalid_token", 1, 1]);
  });
});

describe("refused after a lookup", () => {
  test.each<readonly [string, () => UsableKey | undefined]>([
    ["no such key", () => undefined],
    ["another secret", () => usable({ secretHash: hashSecret({ ...parts, secret: newSecret() }) })],
    ["the hash of another row", () => usable({ secretHash: hashSecret({ ...parts, keyId: newId("apiKey") }) })],
    ["expired", () => usable({ expiresAt: new Date(start) })],
    ["its owner disabled", () => usable({}, { owner: { role: "user", disabledAt: new Date(start) } })],
    ["its owner not in the team", () => usable({ teamId: "team_1" })],
    [
      "the old secret after the grace",
      () => usable({ secretHash: "other", previousHash: hashSecret(parts), previousUntil: new Date(start) }),
    ],
    ["the old secret without grace", () => usable({ secretHash: "other", previousHash: hashSecret(parts) })],
  ])("%s", async (_, row) => {
    stored = row();
    expect([await outcome(verifier()), reads, uses]).toEqual(["invalid_token", 1, 0]);
  });
});

describe("what is remembered", () => {
  test("one lookup for many requests; each counts as a use", async () => {
    const verify = verifier();
    for (let n = 0; n < 100; n += 1) expect(await outcome(verify)).toBe("api_key");
    expect([reads, uses]).toEqual([1, 100]);
    expect(verify(key)).not.toBeInstanceOf(Promise);
  });

  test("nothing of a refusal: a key that is there later is found", async () => {
    const verify = verifier();
    stored = undefined;
    expect(await outcome(verify)).toBe("invalid_token");
    stored = usable({});
    expect(await outcome(verify)).toBe("api_key");
  });

  test("a changed key is read again at once", async () => {
    const verify = verifier();
    await outcome(verify);
    stored = usable({ version: 1, scopes: ["tasks:write"] });
    minVersion = 1;
    expect(await verify(key)).toMatchObject({ via: { version: 1, scopes: ["tasks:write"] } });
    expect(reads).toBe(2);
  });

  test("a change during the read is not missed", async () => {
    const verify = verifier();
    whileReading = () => {
      stored = usable({ version: 1, scopes: [] });
      minVersion = 1;
    };
    expect(await verify(key)).toMatchObject({ via: { version: 1, scopes: [] } });
  });

  test("while revocations can't be known the store is asked, and its answer counts", async () => {
    const verify = verifier();
    await outcome(verify);
    stale = true;
    expect(await outcome(verify)).toBe("api_key");
    stored = undefined;
    expect(await outcome(verify)).toBe("invalid_token");
  });

  test("everything is read again after half a minute, so nothing outlives what is known of revocations", async () => {
    const verify = verifier();
    await outcome(verify);
    stored = undefined;
    clock += 29_999;
    expect(await outcome(verify)).toBe("api_key");
    clock += 1;
    expect(await outcome(verify)).toBe("invalid_token");
  });

  test("expiry and the end of the grace count to the millisecond, remembered or not", async () => {
    for (const row of [
      usable({ expiresAt: new Date(start + 1_000) }),
      usable({ secretHash: "other", previousHash: hashSecret(parts), previousUntil: new Date(start + 1_000) }),
    ]) {
      stored = row;
      clock = start;
      const verify = verifier();
      expect(await outcome(verify)).toBe("api_key");
      clock += 999;
      expect(await outcome(verify)).toBe("api_key");
      clock += 1;
      expect(await outcome(verify)).toBe("invalid_token");
    }
  });
});

describe("whose authority", () => {
  const admin = { role: "admin", disabledAt: null } as const;
  test.each<readonly [string, UsableKey, string]>([
    ["a user's key", usable({}), "user"],
    ["a user's key with the scope admin", usable({ scopes: ["admin"] }), "user"],
    ["an administrator's key without the scope", usable({ scopes: ["tasks:write"] }, { owner: admin }), "user"],
    ["an administrator's key with the scope", usable({ scopes: ["admin"] }, { owner: admin }), "admin"],
    ["a team's key of an administrator", usable({ scopes: ["admin"], teamId: "team_1" }, { owner: admin, memberId: "usr_1" }), "user"],
  ])("%s", async (_, row, role) => {
    stored = row;
    expect((await verifier()(key)).role).toBe(role as "user" | "admin");
  });
});

describe("an imported key", () => {
  const bcrypt = () => Bun.password.hash(parts.secret, { algorithm: "bcrypt", cost: 4 });

  test("works by its bcrypt hash, which a fast one then replaces", async () => {
    stored = usable({ secretHash: await bcrypt() });
    expect(await outcome(verifier())).toBe("api_key");
    expect(replaced).toEqual([hashSecret(parts)]);
    expect(await outcome(verifier(), formatKey({ ...parts, secret: newSecret() }))).toBe("invalid_token");
  });

  test("as it was before its rotation works for the grace, and gets a fast hash too", async () => {
    stored = usable({ secretHash: "other", previousHash: await bcrypt(), previousUntil: new Date(start + 1_000) });
    expect(await outcome(verifier())).toBe("api_key");
    expect(replaced).toEqual([hashSecret(parts)]);
  });

  test("shown by many at once is compared once, so that none of them is one try too many", async () => {
    stored = usable({ secretHash: await bcrypt() });
    const verify = verifier();
    expect(new Set(await Promise.all(Array.from({ length: 50 }, () => outcome(verify))))).toEqual(new Set(["api_key"]));
    expect(replaced).toHaveLength(1);
  });

  test("takes ten wrong secrets a minute; other keys are no worse off by that", async () => {
    stored = usable({ secretHash: await bcrypt() });
    const verify = verifier();
    const guess = () => outcome(verify, formatKey({ ...parts, secret: newSecret() }));
    for (let n = 0; n < 10; n += 1) expect(await guess()).toBe("invalid_token");
    expect(await guess()).toBe("rate_limited");
    const other = { keyId: newId("apiKey"), secret: newSecret() };
    const secretHash = await Bun.password.hash(other.secret, { algorithm: "bcrypt", cost: 4 });
    stored = usable({ id: other.keyId, secretHash });
    expect(await outcome(verify, formatKey(other))).toBe("api_key");
  });
});
