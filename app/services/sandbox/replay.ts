import type { z } from "zod";
import type { ExecutionOutcome, ExecutionRequest } from "../../../sandbox/execution.ts";
import { newId } from "../../platform/ids.ts";
import type { replayAnswer } from "./schema.ts";
import type { ExecutionRow } from "./store.ts";

export type Replay = z.infer<typeof replayAnswer>;

const compared = ["status", "output", "error", "logs", "receipt"] as const;

/** What to run to see a stored execution once more: the same, with the randomness that its receipt tells, and an id of its own to be cancelled by. */
export function replayRequest(request: ExecutionRequest, { receipt }: Pick<ExecutionRow, "receipt">): ExecutionRequest {
  return { ...request, id: newId("execution"), ...(receipt ? { seed: receipt.seed } : {}) };
}

/** In which of its parts the second run differs from what is stored, byte for byte as JSON. */
export function differences(stored: ExecutionRow, again: ExecutionOutcome): string[] {
  const before = { ...stored, output: stored.output ?? undefined, error: stored.error ?? undefined };
  const after = { ...again, output: again.output ?? undefined, error: again.error ?? undefined };
  return compared.filter((part) => JSON.stringify(before[part]) !== JSON.stringify(after[part]));
}
