import { z } from "zod";
import { type QueueName, type QueueSettings, type QueueTable, queueCatalogue, queueNames } from "./catalogue.ts";

const count = (max: number) => z.number().int().min(1).max(max);
const rate = z.strictObject({ max: count(1_000_000), perMs: count(86_400_000) });
const settings = z.strictObject({
  concurrencyMin: count(10_000).optional(),
  concurrencyMax: count(10_000).optional(),
  activeMax: count(1_000_000).optional(),
  timeoutMs: count(86_400_000).optional(),
  shutdownGraceMs: z.number().int().min(0).max(600_000).optional(),
  attempts: count(100).optional(),
  backoff: z
    .union([
      z.strictObject({ baseMs: count(86_400_000), maxMs: count(86_400_000) }),
      z.strictObject({ pausesMs: z.array(count(86_400_000)).min(1) }),
    ])
    .optional(),
  rate: rate.optional(),
  groupConcurrency: count(10_000).optional(),
  groupRate: rate.optional(),
  longRunning: z
    .strictObject({ warnMs: count(86_400_000), pauseMs: count(86_400_000).optional(), stopMs: count(86_400_000).optional() })
    .optional(),
  priority: z.number().int().min(0).max(10_000).optional(),
  retentionDays: count(3_650).optional(),
  deadLetterDays: count(3_650).optional(),
  waitingMax: count(1_000_000_000).optional(),
  highDepth: count(1_000_000).optional(),
  highLoad: z.number().gt(0).max(1).optional(),
  stuckMs: count(86_400_000).optional(),
  errorRate: z.number().gt(0).max(1).optional(),
});

export type QueueOverrides = Partial<Record<QueueName, z.infer<typeof settings>>>;

/** `KEELSON_QUEUES`: JSON, what is to be different from the catalogue, by queue. */
export const queueOverrides = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: 'expected JSON such as {"email-send":{"concurrencyMax":20}}' });
      return z.NEVER;
    }
  })
  .pipe(z.partialRecord(z.enum(queueNames), settings))
  .refine((overrides: QueueOverrides) => Object.values(queueTable(overrides)).every((it) => it.concurrencyMin <= it.concurrencyMax), {
    error: "concurrencyMin must not be above concurrencyMax",
  });

/** The catalogue as the configuration wants it. */
export function queueTable(overrides: QueueOverrides = {}): QueueTable {
  const changed = (name: QueueName): QueueSettings => ({ ...queueCatalogue[name], ...overrides[name] }) as QueueSettings;
  // `fromEntries` forgets that every name is there.
  return Object.fromEntries(queueNames.map((name) => [name, changed(name)])) as QueueTable;
}
