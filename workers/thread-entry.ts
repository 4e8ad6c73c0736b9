import { parentPort, workerData } from "node:worker_threads";
import { createLogger, type Logger } from "../app/platform/logger.ts";
import { type Channel, type Methods, openChannel } from "./channel.ts";
import type { ThreadData } from "./protocol.ts";
import type { ThreadMethods } from "./supervisor.ts";

export interface ThreadContext<Data extends ThreadData, Main extends Methods> {
  readonly data: Data;
  readonly log: Logger;
  /** To the main thread; it exists once `start` has returned, so only use it from work that begins later. */
  main(): Channel<Main>;
}

/**
 * The body of every thread entry: builds what the thread needs, then opens the channel, which says `ready`.
 * A failure in `start` ends the thread with that error, and the supervisor tells it.
 */
export async function runThread<Data extends ThreadData, Main extends Methods>(
  start: (context: ThreadContext<Data, Main>) => Promise<ThreadMethods>,
): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error("a thread entry runs only as a thread");
  const data = ownData<Data>();
  let channel: Channel<Main> | undefined;
  const main = () => {
    if (!channel) throw new Error("the channel to the main thread is not open yet");
    return channel;
  };
  const methods = await start({ data, log: createLogger({ level: data.config.LOG_LEVEL, part: data.name }), main });
  channel = openChannel<ThreadMethods, Main>(port, methods);
}

/** `spawnThread` gave this thread data of the type its entry asks for. */
function ownData<Data extends ThreadData>(): Data {
  return workerData as Data;
}
