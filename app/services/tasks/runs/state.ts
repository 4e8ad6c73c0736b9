import { z } from "zod";
import { failure } from "../long-running/schema.ts";
import type { RunSpec } from "./schema.ts";

const doneStep = z.object({
  /** Absent of a step that only waits. */
  output: z.unknown().optional(),
  attempts: z.number(),
  startedAt: z.string(),
  finishedAt: z.string(),
});

const currentStep = z.object({
  /** Attempts that have failed. */
  failures: z.number(),
  startedAt: z.string(),
  /** It rests until then. */
  notBefore: z.string().optional(),
  error: failure.optional(),
  /** No attempt is left: whoever tries the run again gives the step all of them again. */
  failed: z.boolean().optional(),
});

/** How far a run has come: the checkpoint of its task. */
const runState = z.object({ done: z.array(doneStep), current: currentStep.optional() });
export type RunState = Readonly<z.infer<typeof runState>>;
export type CurrentStep = Readonly<z.infer<typeof currentStep>>;

/** From a checkpoint; null and undefined are the beginning. Throws for what is none. */
export function parseRunState(checkpoint: unknown): RunState {
  return runState.parse(checkpoint ?? { done: [] });
}

/** What a program of the next step finds as `previous`: waiting hands on what came before it. */
export function previousOutput({ steps }: RunSpec, { done }: RunState): unknown {
  const last = done.findLastIndex((_, index) => steps[index]?.code !== undefined);
  return done[last]?.output ?? null;
}
