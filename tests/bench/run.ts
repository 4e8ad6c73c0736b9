import { parseArgs } from "node:util";
import { stopTestServices, testRedis } from "../services.ts";
import { auditVerify } from "./audit-verify.ts";
import { auth } from "./auth.ts";
import { events } from "./events.ts";
import { eventsSse } from "./events-sse.ts";
import { compare } from "./harness.ts";
import { httpAuth } from "./http-auth.ts";
import { queue } from "./queue.ts";
import { record } from "./report.ts";
import { sandboxHostile } from "./sandbox-hostile.ts";
import { sandboxHttp } from "./sandbox-http.ts";
import { sandboxIsolatedVm } from "./sandbox-isolated-vm.ts";
import { sandboxPool } from "./sandbox-pool.ts";
import { sealing } from "./seal.ts";
import { secretsRead } from "./secrets-read.ts";
import { tasks } from "./tasks.ts";
import { tasksCrowd } from "./tasks-crowd.ts";

// bun run bench [name…] [--rounds N]: `queue` stands for every bench whose name begins with `queue-`.
const benches = [
  ...httpAuth,
  ...auth,
  ...queue,
  ...tasks,
  ...tasksCrowd,
  ...events,
  ...eventsSse,
  ...sandboxPool,
  ...sandboxIsolatedVm,
  ...sandboxHttp,
  ...sandboxHostile,
  ...sealing,
  ...auditVerify,
  ...secretsRead,
];

const { values, positionals } = parseArgs({ options: { rounds: { type: "string" } }, allowPositionals: true });
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) throw new RangeError("--rounds expects a whole number from 1");
const wanted = benches.filter(({ name }) => positionals.length === 0 || positionals.some((it) => name === it || name.startsWith(`${it}-`)));
if (wanted.length === 0) throw new Error(`no such bench; there are ${benches.map(({ name }) => name).join(", ")}`);

try {
  for (const bench of wanted) {
    if (bench.needsRedis && (await testRedis()) === undefined) {
      console.warn(`${bench.name}: SKIPPED, there is no Redis`);
      continue;
    }
    const outcomes = await compare(bench, rounds ?? bench.rounds, (line) => console.log(line));
    await record(bench, outcomes, rounds ?? bench.rounds);
  }
} finally {
  await stopTestServices();
}
