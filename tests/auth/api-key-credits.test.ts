import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemNow as now } from "../../app/platform/clock.ts";
import { Problem } from "../../app/platform/errors.ts";
import { createTransact, type Transact } from "../../app/platform/outbox.ts";
import { type Credits, createCredits } from "../../app/services/auth/api-keys/credits.ts";
import { createApiKeyStore } from "../../app/services/auth/api-keys/store.ts";
import { type DatabaseClient, openDatabase } from "../../db/client.ts";
import { request, signUp } from "../client.ts";
import { testLogger } from "../services.ts";
import { sharedCopy } from "../shared-copy.ts";

const running = sharedCopy();
let database: DatabaseClient;
let transact: Transact;
let credits: Credits;

beforeAll(() => {
  database = openDatabase({ url: running.config.DATABASE_URL ?? "", connectionsMax: 8, applicationName: "keelson test" });
  transact = createTransact({ db: database.db, now, wake: () => undefined });
  credits = createCredits({ store: createApiKeyStore(database.db), transact, now, log: testLogger("credits") });
});
afterAll(() => database.close());

async function keyWith(limits: { readonly creditLimitSoft?: number; readonly creditLimitHard?: number }) {
  const { token } = await signUp(running.url);
  const { body } = await request(running.url, "/v1/api-keys", { token, body: { name: "x", scopes: ["ai:write"], ...limits } });
  return { id: body.apiKey.id as string, token };
}

const spend = async (id: string, amount: number): Promise<string> => {
  try {
    await transact((unit) => credits.spend(unit, id, amount));
    return "spent";
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};
const usedOf = async ({ id, token }: { readonly id: string; readonly token: string }) =>
  (await request(running.url, `/v1/api-keys/${id}`, { token })).body.apiKey.creditsUsed as number;
const eventsOf = async (id: string) => {
  await credits.settled();
  const rows =
    await database.sql`select action, data from audit_log where subject = ${id} and action like 'api_key.credit%' order by at, id`;
  return rows.map(({ action, data }) => [action, data]);
};
const [soft, hard] = ["api_key.credit_soft_limit_crossed", "api_key.credit_hard_limit_crossed"];

describe("spending", () => {
  test("counts exactly, without limits for ever", async () => {
    const key = await keyWith({});
    for (const amount of [0.1, 0.2, 0, 1e-7]) expect(await spend(key.id, amount)).toBe("spent");
    expect(await usedOf(key)).toBe(0.3000001);
    expect(await eventsOf(key.id)).toEqual([]);
  });

  test("goes up to the hard limit and not beyond; each limit is announced once", async () => {
    const key = await keyWith({ creditLimitSoft: 2, creditLimitHard: 3 });
    const outcomes: string[] = [];
    for (const amount of [1, 1, 0.5, 0.5, 0.01, 1]) outcomes.push(await spend(key.id, amount));
    expect(outcomes).toEqual(["spent", "spent", "spent", "spent", "credit_limit_reached", "credit_limit_reached"]);
    expect(await usedOf(key)).toBe(3);
    expect(await eventsOf(key.id)).toEqual([
      [soft, { creditsUsed: 2.5, limit: 2 }],
      [hard, { creditsUsed: 3, limit: 3 }],
    ]);
  });

  test("many at once do not go beyond it, and announce each limit once", async () => {
    const key = await keyWith({ creditLimitSoft: 5, creditLimitHard: 10 });
    const outcomes = await Promise.all(Array.from({ length: 40 }, () => spend(key.id, 1)));
    expect(outcomes.filter((it) => it === "spent")).toHaveLength(10);
    expect(outcomes.filter((it) => it === "credit_limit_reached")).toHaveLength(30);
    expect(await usedOf(key)).toBe(10);
    expect(await eventsOf(key.id)).toEqual([
      [soft, { creditsUsed: 6, limit: 5 }],
      [hard, { creditsUsed: 10, limit: 10 }],
    ]);
  });

  test("twice in one unit, the second refused: both are given back, and nothing waits for itself", async () => {
    const key = await keyWith({ creditLimitHard: 3 });
    const unit = transact(async (it) => {
      await credits.spend(it, key.id, 2);
      await credits.spend(it, key.id, 2);
    });
    expect(await unit.catch((error: unknown) => (error instanceof Problem ? error.code : error))).toBe("credit_limit_reached");
    expect(await usedOf(key)).toBe(0);
    expect((await eventsOf(key.id)).map(([action]) => action)).toEqual([hard]);
  });

  test("a unit that fails gives back what it spent, and announces nothing", async () => {
    const key = await keyWith({ creditLimitSoft: 1 });
    const failing = transact(async (unit) => {
      await credits.spend(unit, key.id, 2);
      throw new Error("the provider failed");
    });
    expect(await failing.catch(({ message }: Error) => message)).toBe("the provider failed");
    expect([await usedOf(key), await eventsOf(key.id)]).toEqual([0, []]);
  });

  test("a raised limit lets it go on, and is announced anew when it is reached", async () => {
    const key = await keyWith({ creditLimitHard: 1 });
    expect([await spend(key.id, 1), await spend(key.id, 1)]).toEqual(["spent", "credit_limit_reached"]);
    await credits.settled();
    await request(running.url, `/v1/api-keys/${key.id}`, { method: "PATCH", token: key.token, body: { creditLimitHard: 2 } });
    expect([await spend(key.id, 1), await spend(key.id, 1)]).toEqual(["spent", "credit_limit_reached"]);
    expect((await eventsOf(key.id)).map(([action]) => action)).toEqual([hard, hard]);
  });

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])("%p credits are a mistake of ours", async (amount) => {
    const key = await keyWith({});
    await expect(spend(key.id, amount)).rejects.toThrow(RangeError);
  });
});
