import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";

const running = sharedCopy("postgres", adminSettings);
let sql: postgres.Sql;
let ada: SignedInUser;
beforeAll(async () => {
  sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
  ada = await signUp(running.url);
});
afterAll(() => sql.end());
const send = (path: string, token: string, body?: unknown) =>
  request(running.url, path, { token, ...(body === undefined ? {} : { body }) });

describe("a secret while the trail can't be written", () => {
  test("is not given out, however many ask, and other requests are answered; then it is again", async () => {
    expect((await send("/v1/secrets", ada.token, { name: "bank", value: "hunter2-hunter2" })).status).toBe(201);
    expect((await send("/v1/secrets/bank", ada.token)).body.value).toBe("hunter2-hunter2");
    const over = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const locking = sql.begin(async (tx) => {
      await tx`lock table audit_log in access exclusive mode`;
      locked.resolve();
      await over.promise;
    });
    await locked.promise;
    try {
      let askedAt = 0;
      for (let round = 0; round < 5; round += 1) {
        askedAt = performance.now();
        const answers = await Promise.all(Array.from({ length: 8 }, () => send("/v1/secrets/bank", ada.token)));
        for (const answer of answers) {
          expect(answer.status).toBe(503);
          expect(JSON.stringify(answer.body)).not.toContain("hunter2");
          expect(answer.headers.get("retry-after")).toBe("1");
        }
      }
      // Not after a wait of their own, which would hold yet another connection.
      expect(performance.now() - askedAt).toBeLessThan(3_000);
      expect((await send("/v1/me", ada.token)).status).toBe(200);
    } finally {
      over.resolve();
      await locking;
    }
    expect((await send("/v1/secrets/bank", ada.token)).body.value).toBe("hunter2-hunter2");
    const { data } = (await send("/v1/audit?action=secret.read&limit=200", ada.token)).body;
    expect(data.length).toBeGreaterThanOrEqual(2);
  }, 90_000);
});

describe("keys", () => {
  const keyOf = async (token: string, scopes: readonly string[], more = {}): Promise<string> =>
    (await send("/v1/api-keys", token, { name: "k", scopes, ...more })).body.key;

  test("secrets:read reads the trail of its owner, another scope does not, and neither takes exports", async () => {
    const [reads, other] = [await keyOf(ada.token, ["secrets:read"]), await keyOf(ada.token, ["tasks:read"])];
    const { status, body } = await send("/v1/audit", reads);
    expect(status).toBe(200);
    expect(body.data.length).toBeGreaterThan(0);
    for (const path of ["/v1/audit", "/v1/audit/export", "/v1/audit/checkpoint"])
      expectProblem(await send(path, other), "insufficient_scope");
    expectProblem(await send("/v1/audit/export", reads), "forbidden");
  });

  test("an administrator's key with secrets:read is no administrator", async () => {
    const admin = await adminToken(running.url);
    const key = await keyOf(admin, ["secrets:read"]);
    const export_ = await send("/v1/audit/export", key);
    expect([403, 401]).toContain(export_.status);
    const seen = (await send("/v1/audit?limit=200", key)).body.data.map(({ subject }: { subject: string }) => subject);
    expect(seen).not.toContain(ada.id);
  });

  test("a team's key sees what is about the team, and nothing else of who made it", async () => {
    const { team } = (await send("/v1/teams", ada.token, { name: "t" })).body;
    const key = await keyOf(ada.token, ["secrets:read"], { teamId: team.id });
    const { data } = (await send("/v1/audit?limit=200", key)).body;
    expect(data.length).toBeGreaterThan(0);
    const others = (await send("/v1/audit?limit=200", ada.token)).body.data.length;
    expect(data.length).toBeLessThan(others);
    const ids: string[] = data.map(({ id }: { id: string }) => id);
    const rows = await sql`select tenant from audit_log where id in ${sql(ids)}`;
    expect(rows.every(({ tenant }) => tenant === team.id)).toBe(true);
  });
});
