import { describe, expect, test } from "bun:test";
import { authSettings, ConfigError, describeConfig, readConfig } from "../../../config.ts";

const client = { clientId: "our id", clientSecret: "hunter2" };
const read = (providers: unknown, more: Readonly<Record<string, string>> = {}) =>
  readConfig(undefined, {
    KEELSON_PUBLIC_URL: "https://keelson.example",
    KEELSON_OAUTH_PROVIDERS: typeof providers === "string" ? providers : JSON.stringify(providers),
    ...more,
  });

function complaintsOf(providers: unknown, more: Readonly<Record<string, string>> = {}): string[] {
  try {
    read(providers, more);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.message).not.toContain("hunter2");
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.replace("  - ", ""));
  }
  throw new Error("it was taken");
}

describe("presets", () => {
  test("know where the provider is, what to ask for and which claim to trust", () => {
    const { oauth } = authSettings(
      read([
        { ...client, name: "google", preset: "google" },
        { ...client, name: "github", preset: "github" },
        { ...client, name: "microsoft", preset: "microsoft" },
        { ...client, name: "contoso", preset: "microsoft", tenant: "9188040d-6c67-4c5b-b112-36a304b66dad" },
        { ...client, name: "keycloak", issuer: "https://sso.example.com/realms/main", scopes: ["email", "groups"], clientAuth: "post" },
        { ...client, name: "ghe", preset: "github", baseUrl: "https://github.example.com", apiUrl: "https://github.example.com/api/v3" },
      ]),
    );
    const openid = { kind: "openid", ...client, scopes: ["openid", "email", "profile"], clientAuth: undefined };
    const github = { kind: "github", ...client, scopes: ["read:user", "user:email"], clientAuth: undefined };
    expect(oauth.providers).toEqual([
      { ...openid, name: "google", issuer: "https://accounts.google.com", vouchingClaim: "email_verified" },
      { ...github, name: "github", baseUrl: "https://github.com", apiUrl: "https://api.github.com" },
      { ...openid, name: "microsoft", issuer: "https://login.microsoftonline.com/common/v2.0", vouchingClaim: "xms_edov" },
      {
        ...openid,
        name: "contoso",
        issuer: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        vouchingClaim: "xms_edov",
      },
      {
        ...openid,
        name: "keycloak",
        issuer: "https://sso.example.com/realms/main",
        scopes: ["openid", "email", "groups"],
        clientAuth: "post",
        vouchingClaim: "email_verified",
      },
      { ...github, name: "ghe", baseUrl: "https://github.example.com", apiUrl: "https://github.example.com/api/v3" },
    ] as never);
  });

  test("nothing configured: no providers, and no other place to return to", () => {
    const { providers, returnOrigins } = authSettings(readConfig(undefined, {})).oauth;
    expect([providers, returnOrigins]).toEqual([[], []]);
  });
});

describe("mistakes are named with what was expected, and no secret is shown", () => {
  const key = "KEELSON_OAUTH_PROVIDERS";
  const one = { ...client, name: "sso", issuer: "https://sso.example.com" };

  test.each<readonly [unknown, readonly string[]]>([
    ["hunter2", [`${key}: expected a JSON list like [{"name":"google","preset":"google","clientId":"…","clientSecret":"…"}]`]],
    [{ google: client }, [`${key}: expected a JSON list of providers`]],
    ["null", [`${key}: expected a JSON list of providers`]],
    [
      [{ name: "sso", issuer: "https://sso.example.com" }],
      [
        `${key}.0.clientId: expected the client id that the provider gave you`,
        `${key}.0.clientSecret: expected the client secret that the provider gave you`,
      ],
    ],
    [[{ ...one, name: "Single Sign-on" }], [`${key}.0.name: expected 1 to 32 of a-z, 0-9 and -`]],
    [[one, one], [`${key}.1.name: expected a name that no other provider has`]],
    [[{ ...client, name: "sso" }], [`${key}.0.preset: expected a preset (google, github, microsoft) or an issuer`]],
    [[{ ...client, name: "sso", preset: "gogle" }], [`${key}.0.preset: expected one of google, github, microsoft`]],
    [[{ ...one, scopes: ["openid email"] }], [`${key}.0.scopes.0: expected a scope without spaces`]],
    [[{ ...one, clientAuth: "jwt" }], [`${key}.0.clientAuth: expected basic or post: how the provider wants the client secret`]],
    [[{ ...one, tenant: "x" }], [`${key}.0.tenant: expected only with the preset microsoft`]],
    [[{ ...one, preset: "microsoft", tenant: "x" }], [`${key}.0.tenant: expected tenant or issuer, not both`]],
    [
      [{ ...client, name: "ms", preset: "microsoft", tenant: "../evil" }],
      [`${key}.0.tenant: expected a tenant id, a domain, common, organizations or consumers`],
    ],
    [
      [{ ...one, preset: "github" }],
      [`${key}.0.issuer: expected none: GitHub is no OpenID Connect provider; baseUrl and apiUrl say where it is`],
    ],
    [[{ ...one, baseUrl: "https://x.example" }], [`${key}.0.baseUrl: expected only with the preset github`]],
    [[{ ...one, apiUrl: "https://x.example" }], [`${key}.0.apiUrl: expected only with the preset github`]],
  ])("%j", (providers, complaints) => {
    expect(complaintsOf(providers)).toEqual([...complaints]);
  });

  test("an unknown field is named", () => {
    expect(complaintsOf([{ ...one, secret: "hunter2" }])).toEqual([expect.stringMatching(/^KEELSON_OAUTH_PROVIDERS\.0: .*"secret"/)]);
  });

  test.each([
    "http://sso.example.com",
    "http://127.0.0.1.evil.example",
    "http://localhost.evil.example",
    "http://10.0.0.1",
    "ftp://sso.example.com",
    "sso.example.com",
    "https://sso.example.com?x=1",
    "https://sso.example.com#x",
    "https://user:hunter2@sso.example.com",
    "file:///etc/passwd",
    "",
  ])("the issuer %j", (issuer) => {
    expect(complaintsOf([{ ...one, issuer }]).join()).toContain(
      `${key}.0.issuer: expected a URL that begins with https:// (http:// only for this machine)`,
    );
  });

  test.each(["http://localhost:8080/realms/x", "http://127.0.0.1:1", "http://[::1]:8080", "https://sso.example.com/"])(
    "the issuer %j is taken",
    (issuer) => {
      expect(read([{ ...one, issuer }]).KEELSON_OAUTH_PROVIDERS).toMatchObject([{ issuer }]);
    },
  );

  test("providers need a public URL", () => {
    expect(complaintsOf([one], { KEELSON_PUBLIC_URL: "" })).toEqual([
      "KEELSON_PUBLIC_URL: KEELSON_OAUTH_PROVIDERS needs it: providers send browsers back there",
    ]);
  });

  test.each([
    "https://app.example.com/",
    "https://app.example.com/path",
    "app.example.com",
    "http://app.example.com",
    "*",
    "https://*.example.com/x",
    "null",
  ])("KEELSON_OAUTH_RETURN_URLS=%s", (value) => {
    expect(complaintsOf([one], { KEELSON_OAUTH_RETURN_URLS: value })).toEqual([
      "KEELSON_OAUTH_RETURN_URLS.0: expected origins like https://app.example.com, without a path (http:// only for this machine)",
    ]);
  });

  test("the summary hides the whole setting", () => {
    const lines = new Map(describeConfig(read([one])).map(({ key: name, value }) => [name, value]));
    expect(lines.get(key)).toBe("[redacted]");
    expect(JSON.stringify([...lines])).not.toContain("hunter2");
  });
});
