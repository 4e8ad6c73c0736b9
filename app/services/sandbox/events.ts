import { z } from "zod";
import { executionStatuses } from "../../../db/schema/sandbox.ts";
import { eventsOf } from "../../platform/events.ts";

const event = eventsOf("sandbox");

export const executionFinished = event({
  type: "sandbox.execution.finished",
  description: "A program has ended. The subject is the execution.",
  data: z.object({ status: z.enum(executionStatuses), wallMs: z.number() }),
});

export const executionAudited = event({
  type: "sandbox.execution.audited",
  description:
    "A program that was to be audited has ended. The signature is a compact JWS over its receipt and the hashes of code, input and output; the subject is the execution.",
  audited: true,
  data: z.object({ status: z.enum(executionStatuses), signature: z.string() }),
});
