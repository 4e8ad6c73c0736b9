import { z } from "zod";
import { toSummary } from "../long-running/service.ts";
import { isFinal } from "../states.ts";
import type { TaskRow } from "../store.ts";
import type { run } from "./schema.ts";
import { type CurrentStep, parseRunState } from "./state.ts";

export type RunView = z.infer<typeof run>;
type StepView = RunView["steps"][number];

/** Of the stored input only what is shown, so that a run of an older version of us is shown as well. */
const stored = z.object({ steps: z.array(z.object({ name: z.string() })) });

export function toRunView(row: TaskRow): RunView {
  const { steps } = stored.parse(row.input);
  const { done, current } = parseRunState(row.checkpoint);
  return {
    ...toSummary("run", row),
    steps: steps.map(({ name }, index) => {
      const finished = done[index];
      if (finished) return { name, status: "completed", ...finished };
      return index === done.length ? nextStep(name, row, current) : { name, status: "pending", attempts: 0 };
    }),
    ...(row.status === "completed" ? { output: done.findLast((it) => "output" in it)?.output } : {}),
  };
}

/** The first step that is not finished. */
function nextStep(name: string, row: TaskRow, current: CurrentStep | undefined): StepView {
  const status = statusOf(row, current);
  const error = current?.error ?? (status === "failed" ? row.error : undefined);
  return {
    name,
    status,
    attempts: (current?.failures ?? 0) + (status === "running" ? 1 : 0),
    ...(error ? { error } : {}),
    ...(current ? { startedAt: current.startedAt } : {}),
  };
}

function statusOf({ status }: TaskRow, current: CurrentStep | undefined): StepView["status"] {
  if (isFinal(status)) return status === "cancelled" ? "cancelled" : "failed";
  if (current?.notBefore) return "waiting";
  return current && status === "active" ? "running" : "pending";
}
