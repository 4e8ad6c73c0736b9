import type { Sql } from "postgres";
import { createMemoryLimiter, type MemoryLimiterOptions } from "./memory.ts";
import type { Limiter, LimitPolicy } from "./port.ts";
import { createPostgresLimiter } from "./postgres.ts";

export interface LocalLimiterOptions extends MemoryLimiterOptions {
  readonly sql: Sql;
}

/** Without Redis: ordinary policies count in this process (each copy for itself), `durable` ones in PostgreSQL. */
export function createLocalLimiter({ sql, ...memory }: LocalLimiterOptions): Limiter {
  const inProcess = createMemoryLimiter(memory);
  const inPostgres = createPostgresLimiter({ sql });
  const limiterFor = (policy: LimitPolicy) => (policy.durable ? inPostgres : inProcess);

  return {
    consume: (policy, key, units) => limiterFor(policy).consume(policy, key, units),
    reset: (policy, key) => limiterFor(policy).reset(policy, key),
    close: async () => {
      await Promise.all([inProcess.close(), inPostgres.close()]);
    },
  };
}
