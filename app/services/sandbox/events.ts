import { z } from "zod";
import { executionStatuses } from "../../../db/schema/sandbox.ts";
import { defineEvent } from "../../platform/events.ts";

/** The subject is the execution. */
export const executionFinished = defineEvent({
  type: "sandbox.execution.finished",
  data: z.object({ status: z.enum(executionStatuses), wallMs: z.number() }),
});
