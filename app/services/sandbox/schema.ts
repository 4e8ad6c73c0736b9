import { z } from "@hono/zod-openapi";
import { executionStatuses } from "../../../db/schema/sandbox.ts";
import { capabilityNames } from "../../../sandbox/execution.ts";
import { patternFault } from "../../platform/bus/pattern.ts";
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

const guestError = z.object({
  name: z.string(),
  message: z.string(),
  line: z.number().optional(),
  column: z.number().optional(),
  stack: z.string().optional(),
});

const debugReport = z.object({
  trace: z.object({ lines: z.array(z.number()), truncated: z.boolean() }).optional(),
  profile: z.array(z.object({ name: z.string(), line: z.number(), calls: z.number(), selfMs: z.number(), totalMs: z.number() })).optional(),
  unavailable: z.string().optional().openapi({ description: "Why there is none" }),
});

const hostPattern = z
  .string()
  .max(255)
  .regex(/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*(:\d{1,5})?$/, {
    error: "must be a host name in lower case such as api.example.com, *.example.com or localhost:8080",
  });

const eventPattern = z.string().superRefine((pattern, context) => {
  const fault = patternFault(pattern);
  if (fault) context.addIssue({ code: "custom", message: fault });
});

const fetchGrant = z.strictObject({
  hosts: z.array(hostPattern).min(1).max(20),
  methods: z
    .array(z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]))
    .min(1)
    .default(["GET"]),
  requestsMax: z.number().int().min(1).max(50).default(10),
  responseBytesMax: z.number().int().min(1).max(1_048_576).default(262_144),
  timeoutMs: z.number().int().min(1).max(30_000).default(5_000),
  secrets: z.array(z.string().min(1).max(200)).max(10).default([]).openapi({
    description:
      "Names of your secrets (or the team's). References to them in headers and body, written as in values of secrets, are replaced as the request leaves, and hidden in the answer",
  }),
});

const capabilityGrants = z
  .strictObject({
    fetch: fetchGrant.optional().openapi({ description: "`fetch(url, { method, headers, body })`; redirects are answers, not followed" }),
    kv: z
      .union([z.strictObject({ readOnly: z.boolean().default(false) }), z.literal(true).transform(() => ({ readOnly: false }))])
      .optional()
      .openapi({
        description:
          "`kv.get(key)`, `kv.set(key, value, { ttlSeconds })`, `kv.delete(key)`, `kv.list({ prefix, limit, after })`; shared by all programs of the same owner or team",
      }),
    events: z
      .strictObject({ types: z.array(eventPattern).min(1).max(20) })
      .optional()
      .openapi({ description: "`events.publish({ type, subject, key, data })` of types that match these patterns" }),
    log: z.literal(true).optional().openapi({ description: "`log(level, message, fields)` writes to the log of this installation" }),
  })
  .openapi("CapabilityGrants");

/** The body of POST /v1/sandbox/validate. */
export function validationRequest(bounds: SandboxBounds) {
  return executionRequest(bounds).pick({ code: true, language: true, capabilities: true }).openapi("ValidationRequest");
}

export const validation = z
  .object({
    valid: z.boolean(),
    kind: z.enum(["script", "asyncScript", "module"]).optional(),
    language: z.enum(["javascript", "typescript"]).optional(),
    error: guestError.optional(),
    codeBytes: z.number(),
    capabilities: z.object({ used: z.array(z.enum(capabilityNames)), missing: z.array(z.enum(capabilityNames)) }),
  })
  .openapi("Validation");

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
        .optional()
        .openapi({
          description:
            "Makes the run deterministic: randomness comes from it and the clock is virtual, beginning at 2000-01-01T00:00:00Z. The same code, input and seed give the same output and receipt, byte for byte",
        }),
      language: z.enum(["javascript", "typescript"]).optional().openapi({
        description: "Without it, code that is not JavaScript is tried as TypeScript, whose types are stripped (erasable syntax only)",
      }),
      priority: z.number().int().min(0).max(9).default(0).openapi({ description: "Of your own programs that wait the higher goes first" }),
      capabilities: capabilityGrants.optional(),
      audit: z
        .boolean()
        .default(false)
        .openapi({ description: "Signs the receipt with the hashes of code, input and output, and enters it in the audit log" }),
      debug: z
        .union([z.boolean(), z.strictObject({ trace: z.boolean().default(false), profile: z.boolean().default(false) })])
        .transform((asked) => (typeof asked === "boolean" ? { trace: asked, profile: asked } : asked))
        .optional()
        .openapi({ description: "`true` for both: which lines were run, in order, and how often and how long each function" }),
      wait: z
        .boolean()
        .default(true)
        .openapi({ description: "true: answer with the result; false: answer 202 at once and run it as a task" }),
    })
    .openapi("ExecutionRequest");
}

/** The program of a task in the queue sandbox-execution. */
export function programInput(bounds: SandboxBounds) {
  // What a program may ask of its host is granted with POST /v1/sandbox/executions, where it is looked at who grants.
  return executionRequest(bounds).omit({ wait: true, capabilities: true, debug: true, priority: true, audit: true });
}

export type ExecutionInput = z.infer<ReturnType<typeof executionRequest>>;

const log = z.object({ level: z.enum(["debug", "log", "info", "warn", "error"]), message: z.string(), atMs: z.number() });

export const execution = z
  .object({
    id: z.string(),
    status: z.enum(executionStatuses),
    taskId: z.string().optional(),
    output: z.unknown().optional(),
    error: guestError.optional(),
    logs: z.array(log),
    receipt: z
      .object({
        wallMs: z.number(),
        cpuMs: z.number(),
        memoryBytesPeak: z.number(),
        hostCalls: z.number(),
        seed: z.string(),
        engine: z.string(),
        deterministic: z.boolean(),
        limits: z.object({ timeoutMs: z.number(), memoryBytes: z.number(), hostCallsMax: z.number() }),
      })
      .optional(),
    receiptSignature: z
      .string()
      .optional()
      .openapi({ description: "Compact JWS, verified with /.well-known/jwks.json while the key is in there" }),
    debug: debugReport.optional(),
    calls: z
      .array(
        z.object({
          capability: z.enum(capabilityNames),
          method: z.string(),
          target: z.string(),
          ok: z.boolean(),
          error: z.string().optional(),
          ms: z.number(),
        }),
      )
      .openapi({ description: "What it asked of its host" }),
    createdAt: z.iso.datetime(),
    finishedAt: z.iso.datetime().optional(),
  })
  .openapi("Execution");

/** In lists; what is large is in the execution itself. */
export const executionSummary = execution.omit({ output: true, logs: true, debug: true, calls: true }).openapi("ExecutionSummary");

export const executionAnswer = z.object({ execution });
export const executionAccepted = z.object({ execution, taskId: z.string() });
export const executionPage = z.object({ data: z.array(executionSummary), nextCursor: z.string().nullable() }).openapi("ExecutionPage");

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(64).optional(),
});

export const replayAnswer = z
  .object({
    identical: z.boolean().openapi({ description: "Output, error, log, status and receipt are the same, byte for byte" }),
    deterministic: z.boolean().openapi({ description: "Whether it was run with a seed; without one the clock differs, and times do" }),
    differences: z.array(z.string()),
    outcome: execution.pick({ status: true, output: true, error: true, logs: true, receipt: true }),
  })
  .openapi("Replay");

export const metricsQuery = z.strictObject({ since: z.iso.datetime().optional() });

const distribution = z.object({ p50: z.number(), p95: z.number(), p99: z.number() });

export const sandboxMetrics = z
  .object({
    since: z.iso.datetime(),
    total: z.number(),
    byStatus: z.record(z.string(), z.number()),
    successRate: z.number().nullable(),
    errors: z.array(z.object({ name: z.string(), count: z.number() })).openapi({ description: "The most frequent" }),
    wallMs: distribution.nullable(),
    cpuMs: distribution.nullable(),
    memory: z
      .array(z.object({ bytesMax: z.number(), count: z.number() }))
      .openapi({ description: "How many peaked at no more than so much, and above the step before" }),
    cells: z
      .record(z.string(), z.number())
      .optional()
      .openapi({ description: "Of this copy, for administrators: processes, what waits, restarts, memory" }),
  })
  .openapi("SandboxMetrics");
