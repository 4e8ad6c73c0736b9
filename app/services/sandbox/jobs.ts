import { z } from "zod";
import { defineJob } from "../../platform/queue/job.ts";
import { programInput } from "./schema.ts";

/** Runs the stored execution; the row has the code and the limits. */
export const executeJob = defineJob({
  name: "sandbox.execute",
  queue: "sandbox-execution",
  input: z.object({ executionId: z.string() }),
});

/** As much as any installation allows; what this one allows is checked where the task is made. */
const boundsMax = { timeoutMsMax: 60_000, memoryBytesMax: 1_073_741_824, codeBytesMax: 262_144 };

/** Runs a program that comes with its task. */
export const runProgramJob = defineJob({ name: "sandbox.run", queue: "sandbox-execution", input: programInput(boundsMax) });
