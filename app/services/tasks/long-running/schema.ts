import { z } from "@hono/zod-openapi";
import { taskStatuses } from "../../../../db/schema/tasks.ts";
import { isWithinDepth } from "../../../platform/json.ts";
import type { SandboxBounds } from "../../sandbox/schema.ts";

/** As much as any installation allows; what this one allows is checked where the task is made. */
export const boundsMax: SandboxBounds = { timeoutMsMax: 60_000, memoryBytesMax: 1_073_741_824, codeBytesMax: 262_144 };

const timeoutMsDefault = 5_000;
const memoryBytesDefault = 16 * 1024 * 1024;
const inputDepthMax = 100;

/** Names of steps and agents, which are also keys of what programs read: nothing that JavaScript understands as more than a key. */
export const partName = z
  .string()
  .regex(/^[A-Za-z][\w.-]{0,63}$/, { error: "expected a letter, then up to 63 letters, digits, _ . and -" });

/** A program of a run or swarm, within what this installation allows. */
export function programFields(bounds: SandboxBounds) {
  return {
    code: z
      .string()
      .min(1)
      .refine((code) => Buffer.byteLength(code) <= bounds.codeBytesMax, { error: `longer than ${bounds.codeBytesMax} bytes` })
      .refine((code) => !code.includes("\0"), { error: "must not contain the NUL character" }),
    input: z
      .record(z.string(), z.unknown())
      .refine((input) => isWithinDepth(input, inputDepthMax), { error: `nested more than ${inputDepthMax} levels deep` })
      .optional(),
    timeoutMs: z.number().int().min(1).max(bounds.timeoutMsMax).default(Math.min(timeoutMsDefault, bounds.timeoutMsMax)),
    memoryBytes: z.number().int().min(1_048_576).max(bounds.memoryBytesMax).default(Math.min(memoryBytesDefault, bounds.memoryBytesMax)),
  };
}

/** Adds an issue at each name that an earlier part has. */
export function refuseTwins(parts: readonly { readonly name: string }[], addIssue: (path: PropertyKey[], message: string) => void): void {
  const seen = new Set<string>();
  for (const [index, { name }] of parts.entries()) {
    if (seen.has(name)) addIssue([index, "name"], "is the name of an earlier one");
    seen.add(name);
  }
}

export const failure = z.object({ name: z.string(), message: z.string() });

/** What runs and swarms have in common in what is shown of them. */
export const longRunningFields = {
  taskId: z.string().openapi({ description: "Its task, by which it is paused, resumed, cancelled, tried again and followed" }),
  status: z.enum(taskStatuses).openapi({ description: "Of its task; `delayed` while it waits" }),
  progress: z.unknown().openapi({ example: { done: 1, total: 3, step: "resize" } }),
  attempts: z.number().int(),
  error: failure.optional(),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
};

export const longRunningQuery = z.strictObject({
  status: z.enum(taskStatuses).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});
