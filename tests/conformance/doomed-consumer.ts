import { defineGroup } from "../../app/platform/bus/group/contract.ts";
import { runGroup } from "../../app/platform/bus/group/run.ts";
import { createGroupStore } from "../../app/platform/bus/group/store.ts";
import { createLogger } from "../../app/platform/logger.ts";
import { openBus } from "../../app/platform/substrate.ts";
import { openDatabase } from "../../db/client.ts";

// A copy that works for one group. It leaves a row for each event, once; when told to, it dies between that and its being known: `doom` says of which event.
const { databaseUrl, redis, prefix, doom } = JSON.parse(process.argv[2] ?? "{}");
const log = createLogger({ level: "silent", part: "doomed" });
const config = { redis: redis ? ({ kind: "single", url: redis } as const) : undefined, KEELSON_KEY_PREFIX: prefix };
const bus = openBus({ config, databaseUrl }, { connectionsMax: 3, applicationName: "doomed", log });
const { db } = openDatabase({ url: databaseUrl, connectionsMax: 3, applicationName: "doomed" });
const store = createGroupStore(db);
const contract = defineGroup({ name: "effects", patterns: ["test.>"], from: "start", concurrency: 4 });
runGroup(
  { bus, store, bury: async (failure) => void (await store.bury(failure, db)), leaseMs: 800, log },
  contract,
  async ([event], { once }) => {
    if (!event) return;
    const key = event.key ?? "";
    const n = Number(Reflect.get(Object(event.data), "n"));
    await once(event, (tx) => tx.execute(`insert into effects (key, n) values ('${key}', ${n})`).then(() => undefined));
    if (n === doom) process.kill(process.pid, "SIGKILL");
  },
);
process.stdout.write("working\n");
