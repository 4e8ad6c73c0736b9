import { z } from "zod";
import { readConfig } from "../../app/config.ts";
import { createLogger } from "../../app/platform/logger.ts";
import type { ExecutionRequest } from "../../sandbox/execution.ts";
import type { SandboxHost, SandboxThread } from "../../workers/protocol.ts";
import { createSandboxClient } from "../../workers/sandbox-client.ts";
import { ownCommand, spawnThread } from "../../workers/spawn.ts";
import { type SupervisedThread, superviseThread } from "../../workers/supervisor.ts";
import { hostilePrograms } from "../sandbox/hostile/corpus.ts";
import { until } from "../until.ts";
import { answerParent } from "./child.ts";
import { residentMegabytes, treeCpuMicros } from "./process-tree.ts";
import { atSteadyRate, inLanes, oneAfterTheOther, summary } from "./sandbox-pace.ts";
import { assertSmallAnswer, smallInputText, smallProgram } from "./sandbox-program.ts";

// A server's way of running programs, without HTTP: its main thread, the supervised sandbox thread and as many cells as it has by default.
const log = createLogger({ level: "error", part: "bench" });
const client = createSandboxClient(() => sandbox.channel());
const sandbox: SupervisedThread<SandboxThread> = superviseThread<SandboxHost, SandboxThread>({
  name: "sandbox",
  spawn: () =>
    spawnThread("sandbox", {
      name: "sandbox",
      // One owner's budget of CPU time would end what is to be measured.
      config: readConfig(undefined, { LOG_LEVEL: "error", KEELSON_SANDBOX_TENANT_CPU_MS_PER_MINUTE: "3600000" }),
      databaseUrl: "",
      rootSecret: new Uint8Array(32),
      cellCommand: ownCommand("sandbox-cell"),
    }),
  methods: client.methods,
  log,
});
const { execute } = client;
const hostileCount = 32;
const warmUpSeconds = 2;
const readyMsMax = 30_000;
let lastId = 0;

await sandbox.started;
await allCellsReady();
const residentAtFirst = residentMegabytes();

answerParent({
  /** The most executions per second that as many lanes bring about, once the cells that took the place of killed ones are warm. */
  throughput: async (input) => {
    const { inFlight, seconds } = z.object({ inFlight: z.number(), seconds: z.number() }).parse(input);
    await inLanes(inFlight, warmUpSeconds, () => runSmall("honest"));
    const cpuBefore = treeCpuMicros();
    const { done, perSecond } = await inLanes(inFlight, seconds, () => runSmall("honest"));
    return { perSecond, cpuMicros: (treeCpuMicros() - cpuBefore) / done };
  },
  latency: async (input) => {
    const { perSecond, seconds } = z.object({ perSecond: z.number(), seconds: z.number() }).parse(input);
    return summary(await atSteadyRate(perSecond, seconds, () => runSmall("honest")));
  },
  /** The longest that this program went on beyond its limit, of so many times, one after the other. */
  overLimit: async (input) => {
    const { code, times, timeoutMs } = z.object({ code: z.string(), times: z.number(), timeoutMs: z.number() }).parse(input);
    let worstMs = 0;
    for (let run = 0; run < times; run += 1) {
      await allCellsReady();
      const startedAt = performance.now();
      const { status } = await execute(requestOf({ code, owner: "hostile", timeoutMs }));
      if (status !== "timeout" && status !== "killed") throw new Error(`${code} ended as ${status}`);
      worstMs = Math.max(worstMs, performance.now() - startedAt - timeoutMs);
    }
    return worstMs;
  },
  /** The honest owner's programs, with or without another's 32 in flight all the time. */
  besideHostile: async (input) => {
    const asked = z.object({ hostile: z.boolean(), times: z.number(), perSecond: z.number(), seconds: z.number() }).parse(input);
    let going = asked.hostile;
    const lanes = hostilePrograms.slice(0, hostileCount).map(async ({ code }) => {
      while (going) await execute(requestOf({ code, owner: "hostile", timeoutMs: smallProgram.timeoutMs }));
    });
    let failed = 0;
    const tryOne = async () => void (await runSmall("honest").catch(() => (failed += 1)));
    try {
      const oneByOne = await oneAfterTheOther(asked.times, tryOne);
      const steady = await atSteadyRate(asked.perSecond, asked.seconds, tryOne);
      return { oneByOne: summary(oneByOne), steady: summary(steady), failed };
    } finally {
      going = false;
      await Promise.all(lanes);
      await allCellsReady();
    }
  },
  residentGrowth: () => residentMegabytes() - residentAtFirst,
});

async function runSmall(owner: string): Promise<void> {
  const { code, timeoutMs } = smallProgram;
  const { status, output } = await execute(requestOf({ code, owner, timeoutMs }));
  if (status !== "succeeded") throw new Error(`the small program ended as ${status}`);
  assertSmallAnswer(output);
}

function requestOf(program: Pick<ExecutionRequest, "code" | "timeoutMs"> & { readonly owner: string }): ExecutionRequest {
  lastId += 1;
  return { id: `bench-${lastId}`, inputText: smallInputText, memoryBytes: smallProgram.memoryBytes, ...program };
}

async function allCellsReady(): Promise<void> {
  const areReady = async () => {
    const { starting, busy, waiting } = await sandbox.channel().call("stats", {}, 5_000);
    return starting === 0 && busy === 0 && waiting === 0;
  };
  await until("all cells are idle", areReady, readyMsMax);
}
