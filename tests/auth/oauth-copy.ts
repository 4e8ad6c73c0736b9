import { afterAll, beforeAll } from "bun:test";
import postgres from "postgres";
import type { Answer } from "../client.ts";
import { startTestCopy, type TestCopy } from "../copy.ts";
import { type Browser, createBrowser } from "./browser.ts";
import { type IdentityProvider, type Person, startIdentityProvider } from "./identity-provider.ts";

export const publicUrl = "https://keelson.example";

export interface OauthCopy {
  readonly url: string;
  readonly provider: IdentityProvider;
  readonly sql: postgres.Sql;
  browser(): Browser;
  /** The whole way of somebody new to this browser: to the provider `acme`, and back to our callback. */
  logIn(person: string, claims: Person, browser?: Browser): Promise<Answer & { readonly location: string | undefined }>;
  /** The same until the provider sends the browser back; gives the address of the callback. */
  reachCallback(browser: Browser, person: string | undefined, returnTo?: string): Promise<string>;
}

/** A copy that knows a real provider as `acme` and as `twin`, for all tests of the file. Read it inside tests only. */
export function oauthCopy(settings: Readonly<Record<string, string>> = {}): OauthCopy {
  let provider: IdentityProvider;
  let running: TestCopy;
  let sql: postgres.Sql;
  beforeAll(async () => {
    provider = await startIdentityProvider({ redirectUris: ["acme", "twin"].map((name) => `${publicUrl}/v1/auth/oauth/${name}/callback`) });
    const { issuer, clientId, clientSecret } = provider;
    running = await startTestCopy("postgres", {
      KEELSON_PUBLIC_URL: publicUrl,
      KEELSON_LOGIN_LIMIT_PER_MINUTE: "100000",
      KEELSON_OAUTH_PROVIDERS: JSON.stringify(["acme", "twin"].map((name) => ({ name, issuer, clientId, clientSecret }))),
      KEELSON_OAUTH_RETURN_URLS: "https://app.example.com, http://localhost:5173",
      ...settings,
    });
    sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  });
  afterAll(async () => {
    await sql.end();
    await running[Symbol.asyncDispose]();
    await provider[Symbol.asyncDispose]();
  });

  const browser = () => createBrowser({ publicUrl, url: running.url });
  const reachCallback = async (at: Browser, person: string | undefined, returnTo?: string): Promise<string> => {
    const query = returnTo === undefined ? "" : `?${new URLSearchParams({ returnTo })}`;
    const begun = await at.visit(`/v1/auth/oauth/acme${query}`);
    if (begun.location === undefined) throw new Error(`the log-in answered ${begun.status}: ${JSON.stringify(begun.body)}`);
    return at.logInAt(begun.location, person);
  };
  return {
    get url() {
      return running.url;
    },
    get provider() {
      return provider;
    },
    get sql() {
      return sql;
    },
    browser,
    reachCallback,
    logIn: async (person, claims, at = browser()) => {
      provider.people.set(person, claims);
      return at.visit(await reachCallback(at, person));
    },
  };
}
