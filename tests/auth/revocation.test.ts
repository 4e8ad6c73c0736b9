import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { readStream, request, type SignedInUser, signUp } from "../client.ts";
import { startTestCopy, substrates, type TestCopy } from "../copy.ts";
import { until } from "../until.ts";

/** The bound that the design promises, for every copy. */
const boundMs = 1_000;

describe.each(await substrates())("what one copy revokes, another refuses within a second, on %s", (substrate) => {
  let first: TestCopy;
  let second: TestCopy;
  let database: postgres.Sql;

  beforeAll(async () => {
    first = await startTestCopy(substrate);
    const { DATABASE_URL, KEELSON_KEY_PREFIX } = first.config;
    second = await startTestCopy(substrate, { DATABASE_URL: DATABASE_URL ?? "", KEELSON_KEY_PREFIX });
    database = postgres(DATABASE_URL ?? "", { max: 1 });
  }, 60_000);
  afterAll(async () => {
    await database.end();
    await second[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
  }, 60_000);

  const knownAt = async (copy: TestCopy, token: string) => expect((await request(copy.url, "/v1/me", { token })).status).toBe(200);
  const refusedAt = (copy: TestCopy, token: string) =>
    until("the token is refused", async () => (await request(copy.url, "/v1/me", { token })).status === 401, boundMs);
  const post = (copy: TestCopy, path: string, user: { readonly token: string }, body?: unknown) =>
    request(copy.url, path, { method: "POST", token: user.token, body });
  const elsewhere = async (user: SignedInUser) =>
    (await request(second.url, "/v1/auth/login", { body: { email: user.email, password: user.password } })).body;

  test.each<readonly [string, (user: SignedInUser) => Promise<unknown>]>([
    ["log-out", (user) => post(first, "/v1/auth/logout", user)],
    [
      "log-out everywhere else",
      async (user) => request(first.url, "/v1/auth/sessions", { method: "DELETE", token: (await elsewhere(user)).accessToken }),
    ],
    [
      "a refresh token that came back",
      async (user) => {
        const refresh = async (refreshToken: string) => (await request(first.url, "/v1/auth/refresh", { body: { refreshToken } })).body;
        await refresh((await refresh(user.refreshToken)).refreshToken);
        await refresh(user.refreshToken);
      },
    ],
    [
      "a switch to another user",
      async (user) => {
        const other = await signUp(first.url);
        await post(first, "/v1/auth/session/users", user, { email: other.email, password: other.password });
      },
    ],
  ])("%s", async (_, revoke) => {
    const user = await signUp(first.url);
    await knownAt(second, user.token);
    await revoke(user);
    await refusedAt(second, user.token);
  });

  test("the open event streams of the session are closed", async () => {
    const user = await signUp(second.url);
    const program = { code: "1", wait: false };
    await database`update users set role = 'admin' where id = ${user.id}`;
    const { body } = await request(first.url, "/v1/sandbox/executions", { token: user.token, body: program });
    // A task that nobody works: its stream stays open until something closes it.
    await database`insert into tasks (id, queue, job, owner_id, status, input, last_seq)
      values ('tsk_open', 'maintenance', 'none', ${user.id}, 'waiting', '{}', 0) on conflict do nothing`;
    const stream = readStream(second.url, "/v1/tasks/tsk_open/stream", { token: user.token });
    await until("the stream is open", () => second.copy.openStreams() === 1);
    await post(first, "/v1/auth/logout", user);
    await until("the stream is closed", () => second.copy.openStreams() === 0, boundMs);
    expect((await stream).status).toBe(200);
    expect(body.taskId).toBeString();
  });

  test("also while the bus thread of the other copy is dead: the store is asked all the same", async () => {
    const user = await signUp(first.url);
    await knownAt(second, user.token);
    const { bus } = second.copy.threads;
    await bus.stop();
    await post(first, "/v1/auth/logout", user);
    await refusedAt(second, user.token);
  });
});
