import { createBatcher } from "../batcher.ts";
import type { Logger } from "../logger.ts";
import { openRedis, type RedisTarget } from "../redis.ts";
import { beginning } from "./cursor.ts";
import { keepLoops } from "./loops.ts";
import type { Bus } from "./port.ts";
import { createAppend, toAppend } from "./redis-append.ts";
import { consumeRedis } from "./redis-consume.ts";
import { runScript, trimScript } from "./redis-scripts.ts";
import { busKeys, type RedisBusContext, readHead, readRange } from "./redis-stream.ts";
import { tailRedis } from "./redis-tail.ts";

export interface RedisBusOptions {
  readonly target: RedisTarget;
  /** Every key starts with it, so several installations can share one Redis. */
  readonly prefix: string;
  readonly log?: Logger;
}

/** The bus on one Redis Stream (Redis 6.2 or newer); a cursor is a stream id. */
export function createRedisBus(options: RedisBusOptions): Bus {
  const redis = openRedis(options.target, "command", options.log);
  const keys = busKeys(options.prefix);
  const context: RedisBusContext = { target: options.target, redis, keys, log: options.log };
  const loops = keepLoops();
  const batcher = createBatcher({ run: createAppend(context) });

  return {
    publish: (events, { dedupe = false } = {}) => Promise.all(events.map((event) => batcher.add(toAppend(event, dedupe)))),
    head: () => readHead(redis, keys),
    origin: async () => (await redis.get(keys.trimmed)) ?? beginning,
    read: (range) => readRange(context, range),
    tail: (from, deliver) => loops.add(tailRedis(context, from, deliver)),
    consume: (group, handle) => loops.add(consumeRedis(context, group, handle)),
    trim: async ({ lengthMax, ageMaxMs }) => {
      const bounds = [lengthMax, ageMaxMs].map((bound) => (bound === undefined ? "" : String(Math.floor(bound))));
      return Number(await runScript(redis, trimScript, { keys: [keys.stream, keys.trimmed], args: bounds }));
    },
    ping: async () => {
      await redis.ping();
    },
    close: async () => {
      await loops.stopAll();
      await batcher.idle();
      redis.disconnect();
    },
  };
}
