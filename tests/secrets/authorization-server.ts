import { createHash, randomBytes } from "node:crypto";

/** A service outside that speaks OAuth 2.0 (RFC 6749, 7636, 7009): refresh tokens rotate, and one that is used twice ends all of its grant (RFC 9700 §4.14.2). */
export interface AuthorizationServer extends AsyncDisposable {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** How long access tokens last, seconds. */
  lifetime: number;
  /** What the token endpoint does instead of answering. */
  fault: "down" | "refuses" | "slow" | undefined;
  /** Requests to the token endpoint, by grant type. */
  readonly asked: string[];
  readonly revoked: string[];
  isActive(accessToken: string): boolean;
  /** Ends all grants, as a user does there. */
  endAll(): void;
  /** Follows the authorization as a browser does whose user agrees, or not; answers with where it is sent back to. */
  consent(url: string, agrees?: boolean): URL;
}

interface Grant {
  readonly scope: string;
  refresh: string;
  ended: boolean;
}

export async function startAuthorizationServer(): Promise<AuthorizationServer> {
  const codes = new Map<string, { readonly challenge: string; readonly redirectUri: string; readonly scope: string }>();
  const byRefresh = new Map<string, Grant>();
  const byAccess = new Map<string, Grant>();
  const token = () => randomBytes(24).toString("base64url");
  const refuse = (error: string, status = 400) => Response.json({ error }, { status });

  const issue = (grant: Grant): Response => {
    grant.refresh = token();
    byRefresh.set(grant.refresh, grant);
    const access = token();
    byAccess.set(access, grant);
    return Response.json({
      access_token: access,
      token_type: "Bearer",
      expires_in: state.lifetime,
      refresh_token: grant.refresh,
      scope: grant.scope,
    });
  };
  const exchange = (form: URLSearchParams): Response => {
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const challenge = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (!code || code.challenge !== challenge || code.redirectUri !== form.get("redirect_uri")) return refuse("invalid_grant");
    return issue({ scope: code.scope, refresh: "", ended: false });
  };
  const refresh = (form: URLSearchParams): Response => {
    const grant = byRefresh.get(form.get("refresh_token") ?? "");
    if (!grant || grant.ended) return refuse("invalid_grant");
    if (grant.refresh !== form.get("refresh_token")) {
      grant.ended = true;
      return refuse("invalid_grant");
    }
    return issue(grant);
  };
  const answer = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const form = new URLSearchParams(await request.text());
    const [id, secret] = Buffer.from((request.headers.get("authorization") ?? "").slice("Basic ".length), "base64")
      .toString()
      .split(":");
    if (decodeURIComponent(id ?? "") !== state.clientId || decodeURIComponent(secret ?? "") !== state.clientSecret)
      return refuse("invalid_client", 401);
    if (pathname === "/revoke") {
      state.revoked.push(form.get("token") ?? "");
      const grant = byRefresh.get(form.get("token") ?? "");
      if (grant) grant.ended = true;
      return new Response(null, { status: 200 });
    }
    state.asked.push(form.get("grant_type") ?? "");
    if (state.fault === "down") return new Response("down", { status: 503 });
    if (state.fault === "refuses") return refuse("invalid_request");
    if (state.fault === "slow") await Bun.sleep(300);
    return form.get("grant_type") === "refresh_token" ? refresh(form) : exchange(form);
  };

  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  const state: AuthorizationServer = {
    url: `http://127.0.0.1:${server.port}`,
    clientId: "keelson",
    clientSecret: `client-secret-${token()}`,
    lifetime: 3_600,
    fault: undefined,
    asked: [],
    revoked: [],
    isActive: (access) => byAccess.get(access)?.ended === false,
    endAll: () => {
      for (const grant of byRefresh.values()) grant.ended = true;
    },
    consent: (url, agrees = true) => {
      const { searchParams } = new URL(url);
      const redirectUri = searchParams.get("redirect_uri") ?? "";
      const back = new URL(redirectUri);
      back.searchParams.set("state", searchParams.get("state") ?? "");
      if (!agrees) back.searchParams.set("error", "access_denied");
      else {
        const code = token();
        codes.set(code, { challenge: searchParams.get("code_challenge") ?? "", redirectUri, scope: searchParams.get("scope") ?? "" });
        back.searchParams.set("code", code);
      }
      return back;
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop(true);
    },
  };
  return state;
}
