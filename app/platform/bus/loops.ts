import type { Running } from "./port.ts";

/** What `close` has to stop; a loop that was stopped before is forgotten. */
export function keepLoops() {
  const loops = new Set<Running>();
  return {
    add(loop: Running): Running {
      loops.add(loop);
      return { started: loop.started, stop: () => loop.stop().finally(() => loops.delete(loop)) };
    },
    stopAll: async (): Promise<void> => {
      await Promise.all([...loops].map((loop) => loop.stop()));
    },
  };
}
