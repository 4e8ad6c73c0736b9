import { afterAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { randomToken } from "../../app/platform/ids.ts";
import { createLocalLimiter } from "../../app/platform/limiter/local.ts";
import { createMemoryLimiter } from "../../app/platform/limiter/memory.ts";
import type { Limiter, LimitPolicy } from "../../app/platform/limiter/port.ts";
import { createRedisLimiter } from "../../app/platform/limiter/redis.ts";
import { openRedis, type RedisTarget } from "../../app/platform/redis.ts";
import { testPostgres, testRedis } from "../services.ts";
import { until } from "../until.ts";

const closers = new AsyncDisposableStack();
afterAll(() => closers.disposeAsync());

const sql = closers.adopt(postgres(await testPostgres(), { max: 5, onnotice: () => undefined }), (it) => it.end({ timeout: 0 }));
const redisUrl = await testRedis();

describeLimiter("in process", () => createLocalLimiter({ sql }), {});
describeLimiter("PostgreSQL (durable)", () => createLocalLimiter({ sql }), { durable: true });
describeSharedLimiter("PostgreSQL (durable)", () => createLocalLimiter({ sql }), { durable: true });

if (redisUrl !== undefined) {
  const target: RedisTarget = { kind: "single", url: redisUrl };
  const prefix = `test:${randomToken(6)}:`;
  const open = () => createRedisLimiter({ redis: closers.adopt(openRedis(target, "command"), (it) => it.disconnect()), prefix });
  for (const durable of [false, true]) {
    const name = durable ? "Redis (durable)" : "Redis";
    describeLimiter(name, open, { durable });
    describeSharedLimiter(name, open, { durable });
  }

  test("the Redis limiter rejects within seconds when Redis is gone", async () => {
    const gone = closers.adopt(openRedis({ kind: "single", url: "redis://127.0.0.1:1" }, "command"), (it) => it.disconnect());
    const limiter = createRedisLimiter({ redis: gone, prefix });
    await expect(limiter.consume({ name: "p", limit: 1, windowSeconds: 60 }, "k")).rejects.toThrow();
  });
}

test("the local limiter rejects a durable policy when PostgreSQL is gone, and still counts the others", async () => {
  const gone = closers.adopt(postgres("postgres://nobody@127.0.0.1:1/none", { max: 1 }), (it) => it.end({ timeout: 0 }));
  const limiter = createLocalLimiter({ sql: gone });
  const policy: LimitPolicy = { name: "p", limit: 1, windowSeconds: 60 };
  await expect(limiter.consume({ ...policy, durable: true }, "k")).rejects.toThrow();
  expect((await limiter.consume(policy, "k")).allowed).toBe(true);
});

test("a flood of keys does not grow the memory without end, and costs the oldest windows first", async () => {
  const limiter = createMemoryLimiter({ windowsMax: 100 });
  const policy: LimitPolicy = { name: "p", limit: 1, windowSeconds: 60 };
  for (let n = 0; n < 150; n += 1) await limiter.consume(policy, `k${n}`);
  expect((await limiter.consume(policy, "k149")).allowed).toBe(false);
  expect((await limiter.consume(policy, "k0")).allowed).toBe(true);
});

function describeLimiter(name: string, open: () => Limiter, kind: Pick<LimitPolicy, "durable">): void {
  describe(name, () => {
    const limiter = open();
    const makePolicy = (over: Partial<LimitPolicy> = {}): LimitPolicy => ({
      name: randomToken(6),
      limit: 3,
      windowSeconds: 60,
      ...kind,
      ...over,
    });

    test("allows up to the limit, then refuses, and says what is left and until when", async () => {
      const policy = makePolicy();
      const decisions = [];
      for (let n = 0; n < 5; n += 1) decisions.push(await limiter.consume(policy, "k"));
      expect(decisions.map((decision) => decision.allowed)).toEqual([true, true, true, false, false]);
      expect(decisions.map((decision) => decision.remaining)).toEqual([2, 1, 0, 0, 0]);
      for (const { resetSeconds } of decisions) {
        expect(resetSeconds).toBeGreaterThan(55);
        expect(resetSeconds).toBeLessThanOrEqual(60);
        expect(Number.isInteger(resetSeconds)).toBe(true);
      }
    });

    test("keys and policies are counted apart, whatever is in them", async () => {
      const [a, b] = [makePolicy({ limit: 1 }), makePolicy({ limit: 1 })];
      for (const policy of [a, b]) {
        for (const key of ["", "k", "k:1", "ip 2001:db8::1", "žluťoučký 🐎", "'; --"]) {
          expect((await limiter.consume(policy, key)).allowed).toBe(true);
          expect((await limiter.consume(policy, key)).allowed).toBe(false);
        }
      }
    });

    test("several units at once; a refusal takes nothing", async () => {
      const policy = makePolicy({ limit: 10 });
      expect(await limiter.consume(policy, "k", 7)).toMatchObject({ allowed: true, remaining: 3 });
      expect(await limiter.consume(policy, "k", 4)).toMatchObject({ allowed: false, remaining: 3 });
      expect(await limiter.consume(policy, "k", 3)).toMatchObject({ allowed: true, remaining: 0 });
      expect(await limiter.consume(policy, "other", 11)).toMatchObject({ allowed: false, remaining: 10 });
    });

    test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("%p units are an error", async (units) => {
      await expect(Promise.try(() => limiter.consume(makePolicy(), "k", units))).rejects.toThrow(RangeError);
    });

    test("a window starts anew when its time is over", async () => {
      const policy = makePolicy({ limit: 2, windowSeconds: 1 });
      expect((await limiter.consume(policy, "k", 2)).allowed).toBe(true);
      const decision = await until("the window is over", async () => {
        const next = await limiter.consume(policy, "k");
        return next.allowed && next;
      });
      expect(decision).toEqual({ allowed: true, remaining: 1, resetSeconds: 1 });
    });

    test("reset forgets one key", async () => {
      const policy = makePolicy({ limit: 1 });
      await limiter.consume(policy, "a");
      await limiter.consume(policy, "b");
      await limiter.reset(policy, "a");
      await limiter.reset(policy, "never seen");
      expect((await limiter.consume(policy, "a")).allowed).toBe(true);
      expect((await limiter.consume(policy, "b")).allowed).toBe(false);
    });

    test("concurrent consumption never admits more than the limit", async () => {
      const policy = makePolicy({ limit: 50 });
      const decisions = await Promise.all(Array.from({ length: 200 }, (_, n) => limiter.consume(policy, "k", (n % 2) + 1)));
      const admitted = decisions.reduce((sum, decision, n) => sum + (decision.allowed ? (n % 2) + 1 : 0), 0);
      expect(admitted).toBeGreaterThanOrEqual(49);
      expect(admitted).toBeLessThanOrEqual(50);
    });
  });
}

function describeSharedLimiter(name: string, open: () => Limiter, kind: Pick<LimitPolicy, "durable">): void {
  describe(`${name}, shared`, () => {
    test("a new limiter knows what the last one counted", async () => {
      const policy: LimitPolicy = { name: randomToken(6), limit: 2, windowSeconds: 60, ...kind };
      const before = open();
      await before.consume(policy, "k", 2);
      await before.close();
      expect(await open().consume(policy, "k")).toMatchObject({ allowed: false, remaining: 0 });
    });

    test("two copies together never admit more than the limit", async () => {
      const policy: LimitPolicy = { name: randomToken(6), limit: 20, windowSeconds: 60, ...kind };
      const copies = [open(), open()];
      const decisions = await Promise.all(Array.from({ length: 50 }, () => copies.map((copy) => copy.consume(policy, "k"))).flat());
      expect(decisions.filter((decision) => decision.allowed)).toHaveLength(20);
    });
  });
}
