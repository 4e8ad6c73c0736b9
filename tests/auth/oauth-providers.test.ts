import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Answer } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { type Browser, createBrowser } from "./browser.ts";
import { type GithubAccount, type GithubStandIn, startGithubStandIn } from "./github-stand-in.ts";
import { type IdentityProvider, type Person, startIdentityProvider } from "./identity-provider.ts";

const publicUrl = "http://localhost:3000/base";
const client = { clientId: "keelson", clientSecret: "a client secret that is long enough to be one" };
const callbackOf = (name: string) => `${publicUrl}/v1/auth/oauth/${name}/callback`;

/** A server that takes connections and answers as told. */
const answerWith = (answer: () => Response | Promise<Response>) =>
  Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 60, fetch: answer });

let idp: IdentityProvider;
let post: IdentityProvider;
let github: GithubStandIn;
let running: TestCopy;
/** Answers nothing at all, ever. */
const silent = answerWith(() => new Promise<Response>(() => undefined));
let flakyAnswer: () => Response | Promise<Response> = () => new Response("down", { status: 503 });
const flaky = answerWith(() => flakyAnswer());
const broken: Readonly<Record<string, () => Response>> = {
  error: () => new Response("oops", { status: 500 }),
  html: () => new Response("<html>", { headers: { "content-type": "text/html" } }),
  garbage: () => new Response("{", { headers: { "content-type": "application/json" } }),
  elsewhere: () => Response.json({ issuer: "https://evil.example", authorization_endpoint: "https://evil.example/auth" }),
  moved: () => Response.redirect("https://evil.example/.well-known/openid-configuration"),
  empty: () => Response.json({}),
};
const brokenServers = Object.fromEntries(Object.entries(broken).map(([name, answer]) => [name, answerWith(answer)]));

beforeAll(async () => {
  idp = await startIdentityProvider({ redirectUris: ["ms", "wrong-secret", "basic"].map(callbackOf), idTokenClaims: true });
  post = await startIdentityProvider({ redirectUris: [callbackOf("post")], authMethod: "client_secret_post" });
  github = startGithubStandIn({ ...client, redirectUri: callbackOf("github") });
  running = await startTestCopy("postgres", {
    KEELSON_PUBLIC_URL: publicUrl,
    KEELSON_LOGIN_LIMIT_PER_MINUTE: "100000",
    KEELSON_OAUTH_PROVIDERS: JSON.stringify([
      { ...client, name: "ms", preset: "microsoft", issuer: idp.issuer },
      { ...client, name: "basic", issuer: idp.issuer, clientAuth: "basic" },
      { ...client, name: "wrong-secret", issuer: idp.issuer, clientSecret: "not the secret of this client at all" },
      { ...client, name: "post", issuer: post.issuer, clientAuth: "post" },
      { ...client, name: "github", preset: "github", baseUrl: github.url, apiUrl: `${github.url}/api/v3/` },
      { ...client, name: "refused", issuer: "http://127.0.0.1:1" },
      { ...client, name: "silent", issuer: silent.url.origin },
      { ...client, name: "flaky", issuer: flaky.url.origin },
      ...Object.entries(brokenServers).map(([name, { url }]) => ({ ...client, name, issuer: url.origin })),
    ]),
  });
});
afterAll(async () => {
  await running[Symbol.asyncDispose]();
  await idp[Symbol.asyncDispose]();
  await post[Symbol.asyncDispose]();
  for (const server of [github, silent, flaky, ...Object.values(brokenServers)]) await server.stop(true);
});

const browser = (): Browser => createBrowser({ publicUrl: new URL(publicUrl).origin, url: running.url });
const begin = (name: string) => browser().visit(`/v1/auth/oauth/${name}`);
/** Our copy does not know of the path that a proxy before it would take away. */
const home = (callback: string) => callback.replace("/base/", "/");
const logIn = async (name: string, person: string): Promise<Answer> => {
  const at = browser();
  const { location } = await at.visit(`/v1/auth/oauth/${name}`);
  return at.visit(home(await at.logInAt(location ?? "", person)));
};

describe("a provider that does not work", () => {
  test.each(["refused", ...Object.keys(broken)])("%s: provider_unavailable with Retry-After, and nothing of it shows", async (name) => {
    const answer = await begin(name);
    expectProblem(answer, "provider_unavailable");
    expect([answer.headers.get("retry-after"), answer.body.detail]).toEqual(["5", `${name} can't be reached or does not work.`]);
  });

  test("one that never answers is given up after five seconds", async () => {
    const startedAt = performance.now();
    expectProblem(await begin("silent"), "provider_unavailable");
    expect(performance.now() - startedAt).toBeGreaterThan(4_900);
  }, 30_000);

  test("one that was down is asked again, and then not for each log-in", async () => {
    expectProblem(await begin("flaky"), "provider_unavailable");
    let asked = 0;
    const { origin: issuer } = flaky.url;
    flakyAnswer = () => {
      asked += 1;
      return Response.json({ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` });
    };
    const answers = await Promise.all(Array.from({ length: 5 }, () => begin("flaky")));
    expect([answers.map(({ status }) => status), asked]).toEqual([[302, 302, 302, 302, 302], 1]);
  });

  test("one that goes away before the code is redeemed: provider_unavailable, nobody is logged in", async () => {
    const at = browser();
    const { location } = await at.visit("/v1/auth/oauth/flaky");
    const state = new URL(location ?? "").searchParams.get("state");
    flakyAnswer = () => new Response("down", { status: 503 });
    expectProblem(await at.visit(`/v1/auth/oauth/flaky/callback?state=${state}&code=x`), "provider_unavailable");
  });

  test.each(["server_error", "temporarily_unavailable", "unauthorized_client", "invalid_scope", "<script>alert(1)</script>"])(
    "one that sends the browser back with error=%s: provider_unavailable",
    async (error) => {
      const at = browser();
      const { location } = await at.visit("/v1/auth/oauth/basic");
      const query = new URLSearchParams({ error, state: new URL(location ?? "").searchParams.get("state") ?? "", iss: idp.issuer });
      const answer = await at.visit(`/v1/auth/oauth/basic/callback?${query}`);
      expectProblem(answer, "provider_unavailable");
      expect(JSON.stringify(answer.body)).not.toContain("script");
    },
  );

  test("one that does not take our secret: provider_unavailable, for the user can do nothing about it", async () => {
    expectProblem(await logIn("wrong-secret", "ada"), "provider_unavailable");
  });
});

test.each(["basic", "post"])("the client secret goes as %s when the configuration says so", async (name) => {
  const provider = name === "basic" ? idp : post;
  provider.people.set(`by-${name}`, { email: `by-${name}@acme.example`, email_verified: true });
  expect((await logIn(name, `by-${name}`)).body.user?.email).toBe(`by-${name}@acme.example`);
});

describe("Microsoft, where a tenant may write any address into the claim `email`", () => {
  test.each<readonly [Person, number]>([
    [{ xms_edov: true }, 200],
    [{ xms_edov: "1" }, 200],
    [{ xms_edov: 1 }, 200],
    [{ xms_edov: false }, 403],
    [{ xms_edov: "0" }, 403],
    [{ email_verified: true }, 403],
    [{}, 403],
  ])("%j: %i", async (claims, status) => {
    const person = `ms-${JSON.stringify(claims).replaceAll(/\W/g, "")}`;
    idp.people.set(person, { ...claims, email: `${person.toLowerCase()}@contoso.example` });
    const answer = await logIn("ms", person);
    expect(answer.status).toBe(status);
    if (status === 403) expectProblem(answer, "email_not_vouched");
  });
});

describe("GitHub", () => {
  let accounts = 0;
  const account = (change: Partial<GithubAccount> = {}): GithubAccount => {
    accounts += 1;
    const email = `octo-${accounts}@github.example`;
    return {
      id: 583_231 + accounts,
      name: "Octo Cat",
      emails: [{ email, primary: true, verified: true, visibility: "private" }],
      ...change,
    };
  };
  const logInAs = async (as: GithubAccount): Promise<Answer> => {
    github.account = as;
    const at = browser();
    const { location } = await at.visit("/v1/auth/oauth/github");
    return at.visit(home(await at.logInAt(location ?? "", "octocat")));
  };

  test("the account is known by its id, whatever becomes of its address and name", async () => {
    const octo = account();
    const first = await logInAs(octo);
    expect([first.status, first.body.user]).toMatchObject([200, { email: octo.emails[0]?.email, emailVerified: true, name: "Octo Cat" }]);
    const again = await logInAs({ ...octo, name: null, emails: [] });
    expect(again.body.user).toEqual(first.body.user);
    expect(github.challenges).toEqual(["S256", "S256"]);
  });

  test.each<readonly [string, (email: string) => GithubAccount["emails"]]>([
    ["not verified", (email) => [{ email, primary: true, verified: false, visibility: null }]],
    ["verified, but not the primary one", (email) => [{ email, primary: false, verified: true, visibility: null }]],
    [
      "verified beside a primary one that is not",
      (email) => [
        { email: "x@github.example", primary: true, verified: false, visibility: null },
        { email, primary: false, verified: true, visibility: null },
      ],
    ],
    ["not there", () => []],
  ])("an address that is %s does not count", async (_, emails) => {
    expectProblem(await logInAs(account({ emails: emails(`other-${accounts}@github.example`) })), "email_not_vouched");
  });

  test("the address of the public profile does not count", async () => {
    expectProblem(await logInAs(account({ emails: [], email: "public@github.example" })), "email_not_vouched");
  });

  test.each<readonly [string, Partial<GithubAccount>, "oauth_failed" | "provider_unavailable" | "email_not_vouched"]>([
    ["the code was used or is another's (GitHub says it with status 200)", { refuses: "code" }, "oauth_failed"],
    ["the token lacks the scope for addresses", { refuses: "emails" }, "email_not_vouched"],
    ["the API is down", { refuses: "user" }, "provider_unavailable"],
    ["the answer is about nobody", { id: 0 }, "provider_unavailable"],
  ])("%s", async (_, change, code) => {
    expectProblem(await logInAs(account(change)), code);
  });

  test("state is ours to check: another one is refused before GitHub is asked", async () => {
    github.account = account();
    const at = browser();
    const { location } = await at.visit("/v1/auth/oauth/github");
    const callback = new URL(home(await at.logInAt(location ?? "", "octocat")));
    callback.searchParams.set("state", "A".repeat(43));
    const before = github.tokenRequests;
    expectProblem(await at.visit(callback.href), "invalid_oauth_flow");
    expect(github.tokenRequests).toBe(before);
  });
});

test("with a public URL of plain HTTP the cookie has no __Host- prefix, which browsers would drop", async () => {
  const [cookie = ""] = (await begin("basic")).headers.getSetCookie();
  expect(cookie).toMatch(/^keelson-oauth-[\w-]{12}=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/);
});
