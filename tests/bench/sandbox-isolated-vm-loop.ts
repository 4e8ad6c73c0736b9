import { createRequire } from "node:module";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { answerParent, argumentOf } from "./child.ts";
import { treeCpuMicros } from "./process-tree.ts";
import { inLanes } from "./sandbox-pace.ts";
import { assertSmallAnswer, smallProgram, smallScript } from "./sandbox-program.ts";

// The peer of sandbox-isolated-vm, which runs on Node: isolated-vm as its manual shows it, a fresh isolate for each program. It
// has the priority of a cell, or a crowded machine would give it five times a cell's turns.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const { folder } = argumentOf(z.object({ folder: z.string() }));
const { Isolate } = isolatedVm(createRequire(join(folder, "package.json"))("isolated-vm"));
const memoryLimit = smallProgram.memoryBytes / 1_024 / 1_024;
const limits = { timeout: smallProgram.timeoutMs };

function inFreshIsolate(): void {
  const isolate = new Isolate({ memoryLimit });
  const context = isolate.createContextSync();
  assertSmallAnswer(isolate.compileScriptSync(smallScript).runSync(context, limits));
  isolate.dispose();
}

/** On isolated-vm's own threads, as many as there are cores. */
async function inFreshIsolateElsewhere(): Promise<void> {
  const isolate = new Isolate({ memoryLimit });
  const context = await isolate.createContext();
  const script = await isolate.compileScript(smallScript);
  assertSmallAnswer(await script.run(context, limits));
  isolate.dispose();
}

answerParent({
  throughput: async (input) => {
    const { inFlight, seconds } = z.object({ inFlight: z.number(), seconds: z.number() }).parse(input);
    const once = inFlight === 1 ? async () => inFreshIsolate() : inFreshIsolateElsewhere;
    const cpuBefore = treeCpuMicros();
    const { done, perSecond } = await inLanes(inFlight, seconds, once);
    return { perSecond, cpuMicros: (treeCpuMicros() - cpuBefore) / done };
  },
});

interface IsolatedVm {
  readonly Isolate: new (options: { readonly memoryLimit: number }) => VmIsolate;
}
interface VmIsolate {
  createContextSync(): object;
  createContext(): Promise<object>;
  compileScriptSync(code: string): { runSync(context: object, options: typeof limits): unknown };
  compileScript(code: string): Promise<{ run(context: object, options: typeof limits): Promise<unknown> }>;
  dispose(): void;
}

/** What the package is; it can't be imported, since it belongs to no package of ours. */
function isolatedVm(module: unknown): IsolatedVm {
  return module as IsolatedVm;
}
