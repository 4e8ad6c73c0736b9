import type { Logger } from "../../../platform/logger.ts";

export type AnswerFirst = ReturnType<typeof createAnswerFirst>;

/**
 * For requests whose answer must tell nothing, not by its time either: the work is done once the answer is on its way. It is lost when the
 * process dies within that moment; then the person asks again.
 */
export function createAnswerFirst(log: Logger) {
  const running = new Set<Promise<void>>();
  return {
    begin: (what: string, work: () => Promise<unknown>): void => {
      const done = new Promise((resolve) => setImmediate(resolve))
        .then(work)
        .then(() => undefined)
        .catch((error: unknown) => log.error({ err: error }, `could not ${what}`))
        .finally(() => running.delete(done));
      running.add(done);
    },

    /** Resolves when all that has begun has ended. */
    settled: async (): Promise<void> => {
      await Promise.all(running);
    },
  };
}
