import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { systemNow as now } from "../../app/platform/clock.ts";
import { randomToken } from "../../app/platform/ids.ts";
import { createTransact } from "../../app/platform/outbox.ts";
import { createAddressGuard } from "../../app/platform/outgoing/address-guard.ts";
import { createRecordAccess } from "../../app/services/secrets/audit/record.ts";
import { createConnectionServices } from "../../app/services/secrets/connections/parts.ts";
import { createTenantWork } from "../../app/services/secrets/tenant-work.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { startIdentityProvider } from "../auth/identity-provider.ts";
import { request, type SignedInUser, signUp } from "../client.ts";
import { openSealOf } from "../opened-seal.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { type AuthorizationServer, startAuthorizationServer } from "./authorization-server.ts";
import { makeTeam } from "./secrets.ts";

const publicUrl = "http://localhost";
const running = sharedCopy("postgres", {
  ...adminSettings,
  KEELSON_PUBLIC_URL: publicUrl,
  KEELSON_INTEGRATION_NETWORKS: "127.0.0.1/32",
});
const opening = new AsyncDisposableStack();
let outside: AuthorizationServer;
let admin: string;
let database: DatabaseClient;
/** What other parts of the program would be handed. */
let parts: ReturnType<typeof createConnectionServices>;
let other: ReturnType<typeof createConnectionServices>;
const usedBy = { service: "ai", subject: "req_1" };

beforeAll(async () => {
  outside = opening.use(await startAuthorizationServer());
  admin = await adminToken(running.url);
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 6, applicationName: "test connections" });
  opening.defer(() => database.close());
  const { seal } = opening.use(await openSealOf(running.config));
  const transact = createTransact({ db: database.db, now, wake: () => undefined });
  const make = () =>
    createConnectionServices({
      ...{ db: database.db, seal, transact, publicUrl, now },
      tenants: createTenantWork({ transact, can: () => true }),
      recordAccess: createRecordAccess(transact),
      integrationGuard: createAddressGuard(["127.0.0.1/32"]),
    });
  [parts, other] = [make(), make()];
});
afterAll(() => opening.disposeAsync());
beforeEach(() => {
  outside.fault = undefined;
  outside.lifetime = 3_600;
});

const integrationOf = (over: object = {}) => ({
  name: `svc-${randomToken(6)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "x")}`,
  authorizationUrl: `${outside.url}/authorize`,
  tokenUrl: `${outside.url}/token`,
  revocationUrl: `${outside.url}/revoke`,
  clientId: outside.clientId,
  clientSecret: outside.clientSecret,
  scopes: ["read", "write"],
  ...over,
});
const define = async (over: object = {}) =>
  (await request(running.url, "/v1/integrations", { token: admin, body: integrationOf(over) })).body.integration as {
    id: string;
    name: string;
  };
const change = (id: string, body: object) => request(running.url, `/v1/integrations/${id}`, { method: "PATCH", token: admin, body });

async function begin(name: string, token: string, query = "") {
  const answer = await request(running.url, `/v1/connections/${name}/authorize${query}`, { token });
  return { answer, url: String(answer.body.url), cookie: (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "" };
}
const comeBack = (name: string, back: URL, cookie: string) =>
  request(running.url, `/v1/connections/${name}/callback${back.search}`, { headers: { cookie } });
async function connect(name: string, token: string, query = "") {
  const { url, cookie } = await begin(name, token, query);
  const answer = await comeBack(name, outside.consent(url), cookie);
  expect(answer.status).toBe(200);
}
const connectionsOf = async (token: string, query = "") => (await request(running.url, `/v1/connections${query}`, { token })).body.data;
const tokenFor = ({ id }: Pick<SignedInUser, "id">, name: string, by = parts) =>
  by.connections.accessTokenFor({ ownerId: id }, name, usedBy);

test("defined without a restart, connected, used, refreshed, revoked; tokens and the client's secret are nowhere", async () => {
  const user = await signUp(running.url);
  const integration = await define();
  expect(
    (await request(running.url, "/v1/connections", { token: user.token })).body.available.map((it: { name: string }) => it.name),
  ).toContain(integration.name);
  const { url, cookie, answer } = await begin(integration.name, user.token);
  expect(Object.fromEntries(new URL(url).searchParams)).toMatchObject({
    response_type: "code",
    client_id: "keelson",
    redirect_uri: `${publicUrl}/v1/connections/${integration.name}/callback`,
    scope: "read write",
    code_challenge_method: "S256",
  });
  expect(answer.headers.get("set-cookie")).toMatch(/HttpOnly; SameSite=Lax/);
  const page = await comeBack(integration.name, outside.consent(url), cookie);
  expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const [connection] = await connectionsOf(user.token);
  expect(connection).toMatchObject({ integration: integration.name, status: "active", scopes: ["read", "write"] });

  const { token } = await tokenFor(user, integration.name);
  expect(outside.isActive(token)).toBe(true);
  const renewed = await request(running.url, `/v1/connections/${integration.name}/refresh`, { method: "POST", token: user.token });
  expect(renewed.body.connection.id).toBe(connection.id);
  const next = await tokenFor(user, integration.name);
  expect(next.token).not.toBe(token);

  const rows =
    await database.sql`select t::text as row from connections t union all select t::text from integrations t union all select t::text from audit_log t
    union all select t::text from outbox t union all select t::text from connection_flows t`;
  for (const secret of [token, next.token, outside.clientSecret])
    for (const spelling of [secret, Buffer.from(secret).toString("hex")])
      expect(rows.some(({ row }) => row.includes(spelling))).toBe(false);

  const gone = await request(running.url, `/v1/connections/${integration.name}`, { method: "DELETE", token: user.token });
  expect(gone.body).toEqual({ revoked: true });
  expect(outside.isActive(next.token)).toBe(false);
  expect(await connectionsOf(user.token)).toEqual([]);
  const acts = await database.sql`select action from audit_log where subject = ${connection.id} order by at, id`;
  expect(acts.map(({ action }) => action)).toEqual([
    "connection.created",
    "connection.used",
    "connection.refreshed",
    "connection.used",
    "connection.deleted",
  ]);
});

test("a service that is found by its issuer", async () => {
  const name = `oidc-${randomToken(4)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "x")}`;
  await using provider = await startIdentityProvider({ redirectUris: [`${publicUrl}/v1/connections/${name}/callback`] });
  const user = await signUp(running.url);
  await define({
    name,
    issuer: provider.issuer,
    clientId: provider.clientId,
    clientSecret: provider.clientSecret,
    scopes: ["openid", "email"],
    authorizationUrl: undefined,
    tokenUrl: undefined,
    revocationUrl: undefined,
  });
  const { url, cookie } = await begin(name, user.token);
  let cookies = "";
  let at = url;
  while (at.startsWith(provider.issuer)) {
    const answer = await fetch(at, { redirect: "manual", headers: { "x-person": "ada", cookie: cookies } });
    cookies = [cookies, ...answer.headers.getSetCookie().map((line) => line.split(";")[0] ?? "")].filter(Boolean).join("; ");
    at = new URL(answer.headers.get("location") ?? "", at).href;
  }
  expect(new URL(at).searchParams.get("iss")).toBe(provider.issuer);
  const forged = new URL(at);
  forged.searchParams.set("iss", "http://127.0.0.1:1");
  expect((await comeBack(name, new URL(at), cookie)).status).toBe(200);
  expect((await connectionsOf(user.token))[0]).toMatchObject({ integration: name, status: "active" });
  const again = await begin(name, user.token);
  forged.searchParams.set("state", new URL(again.url).searchParams.get("state") ?? "");
  expectProblem(await comeBack(name, forged, again.cookie), "oauth_failed");
});

describe("the way back", () => {
  test("only in the browser that began, and once", async () => {
    const user = await signUp(running.url);
    const { name } = await define();
    const { url, cookie } = await begin(name, user.token);
    const back = outside.consent(url);
    expectProblem(await comeBack(name, back, ""), "invalid_oauth_flow");
    const stranger = await begin(name, (await signUp(running.url)).token);
    expectProblem(await comeBack(name, back, stranger.cookie), "invalid_oauth_flow");
    expectProblem(await comeBack(name, back, cookie.replace(/=.*/, `=${randomToken(32)}`)), "invalid_oauth_flow");
    expect((await comeBack(name, back, cookie)).status).toBe(200);
    expectProblem(await comeBack(name, back, cookie), "invalid_oauth_flow");
  });

  test("not when it is too old, was refused there, or with a code of somebody else's flow", async () => {
    const user = await signUp(running.url);
    const { name } = await define();
    const old = await begin(name, user.token);
    await database.sql`update connection_flows set expires_at = now() - interval '1 second'`;
    expectProblem(await comeBack(name, outside.consent(old.url), old.cookie), "invalid_oauth_flow");
    const refused = await begin(name, user.token);
    expectProblem(await comeBack(name, outside.consent(refused.url, false), refused.cookie), "oauth_failed");
    const [one, two] = [await begin(name, user.token), await begin(name, user.token)];
    const swapped = outside.consent(one.url);
    swapped.searchParams.set("code", outside.consent(two.url).searchParams.get("code") ?? "");
    expectProblem(await comeBack(name, swapped, one.cookie), "oauth_failed");
    expect(await connectionsOf(user.token)).toEqual([]);
  });

  test("an integration that is switched off or deleted meanwhile says so", async () => {
    const user = await signUp(running.url);
    const { id, name } = await define();
    const off = await begin(name, user.token);
    await change(id, { enabled: false });
    expectProblem(await comeBack(name, outside.consent(off.url), off.cookie), "integration_disabled");
    expectProblem((await begin(name, user.token)).answer, "integration_disabled");
    await change(id, { enabled: true });
    await connect(name, user.token);
    await change(id, { enabled: false });
    await expect(tokenFor(user, name)).rejects.toMatchObject({ code: "integration_disabled" });
    await change(id, { enabled: true });
    const gone = await begin(name, user.token);
    expect((await request(running.url, `/v1/integrations/${id}`, { method: "DELETE", token: admin })).status).toBe(204);
    expectProblem(await comeBack(name, outside.consent(gone.url), gone.cookie), "not_found");
    expect(await connectionsOf(user.token)).toEqual([]);
  });
});

describe("refresh", () => {
  async function expiring() {
    const user = await signUp(running.url);
    const { name } = await define();
    outside.lifetime = 30;
    await connect(name, user.token);
    outside.lifetime = 3_600;
    return { user, name };
  }

  test("two copies that need a token at once ask the service once", async () => {
    const { user, name } = await expiring();
    outside.fault = "slow";
    const before = outside.asked.length;
    const tokens = await Promise.all(Array.from({ length: 10 }, (_, n) => tokenFor(user, name, n % 2 === 0 ? parts : other)));
    expect(outside.asked.length - before).toBe(1);
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(1);
    expect(outside.isActive(tokens[0]?.token ?? "")).toBe(true);
    expect((await tokenFor(user, name)).token).toBe(tokens[0]?.token ?? "");
  });

  test("while the service is down a token that is still good is used; one that is over is not", async () => {
    const { user, name } = await expiring();
    outside.fault = "down";
    expect(outside.isActive((await tokenFor(user, name)).token)).toBe(true);
    await database.sql`update connections set expires_at = now() - interval '1 second'`;
    await expect(tokenFor(user, name)).rejects.toMatchObject({ code: "provider_unavailable" });
    outside.fault = undefined;
    expect(outside.isActive((await tokenFor(user, name)).token)).toBe(true);
  });

  test("a grant that was ended there needs its user, who is told once", async () => {
    const { user, name } = await expiring();
    outside.endAll();
    for (let tries = 0; tries < 2; tries += 1) await expect(tokenFor(user, name)).rejects.toMatchObject({ code: "reconnection_required" });
    const [connection] = await connectionsOf(user.token);
    expect(connection.status).toBe("needs_reauthorization");
    expect(await database.sql`select 1 from audit_log where subject = ${connection.id} and action = 'connection.lost'`).toHaveLength(1);
    expectProblem(
      await request(running.url, `/v1/connections/${name}/refresh`, { method: "POST", token: user.token }),
      "reconnection_required",
    );
    await connect(name, user.token);
    expect(outside.isActive((await tokenFor(user, name)).token)).toBe(true);
    expect(await connectionsOf(user.token)).toHaveLength(1);
  });
});

test("disconnecting works though the service is away, and says so", async () => {
  const user = await signUp(running.url);
  const { name } = await define({ revocationUrl: "http://127.0.0.1:1/revoke" });
  await connect(name, user.token);
  const gone = await request(running.url, `/v1/connections/${name}`, { method: "DELETE", token: user.token });
  expect(gone.body).toEqual({ revoked: false });
  expectProblem(await request(running.url, `/v1/connections/${name}`, { method: "DELETE", token: user.token }), "not_found");
});

test("whose it is: nobody else's, a team's by role", async () => {
  const user = await signUp(running.url);
  const { name } = await define();
  await connect(name, user.token);
  const stranger = await signUp(running.url);
  for (const token of [stranger.token, admin]) {
    expect((await connectionsOf(token)).filter((it: { integration: string }) => it.integration === name)).toEqual([]);
    expectProblem(await request(running.url, `/v1/connections/${name}`, { method: "DELETE", token }), "not_found");
    expectProblem(await request(running.url, `/v1/connections/${name}/refresh`, { method: "POST", token }), "not_found");
  }
  const team = await makeTeam(running.url, user, async (teamId, userId, role) => {
    await database.sql`insert into team_members (team_id, user_id, role, created_at) values (${teamId}, ${userId}, ${role}, now())`;
  });
  await connect(name, team.member.token, `?teamId=${team.id}`);
  expect((await connectionsOf(team.viewer.token, `?teamId=${team.id}`))[0]).toMatchObject({ integration: name, teamId: team.id });
  expectProblem((await begin(name, team.viewer.token, `?teamId=${team.id}`)).answer, "forbidden");
  expectProblem((await begin(name, stranger.token, `?teamId=${team.id}`)).answer, "not_found");
});

describe("integrations", () => {
  test("are for administrators; the secret is never shown", async () => {
    const { token } = await signUp(running.url);
    expectProblem(await request(running.url, "/v1/integrations", { token, body: integrationOf() }), "forbidden");
    expectProblem(await request(running.url, "/v1/integrations", { token }), "forbidden");
    const made = await request(running.url, "/v1/integrations", { token: admin, body: integrationOf() });
    const { id, name } = made.body.integration;
    const changed = await change(id, { clientSecret: "another secret", displayName: "Shown" });
    expect(changed.body.integration).toMatchObject({ displayName: "Shown", redirectUri: `${publicUrl}/v1/connections/${name}/callback` });
    expect(JSON.stringify([made.body, changed.body, (await request(running.url, "/v1/integrations", { token: admin })).body])).not.toMatch(
      /client-secret-|another secret/,
    );
    expectProblem(await request(running.url, "/v1/integrations", { token: admin, body: integrationOf({ name }) }), "conflict");
  });

  test.each([
    ["no address at all", { authorizationUrl: undefined, tokenUrl: undefined }, "/issuer"],
    ["half of its addresses", { tokenUrl: undefined }, "/issuer"],
    ["a name with a slash", { name: "a/b" }, "/name"],
    ["an address that is none", { tokenUrl: "ftp://example.com" }, "/tokenUrl"],
    ["a parameter that the flow says itself", { extraParameters: { redirect_uri: "https://evil.example" } }, "/extraParameters"],
    ["a scope with a space", { scopes: ["a b"] }, "/scopes/0"],
  ])("%s: 400", async (_, over, pointer) => {
    const answer = await request(running.url, "/v1/integrations", { token: admin, body: integrationOf(over) });
    expectProblem(answer, "validation_failed");
    expect(pointersOf(answer)).toEqual([pointer]);
  });

  test("requests go to no private network but those that are allowed", async () => {
    const user = await signUp(running.url);
    const { name } = await define({
      issuer: "http://169.254.169.254",
      authorizationUrl: undefined,
      tokenUrl: undefined,
      revocationUrl: undefined,
    });
    expectProblem((await begin(name, user.token)).answer, "provider_unavailable");
  });
});
