import { z } from "@hono/zod-openapi";
import type { SandboxBounds } from "../../sandbox/schema.ts";
import { failure, longRunningFields, partName, programFields, refuseTwins } from "../long-running/schema.ts";

const stepsMax = 100;
const day = 86_400_000;

export const runId = z.string().max(64).openapi({ example: "run_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });

const retries = z.strictObject({
  attempts: z.number().int().min(1).max(20).openapi({ description: "How often the step is begun at most" }),
  backoffMs: z.number().int().min(0).max(3_600_000).default(1_000).openapi({
    description: "Before the second attempt, then twice as long each time, up to an hour; up to half of it is left off by chance",
  }),
});

/** The body of POST /v1/runs, within what this installation allows. */
export function runRequest(bounds: SandboxBounds) {
  const { code, ...programOptions } = programFields(bounds);
  const step = z
    .strictObject({
      name: partName,
      code: code.optional(),
      ...programOptions,
      retries: retries.optional(),
      waitMs: z
        .number()
        .int()
        .min(0)
        .max(30 * day)
        .optional()
        .openapi({ description: "Instead of `code`: how long the run rests here; it holds no worker meanwhile" }),
    })
    .superRefine((given, context) => {
      for (const [field, message] of mistakesOf(given)) context.addIssue({ code: "custom", path: field, message });
    });
  return z
    .strictObject({
      steps: z
        .array(step)
        .min(1)
        .max(stepsMax)
        .superRefine((steps, context) => refuseTwins(steps, (path, message) => context.addIssue({ code: "custom", path, message })))
        .openapi({
          example: [
            { name: "sum", code: "input.prices.reduce((sum, it) => sum + it, 0)", input: { prices: [1, 2, 3] } },
            { name: "rest", waitMs: 60_000 },
            { name: "report", code: "'The total is ' + input.previous", retries: { attempts: 3, backoffMs: 1_000 } },
          ],
        }),
    })
    .openapi("RunRequest");
}

interface GivenStep {
  readonly code?: string | undefined;
  readonly waitMs?: number | undefined;
  readonly input?: Readonly<Record<string, unknown>> | undefined;
  readonly retries?: unknown;
}

function mistakesOf({ code, waitMs, input, retries }: GivenStep): readonly (readonly [path: string[], message: string])[] {
  const rests = waitMs !== undefined;
  const rules: readonly (readonly [broken: boolean, path: string[], message: string])[] = [
    [code === undefined && !rests, ["code"], "is missing: give code or waitMs"],
    [code !== undefined && rests, ["waitMs"], "give code or waitMs, not both"],
    [rests && code === undefined && input !== undefined, ["input"], "nobody reads it: the step only waits"],
    [rests && code === undefined && retries !== undefined, ["retries"], "nothing can fail: the step only waits"],
    [input !== undefined && Object.hasOwn(input, "previous"), ["input", "previous"], "is where the output of the step before goes"],
  ];
  return rules.flatMap(([broken, path, message]) => (broken ? [[path, message] as const] : []));
}

export type RunSpec = z.infer<ReturnType<typeof runRequest>>;
export type Step = RunSpec["steps"][number];

const step = z.object({
  name: z.string(),
  status: z.enum(["pending", "running", "waiting", "completed", "failed", "cancelled"]),
  attempts: z.number().int(),
  output: z.unknown().optional(),
  error: failure.optional().openapi({ description: "Of its last attempt that failed" }),
  startedAt: z.iso.datetime().optional(),
  finishedAt: z.iso.datetime().optional(),
});

const runSummary = z.object({ id: runId, ...longRunningFields }).openapi("RunSummary");
export const run = runSummary.extend({ steps: z.array(step), output: z.unknown().optional() }).openapi("Run");
export const runAnswer = z.object({ run });
export const runPage = z.object({ data: z.array(runSummary), nextCursor: z.string().nullable() }).openapi("RunPage");
