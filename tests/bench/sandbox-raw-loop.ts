import { constants, setPriority } from "node:os";
import variant from "@jitl/quickjs-wasmfile-release-sync";
import { newQuickJSWASMModuleFromVariant, type QuickJSRuntime } from "quickjs-emscripten-core";
import { z } from "zod";
import { answerParent } from "./child.ts";
import { residentMegabytes, treeCpuMicros } from "./process-tree.ts";
import { inLanes, oneAfterTheOther, summary } from "./sandbox-pace.ts";
import { assertSmallAnswer, smallProgram, smallScript } from "./sandbox-program.ts";

// The peer of sandbox-pool: QuickJS as its manual shows it, called where the server's own code runs. It has the priority of a
// cell, or a crowded machine would give it five times a cell's turns.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const quickjs = await newQuickJSWASMModuleFromVariant(variant);
const residentAtFirst = residentMegabytes();
let deadline = 0;

function newRuntime(): QuickJSRuntime {
  return quickjs.newRuntime({ memoryLimitBytes: smallProgram.memoryBytes, interruptHandler: () => performance.now() > deadline });
}

function evaluate(runtime: QuickJSRuntime, code: string, timeoutMs: number): unknown {
  deadline = performance.now() + timeoutMs;
  const context = runtime.newContext();
  const result = context.evalCode(code);
  const value = result.error ? undefined : context.dump(result.value);
  (result.error ?? result.value).dispose();
  context.dispose();
  return value;
}

const kept = newRuntime();

function inFreshContext(): void {
  assertSmallAnswer(evaluate(kept, smallScript, smallProgram.timeoutMs));
}

function inFreshRuntime(): void {
  const runtime = newRuntime();
  assertSmallAnswer(evaluate(runtime, smallScript, smallProgram.timeoutMs));
  runtime.dispose();
}

answerParent({
  throughput: async (input) => {
    const { fresh, seconds } = z.object({ fresh: z.enum(["context", "runtime"]), seconds: z.number() }).parse(input);
    const once = fresh === "context" ? inFreshContext : inFreshRuntime;
    const cpuBefore = treeCpuMicros();
    const { done, perSecond } = await inLanes(1, seconds, async () => once());
    return { perSecond, cpuMicros: (treeCpuMicros() - cpuBefore) / done };
  },
  /** One after the other: a loop that is its own caller has nothing that waits. */
  latency: async (input) => {
    const { times } = z.object({ times: z.number() }).parse(input);
    return summary(await oneAfterTheOther(times, inFreshContext));
  },
  overLimit: (input) => {
    const { code, times, timeoutMs } = z.object({ code: z.string(), times: z.number(), timeoutMs: z.number() }).parse(input);
    const took = Array.from({ length: times }, () => {
      const startedAt = performance.now();
      evaluate(kept, code, timeoutMs);
      return performance.now() - startedAt - timeoutMs;
    });
    return Math.max(...took);
  },
  residentGrowth: () => residentMegabytes() - residentAtFirst,
});
