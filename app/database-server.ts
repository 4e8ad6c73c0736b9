import type { Config } from "./config.ts";
import { connectionBudget } from "./platform/connection-budget.ts";
import type { DataFolder } from "./platform/data-folder.ts";
import { runningServerUrl } from "./platform/embedded-postgres/running-server.ts";
import { startEmbeddedPostgres } from "./platform/embedded-postgres/start.ts";
import type { Logger } from "./platform/logger.ts";

/** PostgreSQL wherever the configuration says it is: ours to run, or somebody else's to reach. */
export interface DatabaseServer {
  readonly url: string;
  readonly kind: "embedded" | "external";
  /** Throws while the embedded server is down and being started again. */
  assertRunning(): void;
  stop(): Promise<void>;
}

interface Deps {
  readonly config: Config;
  readonly folder: DataFolder;
  readonly log: Logger;
}

/** Starts the embedded server unless `DATABASE_URL` names another. Throws when another copy runs on the data folder. */
export async function openDatabaseServer({ config, folder, log }: Deps): Promise<DatabaseServer> {
  if (config.DATABASE_URL) return external(config.DATABASE_URL);
  const server = await startEmbeddedPostgres({ folder, connectionsMax: connectionBudget(config).total, log });
  return {
    url: server.url,
    kind: "embedded",
    assertRunning: () => {
      if (server.pid() === undefined) throw new Error("the embedded PostgreSQL is starting again");
    },
    stop: () => server.stop(),
  };
}

/** For commands: the server a running copy uses, or else one of our own for as long as the command takes. */
export async function borrowDatabaseServer(deps: Deps): Promise<DatabaseServer> {
  try {
    return await openDatabaseServer(deps);
  } catch (error) {
    const url = await runningServerUrl(deps.folder);
    if (url === undefined) throw error;
    return { ...external(url), kind: "embedded" };
  }
}

function external(url: string): DatabaseServer {
  return { url, kind: "external", assertRunning: () => undefined, stop: async () => undefined };
}
