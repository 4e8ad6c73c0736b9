import { Redis, type RedisOptions, ReplyError } from "ioredis";
import type { Logger } from "./logger.ts";

/** One Redis, or a master that Sentinels know by name. */
export type RedisTarget =
  | { readonly kind: "single"; readonly url: string }
  | { readonly kind: "sentinel"; readonly sentinels: readonly { readonly host: string; readonly port: number }[]; readonly name: string };

/**
 * `command` fails fast, so that a request is answered with 503 instead of waiting; a command whose answer was lost is sent
 * again after a reconnect, so it should be one that may run twice. `blocking` (queue workers) retries for ever. `reader` lives
 * once: it connects when told to, never reconnects, and its owner opens a new one. Only `command` ones may be shared.
 */
export type RedisUse = "command" | "blocking" | "reader";

/** The longest a `reader` may block; a socket that stays silent longer is taken for dead. */
export const readerBlockMsMax = 2_000;

/** Replies keep the shapes of RESP2, whatever the server speaks. */
type Options = Omit<RedisOptions, "replyMapping">;

const optionsFor: Readonly<Record<RedisUse, Options>> = {
  command: {
    maxRetriesPerRequest: 1,
    commandTimeout: 2_000,
    // Closes a socket that swallows commands without answering: TCP alone would take minutes to notice.
    socketTimeout: 2_500,
  },
  blocking: { maxRetriesPerRequest: null },
  reader: {
    lazyConnect: true,
    socketTimeout: readerBlockMsMax + 2_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  },
};

/** Never throws and never crashes the process on a lost connection: commands reject instead. */
export function openRedis(target: RedisTarget, use: RedisUse, log?: Logger): Redis {
  const options: Options = {
    connectTimeout: 2_000,
    retryStrategy: (attempt) => Math.min(50 * 2 ** attempt, 2_000),
    // After a failover the old master answers, but only to say that it is a replica now.
    reconnectOnError: (error) => error.message.startsWith("READONLY"),
    ...optionsFor[use],
  };
  const redis =
    target.kind === "single"
      ? new Redis(target.url, options)
      : new Redis({ ...options, sentinels: target.sentinels.map((at) => ({ ...at })), name: target.name });
  logStateChanges(redis, use === "reader" ? undefined : log);
  return redis;
}

/** ioredis gives these no code and no class of their own. */
const unavailableMessages = new Set(["Command timed out", "Connection is closed."]);
/** Redis answers, but can't serve: it loads its data, is a replica after a failover, has lost its master, is full, cannot save, or will not have us. */
const unavailableReplies = /^(LOADING|READONLY|MASTERDOWN|NOREPLICAS|TRYAGAIN|OOM|MISCONF|BUSY|CLUSTERDOWN|NOAUTH|WRONGPASS|NOPERM) /;

/** True when Redis could not be reached, so that trying again later makes sense. Looks through wrapped causes. */
export function isRedisUnavailable(error: unknown): boolean {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    if (current instanceof ReplyError ? unavailableReplies.test(current.message) : isConnectionFault(current)) return true;
  }
  return false;
}

function isConnectionFault(error: Error): boolean {
  // Only ioredis attaches the command: the `AbortError` of the platform, which means something else, has none.
  const aborted = error.name === "MaxRetriesPerRequestError" || (error.name === "AbortError" && "command" in error);
  return aborted || unavailableMessages.has(error.message);
}

/** An `error` event without a listener is printed by ioredis on every attempt; this says it once per outage. */
function logStateChanges(redis: Redis, log: Logger | undefined): void {
  let lost = false;
  redis.on("error", (error) => {
    if (!lost) log?.warn({ err: error }, "Redis connection lost");
    lost = true;
  });
  redis.on("ready", () => {
    if (lost) log?.info("Redis connection is back");
    lost = false;
  });
}
