import { describe, expect, test } from "bun:test";
import type { Actor } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import { type AccessGrant, createAccessTokens } from "./access-tokens.ts";
import { generateSigningKey, importCryptoKey, type SigningAlgorithm, type SigningKey } from "./signing-key.ts";

const grant: AccessGrant = { userId: "usr_1", role: "user", sessionId: "ses_1", version: 3, users: ["usr_1"], network: undefined };
const actor: Actor = { userId: "usr_1", role: "user", via: { kind: "session", sessionId: "ses_1", version: 3 } };
const here = { ip: "203.0.113.7" };

async function tokenOfStranger(): Promise<string> {
  const { copy } = await installation();
  return (await (await copy()).sign(grant)).token;
}

/** An installation whose clock, key table and revocations the test moves. */
async function installation() {
  const clock = { ms: Date.UTC(2026, 0, 1) };
  const table: SigningKey[] = [];
  const asked = { times: 0, fails: false };
  const revoked = { is: false as boolean | Promise<boolean> };
  const now = () => new Date(clock.ms);
  const allKeys = async () => {
    asked.times += 1;
    if (asked.fails) throw new Error("the database is away");
    return [...table];
  };
  const copy = async (algorithm: SigningAlgorithm = "EdDSA") => {
    const made = await generateSigningKey(algorithm);
    table.push(made);
    const signer = { kid: made.kid, algorithm, key: await importCryptoKey(made.privateJwk, algorithm), createdAt: now(), signsFrom: now() };
    const tokens = createAccessTokens({
      signingKeys: { current: () => signer },
      allKeys,
      revocations: { isRevoked: () => revoked.is },
      seen: () => undefined,
      issuer: "keelson",
      lifetimeSeconds: 60,
      now,
    });
    return { sign: tokens.sign, verify: (token: string, from = here) => tokens.verify(token, from) };
  };
  return { clock, asked, revoked, copy };
}

const refused = (verifying: Actor | Promise<Actor>) =>
  expect(Promise.resolve(verifying)).rejects.toMatchObject({ name: "Problem", code: "invalid_token" });

describe("the life of an access token", () => {
  test("it stands for its actor until it expires, remembered or not", async () => {
    const { clock, copy } = await installation();
    const [signer, other] = [await copy(), await copy()];
    const { token, expiresInSeconds } = await signer.sign(grant);
    expect(expiresInSeconds).toBe(60);
    expect(await signer.verify(token)).toEqual(actor);
    // Remembered from now on: verified without a promise.
    expect(signer.verify(token)).not.toBeInstanceOf(Promise);
    clock.ms += 59_999;
    expect(signer.verify(token)).toEqual(actor);
    expect(await other.verify(token)).toEqual(actor);
    clock.ms += 1;
    for (const copyOf of [signer, other, signer]) await refused(copyOf.verify(token));
  });

  test("what is remembered cannot be changed by who gets it", async () => {
    const { copy } = await installation();
    const tokens = await copy();
    const { token } = await tokens.sign(grant);
    const given = await tokens.verify(token);
    expect(() => Object.assign(given, { role: "admin" })).toThrow(TypeError);
    expect(tokens.verify(token)).toEqual(actor);
  });

  test("two tokens of one actor differ", async () => {
    const { copy } = await installation();
    const tokens = await copy();
    expect((await tokens.sign(grant)).token).not.toBe((await tokens.sign(grant)).token);
  });
});

describe("keys of other copies", () => {
  // They were refused for up to five seconds when keys had just been looked for, which every start of a copy made happen.
  test("copies that start later are believed at once, one after the other", async () => {
    const { copy } = await installation();
    const first = await copy();
    await first.verify((await first.sign(grant)).token);
    for (let n = 0; n < 3; n += 1) {
      const later = await copy();
      expect(await first.verify((await later.sign(grant)).token)).toEqual(actor);
    }
  });

  test("also while somebody floods the first with unknown keys, and the flood asks the database rarely", async () => {
    const { asked, copy } = await installation();
    const first = await copy();
    const startedAt = performance.now();
    const flood = async () => refused(first.verify(await tokenOfStranger()));
    await Promise.all(Array.from({ length: 50 }, flood));
    const later = await copy();
    const { token } = await later.sign(grant);
    const [verified] = await Promise.all([first.verify(token), ...Array.from({ length: 50 }, flood)]);
    expect(verified).toEqual(actor);
    for (let n = 0; n < 3; n += 1) await flood();
    expect(asked.times).toBeLessThanOrEqual((performance.now() - startedAt) / 100 + 1);
  });

  test("when they cannot be asked for, that is an outage and no bad token, and it heals", async () => {
    const { asked, copy } = await installation();
    const [first, second] = [await copy(), await copy()];
    const { token } = await second.sign(grant);
    asked.fails = true;
    const failure = await Promise.resolve(first.verify(token)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(Problem);
    asked.fails = false;
    expect(await first.verify(token)).toEqual(actor);
  });
});

describe("what the key may be used for", () => {
  test.each(["EdDSA", "ES256", "RS256"] as const)("%s signs and verifies", async (algorithm) => {
    const { copy } = await installation();
    const tokens = await copy(algorithm);
    const { token } = await tokens.sign(grant);
    expect(JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString())).toMatchObject({ alg: algorithm, typ: "at+jwt" });
    expect(await tokens.verify(token)).toEqual(actor);
  });

  test.each(["EdDSA", "ES256", "RS256"] as const)("the public half of a fresh %s key has no private part", async (algorithm) => {
    const { publicJwk, kid } = await generateSigningKey(algorithm);
    const secret = ["d", "p", "q", "dp", "dq", "qi", "k"];
    expect(Object.keys(publicJwk).filter((member) => secret.includes(member))).toEqual([]);
    expect(publicJwk).toMatchObject({ kid, alg: algorithm, use: "sig" });
  });
});

describe("revocation", () => {
  test("a remembered token is refused as soon as its session is", async () => {
    const { revoked, copy } = await installation();
    const tokens = await copy();
    const { token } = await tokens.sign(grant);
    expect(await tokens.verify(token)).toEqual(actor);
    revoked.is = true;
    expect(() => tokens.verify(token)).toThrow(Problem);
    revoked.is = Promise.resolve(true);
    await refused(tokens.verify(token));
    revoked.is = Promise.resolve(false);
    expect(await tokens.verify(token)).toEqual(actor);
    revoked.is = Promise.reject(new Error("the store is away"));
    await expect(Promise.resolve(tokens.verify(token))).rejects.toThrow("the store is away");
  });
});

describe("a token that is bound to a network", () => {
  const bound: AccessGrant = { ...grant, network: "203.0.113.7" };
  test("works from there and from nowhere else, remembered or not", async () => {
    const { copy } = await installation();
    const tokens = await copy();
    const { token } = await tokens.sign(bound);
    await refused(Promise.try(() => tokens.verify(token, { ip: "203.0.113.8" })));
    expect(await tokens.verify(token)).toEqual(actor);
    await refused(Promise.try(() => tokens.verify(token, { ip: "203.0.113.8" })));
    expect(await tokens.verify(token, { ip: "::ffff:203.0.113.7" })).toEqual(actor);
  });

  test("an IPv6 subscriber may move within the /64", async () => {
    const { copy } = await installation();
    const tokens = await copy();
    const { token } = await tokens.sign({ ...grant, network: "2001:db8:0:7::/64" });
    expect(await tokens.verify(token, { ip: "2001:db8:0:7::1" })).toEqual(actor);
    expect(await tokens.verify(token, { ip: "2001:db8:0:7:abcd::2" })).toEqual(actor);
    await refused(Promise.try(() => tokens.verify(token, { ip: "2001:db8:0:8::1" })));
  });
});
