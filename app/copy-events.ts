import { hostname } from "node:os";
import packageFile from "../package.json" with { type: "json" };
import type { Config } from "./config.ts";
import type { EventContract } from "./platform/events.ts";
import type { Logger } from "./platform/logger.ts";
import type { Transact } from "./platform/outbox.ts";
import { copyStarted, copyStopping, threadRestarted } from "./services/system-events.ts";

/** What a copy tells of itself on the bus. That it can't tell is no reason to fail. */
export function createCopyEvents({
  config,
  transact,
  log,
}: {
  readonly config: Config;
  readonly transact: Transact;
  readonly log: Logger;
}) {
  const node = hostname();
  const copy = { node, version: packageFile.version, roles: [...config.KEELSON_ROLES] };
  const tell = <Data>(contract: EventContract<string, Data>, data: Data): Promise<void> =>
    transact(async (unit) => unit.publish(contract, { subject: node, data })).catch((error: unknown) =>
      log.warn({ err: error, type: contract.type }, "could not be told"),
    );
  return {
    started: () => tell(copyStarted, { ...copy, substrate: config.redis ? "redis" : "postgres" }),
    stopping: () => tell(copyStopping, copy),
    threadRestarted: (thread: string, restarts: number) => tell(threadRestarted, { node, thread, restarts }),
  };
}
