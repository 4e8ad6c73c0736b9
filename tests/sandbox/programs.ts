import { tmpdir } from "node:os";
import { createEngine, type Engine } from "../../sandbox/engine.ts";
import type { AskHost, ExecutionOutcome, ExecutionRequest } from "../../sandbox/execution.ts";
import { defaultLimits } from "../../sandbox/limits.ts";
import { openTypeStripper } from "../../sandbox/type-stripping.ts";

let count = 0;

type Options = Partial<ExecutionRequest> & { readonly input?: unknown };

export function request(code: string, { input, ...options }: Options = {}): ExecutionRequest {
  count += 1;
  const inputText = input === undefined ? {} : { inputText: JSON.stringify(input) };
  return { id: `exe_${count}`, code, timeoutMs: 3_000, memoryBytes: defaultLimits.memoryBytes, ...inputText, ...options };
}

const stripper = openTypeStripper(tmpdir());

export function testEngine(ask?: AskHost): Engine {
  return createEngine({ loadStripper: async () => stripper(), ...(ask ? { ask: () => ask } : {}) });
}

const engine = testEngine();

/** Runs in this process, which only programs that leave the engine in order may do. */
export async function run(code: string, options: Options = {}): Promise<ExecutionOutcome> {
  const { outcome, spoiled } = await engine.execute(request(code, options));
  if (spoiled !== undefined) throw new Error(`the engine was spoiled: ${spoiled}`);
  return outcome;
}
