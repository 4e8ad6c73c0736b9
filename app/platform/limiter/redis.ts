import type { Redis } from "ioredis";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { assertUnits, toDecision } from "./decision.ts";
import type { Limiter, LimitPolicy } from "./port.ts";

export interface RedisLimiterOptions {
  /** Stays the caller's: `close` leaves it open. */
  readonly redis: Redis;
  readonly prefix: string;
}

/** The library's own script counts refused requests too, so that one large refusal would lock out the small ones after it. */
const countUnlessRefused = `
local used = tonumber(redis.call('get', KEYS[1]) or 0)
local units = tonumber(ARGV[1])
local ttl = redis.call('pttl', KEYS[1])
if used + units <= tonumber(ARGV[3]) then
  redis.call('incrby', KEYS[1], units)
  if ttl < 0 then redis.call('expire', KEYS[1], ARGV[2]) end
end
if ttl < 0 then ttl = ARGV[2] * 1000 end
return {used + units, ttl}
`;

/** Shared by all copies that use the same Redis and prefix. */
export function createRedisLimiter({ redis, prefix }: RedisLimiterOptions): Limiter {
  const windows = new Map<string, RateLimiterRedis>();

  return {
    consume: async (policy, key, units = 1) => {
      assertUnits(units);
      const { allowed, state } = await ask(policy, key, units);
      const used = state.consumedPoints - (allowed ? 0 : units);
      return toDecision(policy, { allowed, used, resetMs: state.msBeforeNext });
    },
    reset: async (policy, key) => {
      await windowOf(policy).delete(key);
    },
    close: async () => windows.clear(),
  };

  /** The library says "refused" by rejecting with the state of the window. */
  async function ask(policy: LimitPolicy, key: string, units: number) {
    try {
      return { allowed: true, state: await windowOf(policy).consume(key, units) };
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) return { allowed: false, state: refusal };
      throw refusal;
    }
  }

  function windowOf(policy: LimitPolicy): RateLimiterRedis {
    const name = `${policy.name}:${policy.limit}:${policy.windowSeconds}`;
    let window = windows.get(name);
    if (window === undefined) {
      window = new RateLimiterRedis({
        storeClient: redis,
        keyPrefix: `${prefix}limit:${policy.name}`,
        points: policy.limit,
        duration: policy.windowSeconds,
        customIncrTtlLuaScript: countUnlessRefused,
      });
      windows.set(name, window);
    }
    return window;
  }
}
