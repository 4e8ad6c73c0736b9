import { migrate } from "../../db/migrate.ts";
import { borrowDatabaseServer } from "../database-server.ts";
import type { CommandOptions } from "../main.ts";
import { openDataFolder } from "../platform/data-folder.ts";
import { migratePostgresQueues } from "../platform/queue/postgres.ts";
import { withConfig } from "./configure.ts";

/** Applies what is missing, so that copies can be started without the right to alter tables. */
export function run(options: CommandOptions): Promise<number> {
  return withConfig(options, async (config, log) => {
    const folder = await openDataFolder(config.KEELSON_DATA_DIR, { log });
    const server = await borrowDatabaseServer({ config, folder, log });
    try {
      const applied = await migrate(server.url);
      if (!config.redis) await migratePostgresQueues(server.url, log);
      console.log(applied.length === 0 ? "The database is up to date." : `Applied: ${applied.join(", ")}`);
      return 0;
    } finally {
      await server.stop();
    }
  });
}
