import { z } from "@hono/zod-openapi";
import { executionStatuses } from "../../../db/schema/sandbox.ts";
import { isWithinDepth } from "../../platform/json.ts";

export interface SandboxBounds {
  readonly timeoutMsMax: number;
  readonly memoryBytesMax: number;
  readonly codeBytesMax: number;
}

/** Copying values between threads recurses, and so does reading them in the guest. */
const inputDepthMax = 200;
const memoryBytesDefault = 16 * 1024 * 1024;
const timeoutMsDefault = 500;
const noNul = { check: (text: string) => !text.includes("\0"), error: "must not contain the NUL character" };

/** The body of POST /v1/sandbox/executions, within what this installation allows. */
export function executionRequest(bounds: SandboxBounds) {
  return z
    .strictObject({
      code: z
        .string()
        .min(1)
        .refine((code) => Buffer.byteLength(code) <= bounds.codeBytesMax, { error: `longer than ${bounds.codeBytesMax} bytes` })
        .refine(noNul.check, { error: noNul.error })
        .openapi({ example: "input.numbers.reduce((sum, n) => sum + n, 0)" }),
      input: z
        .unknown()
        .default(null)
        .refine((input) => isWithinDepth(input, inputDepthMax), { error: `nested more than ${inputDepthMax} levels deep` })
        .openapi({ description: "any JSON; null when left out", example: { numbers: [1, 2, 3] } }),
      timeoutMs: z.number().int().min(1).max(bounds.timeoutMsMax).default(Math.min(timeoutMsDefault, bounds.timeoutMsMax)),
      memoryBytes: z.number().int().min(1_048_576).max(bounds.memoryBytesMax).default(Math.min(memoryBytesDefault, bounds.memoryBytesMax)),
      seed: z
        .union([z.string().max(64).refine(noNul.check, { error: noNul.error }), z.number().int()])
        .transform(String)
        .optional(),
      wait: z
        .boolean()
        .default(true)
        .openapi({ description: "true: answer with the result; false: answer 202 at once and run it as a task" }),
    })
    .openapi("ExecutionRequest");
}

/** The program of a task in the queue sandbox-execution. */
export function programInput(bounds: SandboxBounds) {
  return executionRequest(bounds).omit({ wait: true });
}

export type ExecutionInput = z.infer<ReturnType<typeof executionRequest>>;

const log = z.object({ level: z.enum(["debug", "log", "info", "warn", "error"]), message: z.string(), atMs: z.number() });

export const execution = z
  .object({
    id: z.string(),
    status: z.enum(executionStatuses),
    taskId: z.string().optional(),
    output: z.unknown().optional(),
    error: z.object({ name: z.string(), message: z.string(), line: z.number().optional(), column: z.number().optional() }).optional(),
    logs: z.array(log),
    receipt: z
      .object({
        wallMs: z.number(),
        cpuMs: z.number(),
        memoryBytesPeak: z.number(),
        hostCalls: z.number(),
        seed: z.string(),
        engine: z.string(),
      })
      .optional(),
    createdAt: z.iso.datetime(),
    finishedAt: z.iso.datetime().optional(),
  })
  .openapi("Execution");

/** In lists; output and logs are in the execution itself. */
export const executionSummary = execution.omit({ output: true, logs: true }).openapi("ExecutionSummary");

export const executionAnswer = z.object({ execution });
export const executionAccepted = z.object({ execution, taskId: z.string() });
export const executionPage = z.object({ data: z.array(executionSummary), nextCursor: z.string().nullable() }).openapi("ExecutionPage");

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});
