import { describe, expect, test } from "bun:test";
import type { JWK } from "jose";
import type { Actor } from "../../platform/actor.ts";
import { Problem } from "../../platform/errors.ts";
import { type AccessTokens, createAccessTokens } from "./access-tokens.ts";
import { importSigningKey, signingKeySecret } from "./signing-key.ts";

const actor: Actor = { userId: "usr_1", sessionId: "ses_1", role: "user" };

async function newKey() {
  return importSigningKey(await signingKeySecret.generate());
}

async function tokenOfStranger(): Promise<string> {
  const key = await newKey();
  const stranger = createAccessTokens({ key, publicKeys: async () => [], issuer: "keelson", lifetimeSeconds: 60, now: () => new Date() });
  return (await stranger.sign(actor)).token;
}

/** An installation whose clock and key table the test moves. */
async function installation() {
  const clock = { ms: Date.UTC(2026, 0, 1) };
  const table: JWK[] = [];
  const asked = { times: 0, fails: false };
  const publicKeys = async () => {
    asked.times += 1;
    if (asked.fails) throw new Error("the database is away");
    return [...table];
  };
  const copy = async (): Promise<AccessTokens> => {
    const key = await newKey();
    table.push(key.publicJwk);
    return createAccessTokens({ key, publicKeys, issuer: "keelson", lifetimeSeconds: 60, now: () => new Date(clock.ms) });
  };
  return { clock, asked, copy };
}

const refused = (verifying: Actor | Promise<Actor>) =>
  expect(Promise.resolve(verifying)).rejects.toMatchObject({ name: "Problem", code: "invalid_token" });

describe("the life of an access token", () => {
  test("it stands for its actor until it expires, remembered or not", async () => {
    const { clock, copy } = await installation();
    const [signer, other] = [await copy(), await copy()];
    const { token, expiresInSeconds } = await signer.sign(actor);
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
    const { token } = await tokens.sign(actor);
    const given = await tokens.verify(token);
    expect(() => Object.assign(given, { role: "admin" })).toThrow(TypeError);
    expect(tokens.verify(token)).toEqual(actor);
  });

  test("two tokens of one actor differ", async () => {
    const { copy } = await installation();
    const tokens = await copy();
    expect((await tokens.sign(actor)).token).not.toBe((await tokens.sign(actor)).token);
  });
});

describe("keys of other copies", () => {
  // They were refused for up to five seconds when keys had just been looked for, which every start of a copy made happen.
  test("copies that start later are believed at once, one after the other", async () => {
    const { copy } = await installation();
    const first = await copy();
    await first.verify((await first.sign(actor)).token);
    for (let n = 0; n < 3; n += 1) {
      const later = await copy();
      expect(await first.verify((await later.sign(actor)).token)).toEqual(actor);
    }
  });

  test("also while somebody floods the first with unknown keys, and the flood asks the database rarely", async () => {
    const { asked, copy } = await installation();
    const first = await copy();
    const startedAt = performance.now();
    const flood = async () => refused(first.verify(await tokenOfStranger()));
    await Promise.all(Array.from({ length: 50 }, flood));
    const later = await copy();
    const { token } = await later.sign(actor);
    const [verified] = await Promise.all([first.verify(token), ...Array.from({ length: 50 }, flood)]);
    expect(verified).toEqual(actor);
    for (let n = 0; n < 3; n += 1) await flood();
    expect(asked.times).toBeLessThanOrEqual((performance.now() - startedAt) / 100 + 1);
  });

  test("its own key it knows without asking", async () => {
    const { asked, copy } = await installation();
    const tokens = await copy();
    await tokens.verify((await tokens.sign(actor)).token);
    expect(asked.times).toBe(0);
  });

  test("when they cannot be asked for, that is an outage and no bad token, and it heals", async () => {
    const { asked, copy } = await installation();
    const [first, second] = [await copy(), await copy()];
    const { token } = await second.sign(actor);
    asked.fails = true;
    const failure = await Promise.resolve(first.verify(token)).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(Problem);
    asked.fails = false;
    expect(await first.verify(token)).toEqual(actor);
  });
});

describe("the signing key as the data folder keeps it", () => {
  test.each(["", "{}", "[]", "null", "7", '{"kty":"OKP","crv":"Ed25519","x":"abc"}', '{"kty":"EC","crv":"P-256","x":"a","d":"b"}', "{"])(
    "%j is not well formed",
    (text) => expect(signingKeySecret.isWellFormed(text)).toBe(false),
  );

  test("one that was generated is, and its public half has no private part", async () => {
    const secret = await signingKeySecret.generate();
    expect(signingKeySecret.isWellFormed(secret)).toBe(true);
    const { publicJwk, kid } = await importSigningKey(secret);
    expect(Object.keys(publicJwk).sort()).toEqual(["alg", "crv", "kid", "kty", "use", "x"]);
    expect((await importSigningKey(secret)).kid).toBe(kid);
  });
});
