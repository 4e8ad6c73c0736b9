import { parentPort, workerData } from "node:worker_threads";
import { openChannel } from "../../workers/channel.ts";

// A thread for the supervisor's tests: does what its data says at start, and dies when it is told to.
if (workerData.failsToStart) throw new Error("no start today");
if (!workerData.neverReady && parentPort) {
  openChannel(parentPort, {
    echo: (input: string) => input,
    hang: () => Promise.withResolvers<void>().promise,
    throwLater: () =>
      void setTimeout(() => {
        throw new Error("died of this");
      }, 0),
    drain: () => undefined,
    stop: () => (workerData.stopHangs ? Promise.withResolvers<void>().promise : undefined),
  });
}
setInterval(() => undefined, 60_000);
