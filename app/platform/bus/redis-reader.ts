import type { Redis } from "ioredis";
import { openRedis } from "../redis.ts";
import type { Session } from "./keep-running.ts";
import type { RedisBusContext } from "./redis-stream.ts";

/**
 * Runs `use` with a connection of its own for blocking reads. It is closed when `use` ends and when the session is stopped,
 * which makes a blocked read reject. A read that outlives its time-out ends the same way, and the next session reconnects.
 */
export async function withReader(context: RedisBusContext, { signal }: Session, use: (reader: Redis) => Promise<void>): Promise<void> {
  const reader = openRedis(context.target, "reader");
  const close = () => reader.disconnect();
  signal.addEventListener("abort", close);
  try {
    await reader.connect();
    await use(reader);
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
