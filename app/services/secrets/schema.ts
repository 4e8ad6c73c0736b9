import { z } from "@hono/zod-openapi";
import { versionStates } from "../../../db/schema/secrets.ts";
import { storableText } from "../../platform/text.ts";

/** Below `/v1/secrets` these are something else. */
const reservedNames: ReadonlySet<string> = new Set(["import", "requests", "shared", "shares"]);
const secretNamePattern = "[A-Za-z0-9][A-Za-z0-9._/-]{0,199}";
const nameShape = new RegExp(`^${secretNamePattern}$`);

export const secretName = z
  .string()
  .max(200)
  .refine((name) => nameShape.test(name), {
    error: "expected letters, digits, dots, underscores, hyphens and slashes, beginning with a letter or digit",
  })
  .refine((name) => !/(^|\/)\.{0,2}(\/|$)/.test(name), { error: "must not have empty parts, or parts that are . or .." })
  .refine((name) => !reservedNames.has(name), { error: "is taken by a route" })
  .openapi({ description: "Up to 200 of A–Z a–z 0–9 . _ - and /, which an address has as %2F", example: "billing/stripe" });

export const fieldName = /^(?!__proto__$)[A-Za-z0-9_.-]{1,100}$/;
const wellFormed = z.string().refine((text) => text.isWellFormed(), { error: "must not contain half of a surrogate pair" });

const secretValue = z
  .union([
    wellFormed,
    z
      .record(z.string().regex(fieldName), wellFormed)
      .refine((fields) => Object.keys(fields).length > 0 && Object.keys(fields).length <= 100, { error: "expected 1 to 100 fields" }),
  ])
  .openapi({
    description:
      // biome-ignore lint/suspicious/noTemplateCurlyInString: this is how references are written
      "A text, or texts by the name of their field; 64 KiB at most. `${secret:name}` and `${secret:name#field}` stand for another secret of the same owner, `$${secret:` for itself",
    example: "correct horse battery staple",
  });

const [earliest, latest] = [Date.parse("1970-01-01T00:00:00Z"), Date.parse("9999-01-01T00:00:00Z")];

const labels = z
  .record(
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/),
    storableText(200).refine((text) => text.isWellFormed()),
  )
  .refine((given) => Object.keys(given).length <= 32, { error: "expected at most 32 labels" })
  .openapi({ example: { env: "production" } });
/** PostgreSQL knows no year 0, and whatever comes after 9999 is written another way. */
const time = z.iso.datetime({ offset: true, abort: true }).refine((text) => Date.parse(text) > earliest && Date.parse(text) < latest, {
  error: "is out of range",
});
const expiresAt = time.openapi({ description: "It is not given out from then on", example: "2027-01-31T12:00:00Z" });
const maxVersions = z.number().int().min(1).max(100).openapi({ description: "So many versions are kept; older ones are destroyed" });
const approval = z
  .strictObject({ required: z.boolean() })
  .openapi({ description: "Whether whatever is done with it takes a second person" });
const version = z.number().int().min(1).max(2_147_483_647);
const versionList = z.array(version).min(1).max(100);

const whose = {
  teamId: z.string().max(64).optional().openapi({ description: "The team's, instead of your own" }),
  scope: z.enum(["system"]).optional().openapi({ description: "The system's, for administrators" }),
};
export const whoseQuery = z.strictObject(whose);
export const nameParams = z.object({ name: secretName });

export const oneOwner = { error: "belongs to a team or to the system, not to both" };
export const notBoth = ({ teamId, scope }: { readonly teamId?: string | undefined; readonly scope?: "system" | undefined }) =>
  !(teamId && scope);
/** Without its value. */
export const newSecret = z.strictObject({
  name: secretName,
  labels: labels.default({}),
  expiresAt: expiresAt.optional(),
  maxVersions: maxVersions.default(10),
  approval: approval.optional(),
  ...whose,
});
export const createSecretRequest = newSecret.extend({ value: secretValue }).refine(notBoth, oneOwner).openapi("NewSecret");

export const putSecretRequest = z
  .strictObject({
    value: secretValue,
    expectedVersion: version
      .or(z.literal(0))
      .optional()
      .openapi({ description: "Check and set: 409 unless this is the newest version; 0: unless there is no such secret" }),
    expiresAt: expiresAt.nullable().optional(),
  })
  .openapi("NewSecretVersion");

export const updateSecretRequest = z
  .strictObject({
    labels: labels.optional(),
    expiresAt: expiresAt.nullable().optional(),
    maxVersions: maxVersions.optional(),
    approval: approval.optional(),
  })
  .openapi("SecretChanges");

export const versionsRequest = z
  .strictObject({ versions: versionList.optional() })
  .openapi("SecretVersions", { description: "Without `versions`: the newest one to bring back, all of them to destroy" });
export const rollbackRequest = z.strictObject({ version, expectedVersion: version.optional() }).openapi("SecretRollback");

/** `1,2,3` in an address. */
const versionsInQuery = z
  .string()
  .regex(/^\d{1,9}(,\d{1,9}){0,99}$/)
  .transform((text) => text.split(",").map(Number))
  .openapi({ type: "string", description: "Which, separated by commas; the newest unless it is given", example: "1,2" });
export const deleteQuery = z.strictObject({ ...whose, versions: versionsInQuery.optional() });

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
export const readQuery = z
  .strictObject({
    ...whose,
    version: z.coerce.number().int().min(1).max(2_147_483_647).optional().openapi({ description: "Which; the newest unless it is given" }),
    at: time.optional().openapi({ description: "As it was at this time, and what it refers to as well; of what is still there" }),
    resolve: flag.default(true).openapi({
      type: "string",
      enum: ["true", "false"],
      description: "Whether references are replaced by what they stand for; they are unless it is false",
    }),
  })
  .refine(({ version: one, at }) => !(one && at), { error: "takes `version` or `at`, not both" });

const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}(=[^\0]{0,200})?$/);
export const listQuery = z.strictObject({
  ...whose,
  prefix: z
    .string()
    .max(200)
    .regex(/^[A-Za-z0-9._/-]*$/)
    .optional(),
  label: z
    .union([label, z.array(label).max(10)])
    .transform((given) => [given].flat())
    .optional()
    .openapi({
      type: "string",
      description: "`env=production`, or `env` whatever it is; several must all be there",
      example: "env=production",
    }),
  deleted: flag
    .default(false)
    .openapi({ type: "string", enum: ["true", "false"], description: "Also those whose newest version is deleted or destroyed" }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).regex(nameShape).optional(),
});

const reference = z.string().openapi({ example: "billing/stripe#key" });
export const secret = z
  .object({
    id: z.string().openapi({ example: "sec_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" }),
    name: z.string(),
    version: z.number().int().openapi({ description: "The one this is about" }),
    currentVersion: z.number().int(),
    state: z.enum(versionStates),
    fields: z.array(z.string()).optional().openapi({ description: "The names of its fields, unless it is a text" }),
    references: z.array(reference),
    labels: z.record(z.string(), z.string()),
    maxVersions: z.number().int(),
    approval: z.object({ required: z.boolean() }),
    expiresAt: z.iso.datetime().optional(),
    teamId: z.string().optional(),
    scope: z.enum(["user", "team", "system"]),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi("Secret", { description: "Without its value" });

export const secretVersion = z
  .object({
    version: z.number().int(),
    state: z.enum(versionStates),
    fields: z.array(z.string()).optional(),
    references: z.array(reference),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    deletedAt: z.iso.datetime().optional(),
    destroyedAt: z.iso.datetime().optional(),
  })
  .openapi("SecretVersion");

export const secretAnswer = z.object({ secret });
export const revealedSecret = z
  .object({ secret, value: z.union([z.string(), z.record(z.string(), z.string())]) })
  .openapi("RevealedSecret");
export const secretPage = z.object({ data: z.array(secret), nextCursor: z.string().nullable() }).openapi("SecretPage");
export const versionPage = z.object({ data: z.array(secretVersion) }).openapi("SecretVersionList");
