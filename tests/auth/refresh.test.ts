import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { type Answer, request, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();
let database: postgres.Sql;
beforeAll(() => {
  database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
});
afterAll(() => database.end());

const refresh = (refreshToken: unknown): Promise<Answer> => request(running.url, "/v1/auth/refresh", { body: { refreshToken } });
const sessionStatus = async (token: string) => (await request(running.url, "/v1/auth/session", { token })).status;

const sessionOf = async (user: { readonly token: string }) => ({
  sessionId: (await request(running.url, "/v1/auth/session", { token: user.token })).body.session.id,
});

describe("rotation", () => {
  test("each refresh gives a new pair for the same user and session", async () => {
    const user = await signUp(running.url);
    const seen = new Set([user.refreshToken]);
    let { refreshToken } = user;
    for (let n = 1; n <= 5; n += 1) {
      const { status, body } = await refresh(refreshToken);
      expect([status, body.user.id, body.tokenType, body.expiresIn]).toEqual([200, user.id, "Bearer", 900]);
      expect(await sessionStatus(body.accessToken)).toBe(200);
      refreshToken = body.refreshToken;
      seen.add(refreshToken);
    }
    expect(seen.size).toBe(6);
    const [row] = await database`select count(*)::int as sessions from sessions where active_user_id = ${user.id}`;
    expect(row?.sessions).toBe(1);
  });

  test("the session shows when it was last used", async () => {
    const user = await signUp(running.url);
    const before = (await request(running.url, "/v1/auth/session", { token: user.token })).body.session.lastSeenAt;
    await refresh(user.refreshToken);
    const after = (await request(running.url, "/v1/auth/session", { token: user.token })).body.session.lastSeenAt;
    expect(Date.parse(after)).toBeGreaterThan(Date.parse(before));
  });
});

describe("many at once", () => {
  test("each gets its own session's next pair", async () => {
    const users = await Promise.all(Array.from({ length: 12 }, () => signUp(running.url)));
    const answers = await Promise.all(users.map(({ refreshToken }) => refresh(refreshToken)));
    expect(answers.map(({ status, body }) => [status, body.user?.id])).toEqual(users.map(({ id }) => [200, id]));
    const again = await Promise.all(answers.map(({ body }) => refresh(body.refreshToken)));
    expect(again.map(({ status, body }) => [status, body.user?.id])).toEqual(users.map(({ id }) => [200, id]));
  });

  test("a session that something else is changing waits for that, and keeps no other waiting", async () => {
    const [held, free] = await Promise.all([signUp(running.url), signUp(running.url)]);
    const waiting = Promise.withResolvers<Answer>();
    await database.begin(async (tx) => {
      await tx`select 1 from sessions where active_user_id = ${held.id} for update`;
      refresh(held.refreshToken).then(waiting.resolve, waiting.reject);
      await until("it waits", async () => {
        const [row] =
          await tx`select count(*)::int as waiting from pg_locks where not granted and pg_backend_pid() = any(pg_blocking_pids(pid))`;
        return row?.waiting > 0;
      });
      expect((await refresh(free.refreshToken)).status).toBe(200);
      await tx`update sessions set revoked_at = now(), revoked_reason = 'test' where active_user_id = ${held.id}`;
    });
    expectProblem(await waiting.promise, "invalid_refresh_token");
  });
});

describe("reuse of an old token ends the whole family (RFC 9700 §4.14.2)", () => {
  test("the first token, after the second was used", async () => {
    const user = await signUp(running.url);
    const second = (await refresh(user.refreshToken)).body;
    const third = (await refresh(second.refreshToken)).body;
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
    expectProblem(await refresh(third.refreshToken), "invalid_refresh_token");
    for (const token of [user.token, second.accessToken, third.accessToken]) expect(await sessionStatus(token)).toBe(401);
  });

  test("other sessions of the user, and other users, go on", async () => {
    const user = await signUp(running.url);
    const other = (await request(running.url, "/v1/auth/login", { body: { email: user.email, password: user.password } })).body;
    const stranger = await signUp(running.url);
    await refresh((await refresh(user.refreshToken)).body.refreshToken);
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
    expect((await refresh(other.refreshToken)).status).toBe(200);
    expect((await refresh(stranger.refreshToken)).status).toBe(200);
  });

  test("it is announced, with the reason and without the token", async () => {
    const user = await signUp(running.url);
    await refresh((await refresh(user.refreshToken)).body.refreshToken);
    await refresh(user.refreshToken);
    const [event] = await until("the event is on the bus", async () => {
      const rows = await database`select event::json->>'data' as data from bus_events
        where type = 'session.revoked' and event::json->>'audience' = ${user.id}`;
      return rows.length > 0 ? rows : undefined;
    });
    expect(JSON.parse(event?.data)).toEqual({ userId: user.id, reason: "reuse" });
  });

  test("it is a security event and a row of the audit log", async () => {
    const user = await signUp(running.url);
    const { sessionId } = await sessionOf(user);
    await refresh((await refresh(user.refreshToken)).body.refreshToken);
    await refresh(user.refreshToken);
    const rows = await database`select action, subject, ip, data from audit_log where subject = ${sessionId} order by id`;
    expect(rows.map(({ action }) => action).sort()).toEqual(["security.refresh_token_reused", "session.revoked"]);
    expect(rows.every(({ ip }) => ip === "127.0.0.1")).toBe(true);
    expect(JSON.stringify(rows)).not.toContain(user.refreshToken);
  });

  test("also after the grace window, when nobody went on", async () => {
    const user = await signUp(running.url);
    const renewed = (await refresh(user.refreshToken)).body;
    await database`update refresh_tokens set used_at = used_at - interval '11 seconds' where used_at is not null
      and session_id in (select id from sessions where active_user_id = ${user.id})`;
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
    expectProblem(await refresh(renewed.refreshToken), "invalid_refresh_token");
  });
});

describe("within the grace window a used token gets the same answer again", () => {
  test("two tabs, or an answer that was lost", async () => {
    const user = await signUp(running.url);
    const first = await refresh(user.refreshToken);
    const again = await refresh(user.refreshToken);
    expect([again.status, again.body]).toEqual([200, first.body]);
    expect((await refresh(first.body.refreshToken)).status).toBe(200);
  });

  test("used many times at once: one new pair", async () => {
    const user = await signUp(running.url);
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(user.refreshToken)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
    expect(new Set(answers.map(({ body }) => body.refreshToken)).size).toBe(1);
    const [row] = await database`select count(*)::int as tokens from refresh_tokens
      where session_id in (select id from sessions where active_user_id = ${user.id})`;
    expect(row?.tokens).toBe(2);
  });

  test("the kept answer opens only for who holds the token", async () => {
    const user = await signUp(running.url);
    const { body } = await refresh(user.refreshToken);
    const rows = await database`select encode(answer, 'escape') as answer from refresh_tokens where answer is not null`;
    expect(JSON.stringify(rows)).not.toContain(body.refreshToken);
    expect(JSON.stringify(rows)).not.toContain(body.accessToken.split(".")[2]);
  });

  test("an ended session has no grace", async () => {
    const user = await signUp(running.url);
    const { body } = await refresh(user.refreshToken);
    await request(running.url, "/v1/auth/logout", { method: "POST", token: body.accessToken });
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
  });
});

describe("time-outs", () => {
  test("a session that is too old ends at its refresh, however much it was used", async () => {
    const user = await signUp(running.url);
    const old = running.config.KEELSON_SESSION_MAX_SECONDS + 1;
    await database`update sessions set created_at = now() - make_interval(secs => ${old}) where active_user_id = ${user.id}`;
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
    expectProblem(await request(running.url, "/v1/me", { token: user.token }), "invalid_token");
    const [row] = await database`select revoked_reason from sessions where active_user_id = ${user.id}`;
    expect(row?.revoked_reason).toBe("too_old");
  });

  test("a session that nobody used for too long ends at its refresh", async () => {
    const user = await signUp(running.url);
    const idle = running.config.KEELSON_SESSION_IDLE_SECONDS + 1;
    await database`update sessions set last_seen_at = now() - make_interval(secs => ${idle}) where active_user_id = ${user.id}`;
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
    const [row] = await database`select revoked_reason from sessions where active_user_id = ${user.id}`;
    expect(row?.revoked_reason).toBe("idle");
  });
});

describe("what is refused", () => {
  test.each<readonly [string, (token: string) => string]>([
    ["an unknown token", () => randomToken(32)],
    ["nothing", () => ""],
    ["one with a character more", (token) => `${token}A`],
    ["one with a character less", (token) => token.slice(0, -1)],
    ["padding", (token) => `${token}=`],
    ["a space before it", (token) => ` ${token}`],
    ["other letter case", (token) => swapCase(token)],
    ["a NUL", (token) => `${token}\0`],
    ["its other spelling in base64url (unused low bits)", (token) => token.slice(0, -1) + nextLetter(token.at(-1) ?? "A")],
  ])("%s: 401, and the session goes on", async (_, change) => {
    const user = await signUp(running.url);
    expectProblem(await refresh(change(user.refreshToken)), "invalid_refresh_token");
    expect((await refresh(user.refreshToken)).status).toBe(200);
  });

  test("the digest that is stored is no token, and no token is stored", async () => {
    const user = await signUp(running.url);
    const rows =
      await database`select r.* from refresh_tokens r join sessions s on s.id = r.session_id where s.active_user_id = ${user.id}`;
    expect(JSON.stringify(rows)).not.toContain(user.refreshToken);
    expectProblem(await refresh(rows[0]?.hash), "invalid_refresh_token");
  });

  test("an access token is no refresh token, and the other way round", async () => {
    const user = await signUp(running.url);
    // Longer than any refresh token, so it is refused by its shape.
    expect(pointersOf(await refresh(user.token))).toEqual(["/refreshToken"]);
    expectProblem(await request(running.url, "/v1/me", { token: user.refreshToken }), "invalid_token");
  });

  test("one that has expired", async () => {
    const user = await signUp(running.url);
    await database`update refresh_tokens set expires_at = now() where session_id in (select id from sessions where active_user_id = ${user.id})`;
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
  });

  test("one of an account that is gone", async () => {
    const user = await signUp(running.url);
    await database`delete from users where id = ${user.id}`;
    expectProblem(await refresh(user.refreshToken), "invalid_refresh_token");
    expectProblem(await request(running.url, "/v1/me", { token: user.token }), "invalid_token");
  });

  test.each<readonly [unknown, string]>([
    [{}, "/refreshToken"],
    [{ refreshToken: 7 }, "/refreshToken"],
    [{ refreshToken: "x", userId: "usr_1" }, "/userId"],
    [{ refreshToken: "x".repeat(257) }, "/refreshToken"],
  ])("%j: 400", async (body, pointer) => {
    expect(pointersOf(await request(running.url, "/v1/auth/refresh", { body }))).toEqual([pointer]);
  });
});

function swapCase(text: string): string {
  return [...text].map((char) => (char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase())).join("");
}

function nextLetter(char: string): string {
  return String.fromCharCode(char.charCodeAt(0) + 1);
}
