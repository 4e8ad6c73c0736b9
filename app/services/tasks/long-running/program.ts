import type { ExecutionOutcome, ExecutionRequest } from "../../../../sandbox/execution.ts";
import { newId } from "../../../platform/ids.ts";
import type { JobContext } from "../../../platform/queue/job.ts";

export interface Program {
  readonly code: string;
  readonly timeoutMs: number;
  readonly memoryBytes: number;
}

export interface Failure {
  readonly name: string;
  readonly message: string;
}

/** A program did not succeed, by its own fault. */
export class ProgramFailed extends Error {
  override readonly name = "ProgramFailed";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(`${failure.name}: ${failure.message}`);
    this.failure = failure;
  }
}

export interface ProgramCall {
  readonly program: Program;
  readonly input: unknown;
  /** Whose lines they are in the task's stream. */
  readonly speaker: string;
  readonly context: Pick<JobContext, "ownerId" | "signal" | "lines" | "use">;
}

/** Resolves to the program's output, null without one. Throws `ProgramFailed`, or why the attempt must stop. */
export type RunProgram = (call: ProgramCall) => Promise<unknown>;

export type Execute = (request: ExecutionRequest, signal: AbortSignal) => Promise<ExecutionOutcome>;

/** Runs programs of runs and swarms in a cell; what they log goes to the task's stream. */
export function createRunProgram(execute: Execute): RunProgram {
  return async ({ program, input, speaker, context }) => {
    const { signal } = context;
    signal.throwIfAborted();
    const { code, timeoutMs, memoryBytes } = program;
    context.use({ memoryBytes });
    const request = { id: newId("execution"), owner: context.ownerId ?? "system", code, timeoutMs, memoryBytes };
    const outcome = await execute({ ...request, inputText: JSON.stringify(input) }, signal);
    // A program that was ended with its attempt did not fail: another attempt may run it.
    signal.throwIfAborted();
    if (outcome.logs.length > 0) await context.lines(outcome.logs.map((line) => ({ ...line, from: speaker })));
    if (outcome.status === "succeeded") return outcome.output ?? null;
    throw new ProgramFailed(outcome.error ? shortened(outcome.error) : { name: outcome.status, message: `ended as ${outcome.status}` });
  };
}

const messageCharsMax = 500;

/** What is kept of failures is kept for each step and agent. */
function shortened({ name, message }: Failure): Failure {
  return { name, message: message.length > messageCharsMax ? `${message.slice(0, messageCharsMax)}…` : message };
}
