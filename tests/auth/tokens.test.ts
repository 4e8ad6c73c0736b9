import { beforeAll, describe, expect, test } from "bun:test";
import { createHmac, createPublicKey } from "node:crypto";
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import type { Config } from "../../app/config.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { openSealOf } from "../opened-seal.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const running = sharedCopy();
let user: SignedInUser;
let sessionId: string;
/** The copy's own key, as an insider with the database and the key-encryption key would have it: it makes tokens that are wrong in one way only. */
let ownKey: JWK;
let kid: string;
let publicJwk: JWK;
let foreign: { readonly privateJwk: JWK; readonly publicJwk: JWK };

beforeAll(async () => {
  user = await signUp(running.url);
  sessionId = (await request(running.url, "/v1/auth/session", { token: user.token })).body.session.id;
  ownKey = await signingKeyOf(running.config);
  publicJwk = (await request(running.url, "/.well-known/jwks.json")).body.keys[0];
  kid = publicJwk.kid ?? "";
  const pair = await generateKeyPair("EdDSA", { crv: "Ed25519", extractable: true });
  foreign = { privateJwk: await exportJWK(pair.privateKey), publicJwk: await exportJWK(pair.publicKey) };
});

const encode = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const decode = (part = "") => JSON.parse(Buffer.from(part, "base64url").toString());
const parts = (token: string) => token.split(".") as [string, string, string];
const soon = () => Math.floor(Date.now() / 1_000) + 600;
const goodHeader = () => ({ alg: "EdDSA", typ: "at+jwt", kid });
const goodClaims = () => ({
  iss: "keelson",
  aud: "keelson",
  sub: user.id,
  sid: sessionId,
  jti: "x",
  role: "user",
  ver: 0,
  users: [user.id],
  iat: soon() - 600,
  exp: soon(),
});

/** Signed with the copy's own key unless told otherwise; the changes say what is wrong with it, `undefined` leaves a member out. */
async function mint(change: { header?: object; claims?: object; key?: JWK } = {}): Promise<string> {
  const { header = {}, claims = {}, key = ownKey } = change;
  const body = JSON.parse(JSON.stringify({ ...goodClaims(), ...claims }));
  const protectedHeader = JSON.parse(JSON.stringify({ ...goodHeader(), ...header }));
  return new SignJWT(body).setProtectedHeader(protectedHeader).sign(await importJWK(key, "EdDSA"));
}

/** With a header that jose would not write, signed by hand. */
function hmacToken(header: object, key: string | Buffer): string {
  const input = `${encode({ ...goodHeader(), ...header })}.${encode({ ...goodClaims(), role: "admin" })}`;
  return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
}

const present = (authorization: string) => request(running.url, "/v1/me", { headers: { authorization } });

test("the tokens of these tests are good but for what each changes", async () => {
  expect((await present(`Bearer ${await mint()}`)).status).toBe(200);
});

describe("forged, altered and foreign tokens", () => {
  const attacks: readonly (readonly [string, () => string | Promise<string>])[] = [
    ...["none", "None", "NONE", "nOnE", ""].flatMap((alg): (readonly [string, () => string])[] => [
      [`alg "${alg}" without a signature`, () => `${encode({ ...goodHeader(), alg })}.${encode(goodClaims())}.`],
      [`alg "${alg}" with an old signature`, () => `${encode({ ...goodHeader(), alg })}.${parts(user.token)[1]}.${parts(user.token)[2]}`],
    ]),
    ["no alg", () => `${encode({ typ: "at+jwt", kid })}.${encode(goodClaims())}.${parts(user.token)[2]}`],
    ["HS256 with the public key's bytes", () => hmacToken({ alg: "HS256" }, Buffer.from(publicJwk.x ?? "", "base64url"))],
    ["HS256 with the public key as base64url", () => hmacToken({ alg: "HS256" }, publicJwk.x ?? "")],
    ["HS256 with the public key as JWK", () => hmacToken({ alg: "HS256" }, JSON.stringify(publicJwk))],
    [
      "HS256 with the public key as PEM",
      () => hmacToken({ alg: "HS256" }, createPublicKey({ key: { ...publicJwk }, format: "jwk" }).export({ type: "spki", format: "pem" })),
    ],
    ["HS256 with an empty key", () => hmacToken({ alg: "HS256" }, "")],
    ["HS256 with the kid as key", () => hmacToken({ alg: "HS256" }, kid)],
    [
      "the newer name of the algorithm",
      () => `${encode({ ...goodHeader(), alg: "Ed25519" })}.${parts(user.token)[1]}.${parts(user.token)[2]}`,
    ],
    ["another key under our kid", () => mint({ key: foreign.privateJwk })],
    ["another key under a kid of its own", () => mint({ key: foreign.privateJwk, header: { kid: "foreign" } })],
    [
      "another key, brought along in the header",
      () => mint({ key: foreign.privateJwk, header: { kid: undefined, jwk: foreign.publicJwk } }),
    ],
    ["another key, brought along, under our kid", () => mint({ key: foreign.privateJwk, header: { jwk: foreign.publicJwk } })],
    ["another key behind jku", () => mint({ key: foreign.privateJwk, header: { kid: "foreign", jku: `${running.url}/jwks` } })],
    ["another key behind x5u", () => mint({ key: foreign.privateJwk, header: { x5u: `${running.url}/cert` } })],
    ...[
      "../../../../dev/null",
      "../signing-key",
      "' or 1=1 --",
      "'; drop table signing_keys; --",
      "__proto__",
      "constructor",
      "",
      "\0",
      "k".repeat(4_000),
    ].map((injected): readonly [string, () => Promise<string>] => [
      `kid ${JSON.stringify(injected.slice(0, 40))}`,
      () => mint({ header: { kid: injected } }),
    ]),
    ...[0, 1, true, null, [], {}, ["x"]].map((odd): readonly [string, () => string] => [
      `kid ${JSON.stringify(odd)}`,
      () => `${encode({ ...goodHeader(), kid: odd })}.${parts(user.token)[1]}.${parts(user.token)[2]}`,
    ]),
    [
      "a critical header nobody knows",
      () => `${encode({ ...goodHeader(), crit: ["nonsense"], nonsense: 1 })}.${parts(user.token)[1]}.${parts(user.token)[2]}`,
    ],
    [
      "an unencoded payload (RFC 7797)",
      () => `${encode({ ...goodHeader(), crit: ["b64"], b64: false })}.${parts(user.token)[1]}.${parts(user.token)[2]}`,
    ],
    ["typ JWT", () => mint({ header: { typ: "JWT" } })],
    ["no typ", () => mint({ header: { typ: undefined } })],
    ["typ of another kind of token", () => mint({ header: { typ: "refresh+jwt" } })],
    ["another audience", () => mint({ claims: { aud: "another" } })],
    ["no audience", () => mint({ claims: { aud: undefined } })],
    ["audience in other case", () => mint({ claims: { aud: "Keelson" } })],
    ["another issuer", () => mint({ claims: { iss: "https://evil.example" } })],
    ["no issuer", () => mint({ claims: { iss: undefined } })],
    ["expired a second ago", () => mint({ claims: { exp: soon() - 601 } })],
    ["expired long ago", () => mint({ claims: { iat: 0, exp: 1 } })],
    ["no expiry", () => mint({ claims: { exp: undefined } })],
    ["expiry as text", () => mint({ claims: { exp: String(soon()) } })],
    ["not valid yet", () => mint({ claims: { nbf: soon() } })],
    ["no subject", () => mint({ claims: { sub: undefined } })],
    ["no session", () => mint({ claims: { sid: undefined } })],
    ["no role", () => mint({ claims: { role: undefined } })],
    ["no jti", () => mint({ claims: { jti: undefined } })],
    ["no version of the session", () => mint({ claims: { ver: undefined } })],
    ["a version as text", () => mint({ claims: { ver: "0" } })],
    ["no users", () => mint({ claims: { users: undefined } })],
    ["a role there is not", () => mint({ claims: { role: "root" } })],
    ["roles in a list", () => mint({ claims: { role: ["admin"] } })],
    ["role changed to admin, old signature", () => altered(1, (claims) => ({ ...claims, role: "admin" }))],
    ["subject changed, old signature", () => altered(1, (claims) => ({ ...claims, sub: "usr_1" }))],
    ["expiry changed, old signature", () => altered(1, (claims) => ({ ...claims, exp: 9_999_999_999 }))],
    ["header changed, old signature", () => altered(0, (header) => ({ ...header, x: 1 }))],
    ["a payload that is no object", () => `${parts(user.token)[0]}.${encode("[]")}.${parts(user.token)[2]}`],
    ["a header that is no object", () => `${encode("7")}.${parts(user.token)[1]}.${parts(user.token)[2]}`],
    ["a header that is no JSON", () => `${encode("{")}.${parts(user.token)[1]}.${parts(user.token)[2]}`],
    ["a signature of zeros", () => `${parts(user.token)[0]}.${parts(user.token)[1]}.${Buffer.alloc(64).toString("base64url")}`],
    ["no signature", () => `${parts(user.token)[0]}.${parts(user.token)[1]}.`],
    ["half a signature", () => user.token.slice(0, -43)],
  ];

  test.each(attacks)("%s: 401", async (_, make) => {
    const token = await make();
    const answer = await present(`Bearer ${token}`);
    expectProblem(answer, "invalid_token");
    expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
    // A refusal is not remembered wrongly: the same again, and then the good one.
    expectProblem(await present(`Bearer ${token}`), "invalid_token");
    expect((await present(`Bearer ${user.token}`)).status).toBe(200);
  });

  test("any single bit that is flipped makes it invalid", async () => {
    const [header, claims, signature] = parts(user.token);
    for (const [index, part] of [header, claims, signature].entries()) {
      const bytes = Buffer.from(part, "base64url");
      for (const at of [0, Math.floor(bytes.length / 2), bytes.length - 1]) {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ 1;
        const token = [header, claims, signature].with(index, flipped.toString("base64url")).join(".");
        expectProblem(await present(`Bearer ${token}`), "invalid_token");
      }
    }
  });

  function altered(part: 0 | 1, change: (value: Record<string, unknown>) => object): string {
    const all = parts(user.token);
    return all.with(part, encode(change(decode(all[part])))).join(".");
  }
});

describe("one spelling only", () => {
  const spellings: readonly (readonly [string, (token: string) => string])[] = [
    ["padding at the end", (token) => `${token}==`],
    ["padding in the header", (token) => token.replace(".", "=.")],
    [
      "padding in the payload",
      (token) =>
        parts(token)
          .with(1, `${parts(token)[1]}=`)
          .join("."),
    ],
    ["unused low bits of the signature", (token) => token.slice(0, -1) + lowBitsSet(token.at(-1) ?? "A")],
    ["base64 instead of base64url", (token) => `${token.slice(0, -4)}+/+/`],
    ["a fourth part", (token) => `${token}.x`],
    ["an empty fourth part", (token) => `${token}.`],
    ["a dot before", (token) => `.${token}`],
    ["two parts", (token) => token.slice(0, token.lastIndexOf("."))],
    ["five parts, like a JWE", (token) => `${token}.x.y`],
    ["a space inside", (token) => token.replace(".", " .")],
    ["a tab inside", (token) => token.replace(".", "\t.")],
    ["a percent sign", (token) => token.replace(".", "%2E")],
    ["quotes", (token) => `"${token}"`],
    ["a comma and a second one", (token) => `${token},${token}`],
    ["upper case", (token) => token.toUpperCase()],
    ["JSON serialization", (token) => JSON.stringify({ protected: parts(token)[0], payload: parts(token)[1], signature: parts(token)[2] })],
    ["a letter from beyond ASCII", (token) => `${token}é`],
    ["ten thousand letters", () => `${"a".repeat(5_000)}.${"b".repeat(5_000)}.c`],
  ];
  test.each(spellings)("%s: 401", async (_, spell) => {
    const token = spell(user.token);
    expect(token).not.toBe(user.token);
    expectProblem(await present(`Bearer ${token}`), "invalid_token");
  });
});

describe("where the token is looked for", () => {
  test.each(["Bearer ", "bearer ", "BEARER ", "bEaReR ", "Bearer   "])(
    '"%s<token>" is taken: schemes have no case (RFC 9110 §11.1)',
    async (prefix) => {
      expect((await present(`${prefix}${user.token}`)).status).toBe(200);
      expect((await present(`${prefix}${user.token}  `)).status).toBe(200);
    },
  );

  test.each(["", "Basic ", "Token ", "Bearer:", "Bearer\t", "BearerX ", "Bearer Bearer ", "DPoP ", "Bearer,"])(
    '"%s<token>": 401',
    async (prefix) => {
      expectProblem(await present(`${prefix}${user.token}`), "invalid_token");
    },
  );

  test("not in the query, a cookie, the body or another header", async () => {
    const elsewhere = [
      request(running.url, `/v1/me?access_token=${user.token}`),
      request(running.url, "/v1/me", { headers: { cookie: `access_token=${user.token}; token=${user.token}` } }),
      request(running.url, "/v1/me", { headers: { "x-access-token": user.token, "proxy-authorization": `Bearer ${user.token}` } }),
      request(running.url, "/v1/sandbox/executions", { body: { code: "1", access_token: user.token } }),
    ];
    for (const answer of await Promise.all(elsewhere)) expectProblem(answer, "unauthenticated");
  });
});

describe("/.well-known/jwks.json", () => {
  test("has the public half only, and may be cached", async () => {
    const answer = await request(running.url, "/.well-known/jwks.json");
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "public, max-age=300"]);
    expect(answer.body.keys).toEqual([{ kty: "OKP", crv: "Ed25519", x: ownKey.x, kid, alg: "EdDSA", use: "sig" }]);
    expect(JSON.stringify(answer.body)).not.toContain(ownKey.d ?? "");
  });

  test("anybody can check our tokens with it", async () => {
    const { createRemoteJWKSet, jwtVerify } = await import("jose");
    const keys = createRemoteJWKSet(new URL(`${running.url}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(user.token, keys, { issuer: "keelson", audience: "keelson", typ: "at+jwt" });
    expect([payload.sub, payload.sid, payload.role]).toEqual([user.id, sessionId, "user"]);
    expect(protectedHeader).toEqual({ alg: "EdDSA", typ: "at+jwt", kid });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(running.config.KEELSON_ACCESS_TOKEN_SECONDS);
    expect(payload.jti).toBeString();
  });
});

async function signingKeyOf(config: Config): Promise<JWK> {
  await using opened = await openSealOf(config);
  const [row] = await opened.sql`select kid, private_key from signing_keys`;
  return JSON.parse(Buffer.from(opened.seal.open(row?.private_key, `signing-key:${row?.kid}`)).toString());
}

/** The same 6-bit letter with the bits set that base64url leaves unused after 64 bytes. */
function lowBitsSet(letter: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(letter) | 1] ?? "";
}
