import { pause } from "./bus/keep-running.ts";
import type { Running } from "./bus/port.ts";
import type { Logger } from "./logger.ts";

export interface Chore {
  readonly name: string;
  /** Returns how many things it dealt with, if that is worth a line in the log. Every copy does it, so it must be harmless to do twice. */
  run(): Promise<number | undefined>;
}

const everyMs = 60_000;

/** Removes what is past its time, once a minute; a chore that fails is tried again the next time. */
export function startHousekeeping({ chores, log }: { readonly chores: readonly Chore[]; readonly log: Logger }): Running {
  const stopping = new AbortController();
  const doAll = async () => {
    for (const { name, run } of chores) {
      try {
        const gone = await run();
        if (gone) log.debug({ gone }, name);
      } catch (error) {
        log.warn({ err: error }, `could not ${name}; trying again later`);
      }
    }
  };
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await doAll();
      await pause(everyMs, stopping.signal);
    }
  })();
  return {
    started: Promise.resolve(),
    stop: () => {
      stopping.abort();
      return running;
    },
  };
}
