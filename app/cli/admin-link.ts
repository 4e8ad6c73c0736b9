import { openDatabase } from "../../db/client.ts";
import { migrate } from "../../db/migrate.ts";
import { borrowDatabaseServer } from "../database-server.ts";
import type { CommandOptions } from "../main.ts";
import { openDataFolder } from "../platform/data-folder.ts";
import { newSetupToken } from "../services/auth/accounts/setup-token.ts";
import { createAuthStore } from "../services/auth/store.ts";
import { withConfig } from "./configure.ts";

/** Prints a new set-up link while there is no administrator; it replaces any earlier one. */
export function run(options: CommandOptions): Promise<number> {
  return withConfig(options, async (config, log) => {
    const folder = await openDataFolder(config.KEELSON_DATA_DIR, { log });
    const server = await borrowDatabaseServer({ config, folder, log });
    const database = openDatabase({ url: server.url, connectionsMax: 1, applicationName: "keelson admin-link" });
    try {
      await migrate(server.url);
      const token = await newSetupToken(createAuthStore(database.db));
      if (token === undefined) {
        console.error("There is an administrator already.");
        return 1;
      }
      const base = config.KEELSON_PUBLIC_URL ?? `http://${config.HOST}:${config.PORT}`;
      console.log(`${base}/v1/auth/setup?token=${token}`);
      return 0;
    } finally {
      await database.close();
      await server.stop();
    }
  });
}
