import type { Sql } from "postgres";
import { keepRunning, pause } from "./bus/keep-running.ts";
import type { Running } from "./bus/port.ts";
import type { Logger } from "./logger.ts";

export interface Leadership extends Running {
  /** Whether this copy leads right now, as far as it can know. */
  readonly leads: boolean;
}

export interface LeadershipOptions {
  readonly sql: Sql;
  /** What is led: the number of a PostgreSQL advisory lock. */
  readonly lock: number;
  readonly log: Logger;
}

const lookEveryMs = 500;

/**
 * One copy of all leads: the one whose connection holds the advisory lock. The lock goes with the connection, so a copy that dies or is cut off is followed by
 * another within a second. For a moment two may believe that they lead; what a leader does must bear that.
 */
export function startLeadership({ sql, lock, log }: LeadershipOptions): Leadership {
  let leads = false;

  const running = keepRunning({ name: "leadership", log }, async ({ signal, begun }) => {
    const connection = await sql.reserve();
    try {
      while (!signal.aborted) {
        const [row] = leads ? await connection`select true as taken` : await connection`select pg_try_advisory_lock(${lock}) as taken`;
        leads = row?.taken === true;
        begun();
        await pause(lookEveryMs, signal);
      }
      if (leads) await connection`select pg_advisory_unlock(${lock})`;
    } finally {
      leads = false;
      connection.release();
    }
  });

  return {
    started: running.started,
    stop: running.stop,
    get leads() {
      return leads;
    },
  };
}
