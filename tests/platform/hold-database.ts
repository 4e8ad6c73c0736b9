import { openDataFolder } from "../../app/platform/data-folder.ts";
import { startEmbeddedPostgres } from "../../app/platform/embedded-postgres/start.ts";
import { createLogger } from "../../app/platform/logger.ts";

// A copy for tests to kill: starts the database in the folder it is given, says where it is in one line of JSON, and waits.
const log = createLogger({ level: "silent", part: "test" });
const folder = await openDataFolder(Bun.argv[2] ?? "", { log });
const database = await startEmbeddedPostgres({ folder, connectionsMax: 20, log });
console.log(JSON.stringify({ url: database.url, pid: database.pid() }));
await Promise.withResolvers<void>().promise;
