import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { createTokenStore } from "../../app/services/auth/tokens/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

const running = sharedCopy();
let database: postgres.Sql;
let client: DatabaseClient;
beforeAll(() => {
  const url = running.config.DATABASE_URL ?? "";
  database = postgres(url, { max: 2 });
  client = openDatabase({ url, connectionsMax: 2, applicationName: "test" });
});
afterAll(async () => {
  await client.close();
  await database.end();
});

const sessionOf = async (token: string): Promise<string> => (await request(running.url, "/v1/auth/session", { token })).body.session.id;
const refused = (token: string) =>
  until("the token is refused", async () => (await request(running.url, "/v1/me", { token })).status === 401, 2_000);

/** As a change of authority leaves it behind that began an hour ago. */
const revoke = (on: postgres.ISql, sessionId: string) =>
  on`insert into revocations (session_id, at) values (${sessionId}, now() - interval '1 hour')`;

test("what commits long after it was written is refused, although other news came in between", async () => {
  const [slow, quick] = [await signUp(running.url), await signUp(running.url)];
  const [slowSession, quickSession] = [await sessionOf(slow.token), await sessionOf(quick.token)];
  await database.begin(async (tx) => {
    await revoke(tx, slowSession);
    await revoke(database, quickSession);
    await refused(quick.token);
    expect((await request(running.url, "/v1/me", { token: slow.token })).status).toBe(200);
  });
  await refused(slow.token);
});

test("a look goes on where the last one ended, however long ago that was, and misses nothing that was under way", async () => {
  const { revocationsSince } = createTokenStore(client.db);
  const idsSince = async (from: string | undefined) => {
    const { revocations, next } = await revocationsSince(from);
    return { ids: revocations.map(({ sessionId }) => sessionId), next };
  };
  await revoke(database, "ses_before");
  const first = await idsSince(undefined);
  expect(first.ids).toContain("ses_before");
  let next: string | undefined;
  await database.begin(async (tx) => {
    await revoke(tx, "ses_late");
    await revoke(database, "ses_between");
    const second = await idsSince(first.next);
    expect([second.ids.includes("ses_between"), second.ids.includes("ses_late")]).toEqual([true, false]);
    ({ next } = second);
  });
  expect((await idsSince(next)).ids).toContain("ses_late");
  expect((await idsSince(first.next)).ids).toContain("ses_late");
  await until("what was read is not read for ever", async () => {
    const { ids, next: last } = await idsSince(next);
    next = last;
    return ids.length === 0;
  });
  expect((await idsSince(undefined)).ids).toEqual(expect.arrayContaining(["ses_before", "ses_between", "ses_late"]));
});
