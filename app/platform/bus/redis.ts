import { createBatcher } from "../batcher.ts";
import type { Logger } from "../logger.ts";
import { openRedis, type RedisTarget } from "../redis.ts";
import { beginning } from "./cursor.ts";
import { keepLoops } from "./loops.ts";
import type { Bus } from "./port.ts";
import { createAppend, toAppend } from "./redis-append.ts";
import { runScript, trimScript } from "./redis-scripts.ts";
import { busKeys, type RedisBusContext, readBackRange, readHead, readRange } from "./redis-stream.ts";
import { tailRedis } from "./redis-tail.ts";

export interface RedisBusOptions {
  readonly target: RedisTarget;
  /** Every key starts with it, so several installations can share one Redis. */
  readonly prefix: string;
  /** An event counts as stored once so many replicas have it too (`WAIT`). */
  readonly waitReplicas?: number;
  readonly log?: Logger;
}

/** What a cursor can hold; Redis itself counts further. */
const sequenceMax = (2n ** 63n - 1n).toString();

/** The bus on one Redis Stream (Redis 6.2 or newer); a cursor is a stream id. */
export function createRedisBus(options: RedisBusOptions): Bus {
  const redis = openRedis(options.target, "command", options.log);
  const keys = busKeys(options.prefix);
  const context: RedisBusContext = { target: options.target, redis, keys, waitReplicas: options.waitReplicas ?? 0, log: options.log };
  const loops = keepLoops();
  const batcher = createBatcher({ run: createAppend(context) });

  return {
    publish: (events, { dedupe = false } = {}) => Promise.all(events.map((event) => batcher.add(toAppend(event, dedupe)))),
    head: () => readHead(redis, keys),
    origin: async () => (await redis.get(keys.trimmed)) ?? beginning,
    // One below the first possible id of that millisecond.
    before: async (time) => (time.getTime() <= 0 ? beginning : `${time.getTime() - 1}-${sequenceMax}`),
    read: (range) => readRange(context, range),
    readBack: (range) => readBackRange(context, range),
    tail: (from, deliver) => loops.add(tailRedis(context, from, deliver)),
    length: () => redis.xlen(keys.stream),
    remove: async (cursors) => (cursors.length === 0 ? 0 : redis.xdel(keys.stream, ...cursors)),
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
