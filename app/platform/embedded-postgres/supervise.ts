import type { Logger } from "../logger.ts";
import type { Server } from "./server.ts";

export interface SupervisedServer {
  pid(): number | undefined;
  stop(): Promise<void>;
}

const backOffMs = { first: 100, most: 10_000 };

/** Restarts the server whenever it ends by itself, for as long as it takes, until `stop`. */
export function superviseServer({
  server,
  restart,
  log,
}: {
  readonly server: Server;
  restart(): Promise<Server>;
  readonly log: Logger;
}): SupervisedServer {
  let current: Server | undefined = server;
  const stopping = new AbortController();

  const revive = async (): Promise<Server | undefined> => {
    for (let delayMs = backOffMs.first; !stopping.signal.aborted; delayMs = Math.min(delayMs * 2, backOffMs.most)) {
      await pause(delayMs, stopping.signal);
      if (stopping.signal.aborted) return undefined;
      try {
        return await restart();
      } catch (err) {
        log.warn({ err, retryInMs: delayMs }, "the database server did not come back yet");
      }
    }
    return undefined;
  };

  const watching = (async (): Promise<void> => {
    while (current !== undefined) {
      const how = await current.exited;
      current = undefined;
      if (stopping.signal.aborted) return;
      log.error({ how }, "the database server ended by itself; restarting it");
      current = await revive();
      if (stopping.signal.aborted) await current?.stop();
      else log.info({ pid: current?.pid }, "the database server is back");
    }
  })();

  return {
    pid: () => current?.pid,
    async stop() {
      stopping.abort();
      await current?.stop();
      await watching;
    },
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
