import { z } from "@hono/zod-openapi";
import { externalKeyStatuses } from "../../../../db/schema/external-keys.ts";
import { storableText } from "../../../platform/text.ts";
import { externalService, externalServiceNames } from "./catalogue.ts";

const name = storableText(100).min(1);
const key = z.string().min(1).max(4_096).openapi({ description: "Never shown again" });
const service = z.enum(externalServiceNames);

/** As a request says whose it is: the caller's own, unless it names a team or the system. */
const whose = { teamId: z.string().max(64).optional(), scope: z.literal("system").optional() };

export const createExternalKeyRequest = z
  .strictObject({
    service,
    name: name.default("default"),
    key,
    probe: z.boolean().default(false).openapi({ description: "Ask the service whether it takes the key; one that it refuses is not kept" }),
    ...whose,
  })
  .superRefine(({ service: of, key: given }, context) => {
    const { pattern, shape } = externalService(of);
    if (!pattern.test(given))
      context.addIssue({ code: "custom", path: ["key"], message: `is not the way keys of ${of} are written: ${shape}` });
  })
  .openapi("NewExternalKey");

export const updateExternalKeyRequest = z.strictObject({ name: name.optional(), key: key.optional() }).openapi("ExternalKeyChanges");
export const externalKeyId = z.object({ id: z.string().max(64) });
export const externalKeyQuery = z.strictObject({ ...whose, service: service.optional() });

export const externalKey = z
  .object({
    id: z.string(),
    service: z.string(),
    name: z.string(),
    hint: z.string().openapi({ description: "Its last characters", example: "…x7Qa" }),
    status: z.enum(externalKeyStatuses).openapi({ description: "What the service last said of it" }),
    checkedAt: z.iso.datetime().optional(),
    teamId: z.string().optional(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi("ExternalKey");
export type ExternalKeyView = z.infer<typeof externalKey>;

export const externalKeyAnswer = z.object({ externalKey });
export const externalKeyList = z.object({ data: z.array(externalKey) });
