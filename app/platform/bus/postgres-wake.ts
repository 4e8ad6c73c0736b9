import type { Sql } from "postgres";
import { withDeadline } from "../deadline.ts";
import type { Logger } from "../logger.ts";

const channel = "keelson_bus";
/** The net under notifications that a lost connection swallowed. */
const pollMs = 1_000;

export interface Wake {
  /** Counts wake-ups. Take it before reading and pass it to `after`, so that one that comes in between is not slept through. */
  version(): number;
  /** Resolves when there may be something new since `version`, at the latest after a second, or when `signal` is aborted. */
  after(version: number, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Shares one LISTEN connection among all readers of a bus, opened by the first one that waits; postgres.js reopens it when lost. */
export function createWake(sql: Sql, log?: Logger): Wake {
  let version = 0;
  let listening: Promise<() => Promise<void>> | undefined;
  const waiting = new Set<() => void>();

  return {
    version: () => version,
    after: (seen, signal) => {
      listening ??= listen();
      return new Promise((resolve) => {
        if (version !== seen || signal.aborted) return resolve();
        const end = () => {
          clearTimeout(timer);
          waiting.delete(end);
          signal.removeEventListener("abort", end);
          resolve();
        };
        const timer = setTimeout(end, pollMs);
        waiting.add(end);
        signal.addEventListener("abort", end);
      });
    },
    close: async () => {
      const unlisten = await listening;
      if (unlisten) await withDeadline("ending the notifications", 1_000, unlisten()).catch(() => undefined);
    },
  };

  function wakeAll(): void {
    version += 1;
    for (const end of [...waiting]) end();
  }

  async function listen(): Promise<() => Promise<void>> {
    try {
      const subscription = await sql.listen(channel, wakeAll, wakeAll);
      return subscription.unlisten;
    } catch (error) {
      // postgres.js keeps the listener and goes on trying; asking again would only repeat this failure.
      log?.warn({ err: error }, "no notifications from PostgreSQL yet: the event bus polls meanwhile");
      return async () => undefined;
    }
  }
}
