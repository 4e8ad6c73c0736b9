import { createHash } from "node:crypto";
import { randomToken } from "../../app/platform/ids.ts";

export interface GithubAccount {
  readonly id: number;
  readonly name: string | null;
  /** Of the public profile. */
  readonly email?: string;
  readonly emails: readonly {
    readonly email: string;
    readonly primary: boolean;
    readonly verified: boolean;
    readonly visibility: string | null;
  }[];
  readonly refuses?: "code" | "emails" | "user";
}

export type GithubStandIn = ReturnType<typeof startGithubStandIn>;

interface Authorization {
  readonly challenge: string;
  readonly redirectUri: string;
}

/** What GitHub's documentation says of its OAuth endpoints and of GET /user and /user/emails, on a loopback port; strict where GitHub is. */
export function startGithubStandIn(client: { readonly clientId: string; readonly clientSecret: string; readonly redirectUri: string }) {
  const codes = new Map<string, Authorization>();
  const tokens = new Set<string>();
  const state = { account: undefined as GithubAccount | undefined, tokenRequests: 0, challenges: [] as string[] };

  const authorize = (query: URLSearchParams): Response => {
    if (query.get("client_id") !== client.clientId || query.get("redirect_uri") !== client.redirectUri)
      return new Response("no such app", { status: 404 });
    if (query.get("scope") !== "read:user user:email") return new Response("unexpected scope", { status: 400 });
    state.challenges.push(query.get("code_challenge_method") ?? "none");
    const code = randomToken(10);
    codes.set(code, { challenge: query.get("code_challenge") ?? "", redirectUri: client.redirectUri });
    return Response.redirect(`${client.redirectUri}?${new URLSearchParams({ code, state: query.get("state") ?? "" })}`);
  };

  /** Errors come with status 200, and everything as a form unless JSON is asked for. */
  const accessToken = (body: URLSearchParams, accept: string | null): Response => {
    state.tokenRequests += 1;
    const answer = (fields: Record<string, string>) =>
      accept?.includes("application/json") ? Response.json(fields) : new Response(new URLSearchParams(fields).toString());
    const code = body.get("code") ?? "";
    const issued = codes.get(code);
    codes.delete(code);
    if (body.get("client_id") !== client.clientId || body.get("client_secret") !== client.clientSecret)
      return answer({
        error: "incorrect_client_credentials",
        error_description: "The client_id and/or client_secret passed are incorrect.",
      });
    const challenge = createHash("sha256")
      .update(body.get("code_verifier") ?? "")
      .digest("base64url");
    const holds = issued && issued.challenge === challenge && body.get("redirect_uri") === issued.redirectUri;
    if (!holds || state.account?.refuses === "code")
      return answer({ error: "bad_verification_code", error_description: "The code passed is incorrect or expired." });
    const token = `gho_${randomToken(20)}`;
    tokens.add(token);
    return answer({ access_token: token, scope: "read:user,user:email", token_type: "bearer" });
  };

  const api = (path: string, headers: Headers): Response => {
    const { account } = state;
    if (!headers.get("user-agent")) return Response.json({ message: "Request forbidden by administrative rules." }, { status: 403 });
    if (!tokens.has(headers.get("authorization")?.replace(/^bearer /i, "") ?? "") || !account)
      return Response.json({ message: "Bad credentials" }, { status: 401 });
    if (path === "/user" && account.refuses === "user") return Response.json({ message: "Server Error" }, { status: 502 });
    if (path === "/user")
      return Response.json({ login: "octocat", id: account.id, type: "User", name: account.name, email: account.email ?? null });
    if (account.refuses === "emails") return Response.json({ message: "Not Found" }, { status: 404 });
    return Response.json(account.emails);
  };

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === "/login/oauth/authorize") return authorize(searchParams);
      if (pathname === "/login/oauth/access_token" && request.method === "POST")
        return accessToken(new URLSearchParams(await request.text()), request.headers.get("accept"));
      if (pathname === "/api/v3/user" || pathname === "/api/v3/user/emails") return api(pathname.replace("/api/v3", ""), request.headers);
      return new Response("not found", { status: 404 });
    },
  });
  return Object.assign(state, { url: server.url.origin, stop: (now: boolean) => server.stop(now) });
}
