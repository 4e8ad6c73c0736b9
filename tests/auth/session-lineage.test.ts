import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

interface Pair {
  readonly accessToken: string;
  readonly refreshToken: string;
}

const refresh = (refreshToken: string) => request(running.url, "/v1/auth/refresh", { body: { refreshToken } });
const post = (path: string, token: string, body: unknown) => request(running.url, path, { token, body });
const reuses = async (sessionId: string) =>
  (await database`select 1 from audit_log where subject = ${sessionId} and action = 'security.refresh_token_reused'`).length;
/** As if all that was used had been used before the grace window. */
const graceOver = (sessionId: string) =>
  database`update refresh_tokens set used_at = used_at - interval '11 seconds' where used_at is not null and session_id = ${sessionId}`;

/** A session with two users; `before` is what its holder has, `take` what makes a new pair with nothing but its access token. */
const ways: readonly (readonly [string, () => Promise<{ sessionId: string; before: Pair; take: () => Promise<Pair> }>])[] = [
  [
    "switching",
    async () => {
      const [ada, bob] = [await signUp(running.url), await signUp(running.url)];
      const { body } = await add(ada.token, bob);
      const take = async () => (await post("/v1/auth/session/switch", body.accessToken, { userId: ada.id })).body;
      return { sessionId: body.session.id, before: body, take };
    },
  ],
  [
    "adding a user",
    async () => {
      const [ada, thief] = [await signUp(running.url), await signUp(running.url)];
      const { id: sessionId } = (await request(running.url, "/v1/auth/session", { token: ada.token })).body.session;
      const before = { accessToken: ada.token, refreshToken: ada.refreshToken };
      return { sessionId, before, take: async () => (await add(ada.token, thief)).body };
    },
  ],
];

const add = (token: string, { email, password }: SignedInUser) => post("/v1/auth/session/users", token, { email, password });

describe.each(ways)("a new pair by %s with a stolen access token", (_, open) => {
  const expectEnded = async (sessionId: string, tokens: readonly string[]) => {
    expect(await reuses(sessionId)).toBeGreaterThan(0);
    for (const token of tokens) expectProblem(await refresh(token), "invalid_refresh_token");
    const [row] = await database`select revoked_reason from sessions where id = ${sessionId}`;
    expect(row?.revoked_reason).toBe("reuse");
  };

  test("the thief goes on first: the owner's next refresh ends the session", async () => {
    const { sessionId, before, take } = await open();
    const stolen = await take();
    const further = (await refresh(stolen.refreshToken)).body;
    expectProblem(await refresh(before.refreshToken), "invalid_refresh_token");
    await expectEnded(sessionId, [stolen.refreshToken, further.refreshToken]);
  });

  test("the owner goes on first, within the grace: to the same answer, and the thief's next refresh ends the session", async () => {
    const { sessionId, before, take } = await open();
    const stolen = await take();
    const again = await refresh(before.refreshToken);
    expect([again.status, again.body]).toEqual([200, stolen]);
    const further = (await refresh(again.body.refreshToken)).body;
    await refresh(further.refreshToken);
    expectProblem(await refresh(stolen.refreshToken), "invalid_refresh_token");
    await expectEnded(sessionId, [further.refreshToken]);
  });

  test("the owner comes after the grace: the session ends, though nobody went on", async () => {
    const { sessionId, before, take } = await open();
    const stolen = await take();
    await graceOver(sessionId);
    expectProblem(await refresh(before.refreshToken), "invalid_refresh_token");
    await expectEnded(sessionId, [stolen.refreshToken]);
  });

  test("of several at once with refreshes of the token from before, one line goes on", async () => {
    const { sessionId, before, take } = await open();
    await Promise.all([take(), ...Array.from({ length: 4 }, () => refresh(before.refreshToken))]);
    const [row] = await database`select count(*)::int as fresh from refresh_tokens where session_id = ${sessionId} and used_at is null`;
    expect(row?.fresh).toBe(1);
  });

  test("the answer that is kept for the token from before gives nothing away", async () => {
    const { sessionId, take } = await open();
    const { accessToken, refreshToken } = await take();
    const rows =
      await database`select encode(answer, 'escape') as answer from refresh_tokens where session_id = ${sessionId} and answer is not null`;
    expect(rows.length).toBeGreaterThan(0);
    for (const secret of [refreshToken, accessToken.split(".")[2] ?? ""]) expect(JSON.stringify(rows)).not.toContain(secret);
  });
});
