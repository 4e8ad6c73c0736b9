import { Problem } from "../../platform/errors.ts";
import { jsonPointer } from "../../platform/json-pointer.ts";
import type { JobContract } from "../../platform/queue/job.ts";

/** What one task may carry. */
const inputBytesMax = 262_144;

/** The input as the job takes it. Throws `Problem` (`validation_failed`) with pointers below `at`, or `payload_too_large`. */
export function parseJobInput(contract: JobContract, input: unknown, at: readonly PropertyKey[] = ["input"]): unknown {
  const bytes = Buffer.byteLength(JSON.stringify(input ?? null));
  if (bytes > inputBytesMax)
    throw new Problem("payload_too_large", { detail: `The input has ${bytes} bytes; a task carries at most ${inputBytesMax}.` });
  const parsed = contract.input.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new Problem("validation_failed", {
    detail: `The input is not what ${contract.name} takes.`,
    errors: parsed.error.issues.map(({ path, message }) => ({ pointer: jsonPointer([...at, ...path]), detail: message })),
  });
}
