import type { Sql } from "postgres";
import { openDatabase } from "../../db/client.ts";
import type { Config } from "../config.ts";
import type { Bus } from "./bus/port.ts";
import { createPostgresBus } from "./bus/postgres.ts";
import { createRedisBus } from "./bus/redis.ts";
import { createLocalLimiter } from "./limiter/local.ts";
import type { Limiter } from "./limiter/port.ts";
import { createRedisLimiter } from "./limiter/redis.ts";
import type { Logger } from "./logger.ts";
import type { Queues } from "./queue/port.ts";
import { openPostgresQueues } from "./queue/postgres.ts";
import { openRedisQueues } from "./queue/redis.ts";
import { openRedis, type RedisTarget } from "./redis.ts";

/** Where a copy finds its stores; the same for each of its threads. */
export interface SubstrateAddress {
  readonly config: Pick<Config, "redis" | "KEELSON_KEY_PREFIX"> & Partial<Pick<Config, "KEELSON_REDIS_WAIT_REPLICAS">>;
  readonly databaseUrl: string;
}

interface OpenOptions {
  readonly connectionsMax: number;
  readonly applicationName: string;
  readonly log: Logger;
}

/** Each port has two adapters; which one it is follows from the configuration alone, here and nowhere else. */
export function openQueues({ config, databaseUrl }: SubstrateAddress, options: OpenOptions): Queues {
  if (config.redis) return openRedisQueues({ target: config.redis, prefix: config.KEELSON_KEY_PREFIX, log: options.log });
  return openPostgresQueues({ url: databaseUrl, ...options });
}

export function openBus({ config, databaseUrl }: SubstrateAddress, options: OpenOptions): Bus {
  if (config.redis) {
    const { redis: target, KEELSON_KEY_PREFIX: prefix, KEELSON_REDIS_WAIT_REPLICAS: waitReplicas = 0 } = config;
    return createRedisBus({ target, prefix: `${prefix}:`, waitReplicas, log: options.log });
  }
  const database = openDatabase({ url: databaseUrl, ...options });
  const bus = createPostgresBus({ sql: database.sql, log: options.log });
  return {
    ...bus,
    close: async () => {
      await bus.close();
      await database.close();
    },
  };
}

export function openLimiter({ config }: SubstrateAddress, options: { readonly sql: Sql; readonly log: Logger }): Limiter {
  if (!config.redis) return createLocalLimiter({ sql: options.sql });
  const redis = openRedis(config.redis, "command", options.log);
  const limiter = createRedisLimiter({ redis, prefix: `${config.KEELSON_KEY_PREFIX}:limit:` });
  return {
    ...limiter,
    close: async () => {
      await limiter.close();
      redis.disconnect();
    },
  };
}

/** The version that the server reports; throws unless it answers within its time-out. Opens and closes a connection of its own. */
export async function redisVersion(target: RedisTarget): Promise<string> {
  const redis = openRedis(target, "command");
  try {
    const info = await redis.info("server");
    return /^redis_version:(?<version>\S+)/m.exec(info)?.groups?.version ?? "of unknown version";
  } finally {
    redis.disconnect();
  }
}
