import { createLogger } from "../../app/platform/logger.ts";
import { openPostgresQueues } from "../../app/platform/queue/postgres.ts";
import { openRedisQueues } from "../../app/platform/queue/redis.ts";

// Takes one job and never ends it; whoever started this process kills it then.
const { url, prefix, queue } = JSON.parse(process.argv[2] ?? "{}");
const log = createLogger({ level: "silent", part: "doomed" });
const queues = prefix
  ? openRedisQueues({ target: { kind: "single", url }, prefix, log })
  : openPostgresQueues({ url, connectionsMax: 4, applicationName: "keelson doomed", log });
queues.consume(queue, { concurrency: 1 }, () => {
  process.stdout.write("holding\n");
  return Promise.withResolvers<never>().promise;
});
