import { z } from "@hono/zod-openapi";
import { alphabets, keyAlgorithms, rotationStatuses, rotationStrategies } from "../../../../db/schema/rotation.ts";
import { storableText } from "../../../platform/text.ts";
import { putSecretRequest } from "../schema.ts";

const url = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .max(2_048)
  .refine((value) => URL.canParse(value) && new URL(value).username === "" && new URL(value).password === "", {
    error: "must not contain a user or password",
  });
const prefix = storableText(100).refine((text) => !text.includes("${"), { error: "must not contain ${" });
const length = z.number().int().min(1).max(4_096);

const generator = z
  .discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("random"),
      length: length.min(8).default(43),
      alphabet: z.enum(alphabets).default("base64url"),
      prefix: prefix.default(""),
    }),
    z.strictObject({ kind: z.literal("key_pair"), algorithm: z.enum(keyAlgorithms).default("ed25519") }),
    z.strictObject({ kind: z.literal("webhook"), url }),
  ])
  .openapi({
    description:
      "`random` text; a `key_pair` (fields privateKey, publicKey and publicJwk); or a `webhook` that answers {value} to a signed POST. It is asked again with the same webhook-id when something went wrong, and is to answer the same then",
  });

const validator = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("length"), min: length.default(1), max: length.default(4_096) }),
  z.strictObject({ kind: z.literal("charset"), alphabet: z.enum(alphabets) }),
  z.strictObject({ kind: z.literal("prefix"), prefix }),
  z.strictObject({ kind: z.literal("differs"), versions: z.number().int().min(1).max(100).default(10) }),
  z
    .strictObject({ kind: z.literal("webhook"), url })
    .openapi({ description: "Is sent the value, and answers 2xx when it works and 4xx {reason} when not" }),
]);

export const policyRequest = z
  .strictObject({
    everyDays: z.number().int().min(1).max(3_650),
    notifyHoursBefore: z.number().int().min(0).max(8_760).default(0),
    strategy: z.enum(rotationStrategies).default("immediate").openapi({
      description: "`immediate`; `gradual`: the version from before is valid for a while, too; `manual`: it is only told when it is due",
    }),
    overlapSeconds: z.number().int().min(1).max(31_536_000).default(86_400),
    retireOld: z
      .boolean()
      .default(true)
      .openapi({ description: "Whether the version from before is deleted in the end; it can be brought back" }),
    rollback: z
      .strictObject({ errors: z.number().int().min(1).max(100_000), withinSeconds: z.number().int().min(1).max(86_400) })
      .optional()
      .openapi({ description: "So many reported errors of the new version, within so long, bring the old one back" }),
    generator: generator.default({ kind: "random", length: 43, alphabet: "base64url", prefix: "" }),
    validators: z.array(validator).max(10).default([]),
  })
  .openapi("RotationPolicyRequest");

export const rotateRequest = z
  .strictObject({ value: putSecretRequest.shape.value.optional() })
  .openapi("RotateRequest", { description: "Without a value the policy's generator makes one" });

export const reportRequest = z
  .strictObject({ version: z.number().int().min(1), outcome: z.enum(["ok", "error"]) })
  .openapi("RotationReport");

export const rotationView = z
  .object({
    id: z.string(),
    status: z.enum(rotationStatuses),
    why: z.enum(["due", "asked"]),
    from: z.number().int().optional(),
    to: z.number().int().optional(),
    overlapUntil: z.iso.datetime().optional(),
    error: z.string().optional(),
    createdAt: z.iso.datetime(),
    finishedAt: z.iso.datetime().optional(),
  })
  .openapi("Rotation");

export const policyView = z
  .object({
    everyDays: z.number().int(),
    notifyHoursBefore: z.number().int(),
    strategy: z.enum(rotationStrategies),
    overlapSeconds: z.number().int(),
    retireOld: z.boolean(),
    rollback: z.object({ errors: z.number().int(), withinSeconds: z.number().int() }).optional(),
    generator: z.unknown(),
    validators: z.array(z.unknown()),
    state: z.enum(["active", "rolled_back"]).openapi({ description: "`rolled_back` rests until the policy is set again" }),
    nextAt: z.iso.datetime(),
    overdue: z.boolean(),
    validVersions: z.array(z.number().int()).openapi({ description: "Two while a gradual rotation overlaps" }),
  })
  .openapi("RotationPolicy");

export const policyAnswer = z.object({ policy: policyView });
export const policySetAnswer = z.object({
  policy: policyView,
  webhookSecret: z
    .string()
    .openapi({ description: "Signs the call-outs (Standard Webhooks); the same for all policies that the secret has had" }),
});
export const rotationAnswer = z.object({ rotation: rotationView, taskId: z.string().optional() });
export const rotationList = z.object({ data: z.array(rotationView) });
export type PolicyView = z.infer<typeof policyView>;
export type RotationView = z.infer<typeof rotationView>;
