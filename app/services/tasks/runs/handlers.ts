import { pause } from "../../../platform/bus/keep-running.ts";
import type { Now } from "../../../platform/clock.ts";
import { backoffMs } from "../../../platform/queue/catalogue.ts";
import { giveUp, type JobContext, type JobHandler, tryAgainIn } from "../../../platform/queue/job.ts";
import { createRunProgram, type Execute, type Failure, type Program, ProgramFailed } from "../long-running/program.ts";
import type { RunSpec, Step } from "./schema.ts";
import { type CurrentStep, parseRunState, previousOutput, type RunState } from "./state.ts";

export interface RunHandlerDeps {
  readonly execute: Execute;
  readonly now: Now;
}

/** A rest up to this long holds its worker; for a longer one the task goes back to its queue. */
const heldMsMax = 2_000;
/** Of all steps together, as JSON. */
const outputBytesMax = 1_048_576;
const backoffMsMax = 3_600_000;

/**
 * Takes the steps one after the other and saves how far it has come.
 * Idempotent: it goes on after the last step that was saved as finished, and programs have no effects of their own.
 */
export function createRunHandler({ execute, now }: RunHandlerDeps): JobHandler<RunSpec> {
  const runProgram = createRunProgram(execute);

  return async (spec, context) => {
    const { steps } = spec;
    const restored = parseRunState(context.checkpoint);
    let state: RunState = restored.current?.failed ? { done: restored.done } : restored;
    for (let step = steps[state.done.length]; step; step = steps[state.done.length]) {
      state = await takeStep(step, { state, spec, context });
      await keep(steps, state, { context, say: `step ${step.name} is done` });
    }
    const outputs = state.done.map((it, index) => ({ name: steps[index]?.name, ...("output" in it ? { output: it.output } : {}) }));
    return { steps: outputs, output: previousOutput(spec, state) };
  };

  async function takeStep(step: Step, at: At): Promise<RunState> {
    const { code } = step;
    const current = at.state.current ?? begun(step);
    await keepCurrent(at, current);
    if (code !== undefined) return runHere({ ...step, code }, current, at);
    if (current.notBefore) await rest(new Date(current.notBefore), at.context);
    return finish(at, current, {});
  }

  async function runHere(step: Step & Program, begun: CurrentStep, at: At): Promise<RunState> {
    let current = begun;
    for (;;) {
      if (current.notBefore) {
        await rest(new Date(current.notBefore), at.context);
        const { notBefore: _, ...again } = current;
        current = again;
        await keepCurrent(at, current);
      }
      const outcome = await attempt(step, at);
      if ("output" in outcome) return finish(at, current, outcome);
      current = afterFailure(step, current, outcome.failure);
      const said = `step ${step.name}: ${outcome.failure.name}: ${outcome.failure.message}`;
      await keepCurrent(at, current, said);
      if (current.failed) giveUp(said);
    }
  }

  function begun(step: Step): CurrentStep {
    const at = now();
    const rests = step.waitMs !== undefined ? { notBefore: new Date(at.getTime() + step.waitMs).toISOString() } : {};
    return { failures: 0, startedAt: at.toISOString(), ...rests };
  }

  function finish({ state }: At, current: CurrentStep, output: { readonly output?: unknown }): RunState {
    const { startedAt, failures } = current;
    return { done: [...state.done, { ...output, attempts: failures + 1, startedAt, finishedAt: now().toISOString() }] };
  }

  async function attempt(step: Step & Program, { state, spec, context }: At): Promise<{ output: unknown } | { failure: Failure }> {
    try {
      const input = { ...step.input, previous: previousOutput(spec, state) };
      const output = await runProgram({ program: step, input, speaker: step.name, context });
      const bytes = Buffer.byteLength(JSON.stringify([...state.done.map((it) => it.output), output]));
      if (bytes <= outputBytesMax) return { output };
      return { failure: { name: "OutputTooLarge", message: `the outputs of all steps have ${bytes} bytes; at most ${outputBytesMax}` } };
    } catch (error) {
      if (error instanceof ProgramFailed) return { failure: error.failure };
      throw error;
    }
  }

  function afterFailure(step: Step, current: CurrentStep, error: Failure): CurrentStep {
    const { startedAt } = current;
    const failures = current.failures + 1;
    const { attempts, backoffMs: baseMs } = step.retries ?? { attempts: 1, backoffMs: 0 };
    if (failures >= attempts) return { startedAt, failures, error, failed: true };
    const delayMs = backoffMs({ baseMs, maxMs: backoffMsMax }, failures);
    return { startedAt, failures, error, notBefore: new Date(now().getTime() + delayMs).toISOString() };
  }

  async function rest(until: Date, { signal }: JobContext): Promise<void> {
    const leftMs = until.getTime() - now().getTime();
    if (leftMs > heldMsMax) tryAgainIn(leftMs);
    await pause(Math.max(0, leftMs), signal);
    signal.throwIfAborted();
  }
}

/** Where in which run. */
interface At {
  readonly state: RunState;
  readonly spec: RunSpec;
  readonly context: JobContext;
}

function keepCurrent({ state, spec, context }: At, current: CurrentStep, say?: string): Promise<void> {
  return keep(spec.steps, { done: state.done, current }, { context, ...(say ? { say } : {}) });
}

async function keep(
  steps: readonly Step[],
  state: RunState,
  { context, say }: { readonly context: JobContext; readonly say?: string },
): Promise<void> {
  const done = state.done.length;
  const progress = { done, total: steps.length, ...(steps[done] ? { step: steps[done].name } : {}) };
  // Asked for at once, so that all of it is one write.
  await Promise.all([
    context.save(state),
    context.progress(progress),
    ...(say ? [context.lines([{ level: state.current?.error ? "warn" : "info", message: say }])] : []),
  ]);
  context.signal.throwIfAborted();
}
