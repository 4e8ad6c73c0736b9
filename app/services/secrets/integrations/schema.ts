import { z } from "@hono/zod-openapi";
import { storableText } from "../../../platform/text.ts";

const url = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .max(2_048)
  .refine((value) => URL.canParse(value) && new URL(value).username === "" && new URL(value).hash === "", {
    error: "must not contain a user, password or fragment",
  });
export const integrationName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { error: "expected small letters, digits and hyphens" });
/** What the flow itself says is not to be said otherwise. */
const ownParameters = new Set([
  "client_id",
  "redirect_uri",
  "response_type",
  "scope",
  "state",
  "code_challenge",
  "code_challenge_method",
  "nonce",
]);

const fields = {
  displayName: storableText(100).min(1),
  issuer: url.openapi({ description: "Its addresses are found by OpenID Connect Discovery, or RFC 8414" }),
  authorizationUrl: url,
  tokenUrl: url,
  revocationUrl: url,
  clientId: z.string().min(1).max(512),
  clientSecret: z.string().min(1).max(4_096).openapi({ description: "Never shown again" }),
  clientAuth: z.enum(["basic", "post"]),
  scopes: z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, { error: "is no scope" })).max(100),
  extraParameters: z
    .record(z.string().min(1).max(64), z.string().max(512))
    .refine((given) => Object.keys(given).every((name) => !ownParameters.has(name)), { error: "must not say what the flow says itself" })
    .openapi({ description: "Sent to the authorization address, too", example: { access_type: "offline", prompt: "consent" } }),
  enabled: z.boolean(),
};

export const createIntegrationRequest = z
  .strictObject({
    ...fields,
    name: integrationName,
    displayName: fields.displayName.optional(),
    issuer: fields.issuer.optional(),
    authorizationUrl: url.optional(),
    tokenUrl: url.optional(),
    revocationUrl: url.optional(),
    clientAuth: fields.clientAuth.default("basic"),
    scopes: fields.scopes.default([]),
    extraParameters: fields.extraParameters.default({}),
    enabled: fields.enabled.default(true),
  })
  .refine(({ issuer, authorizationUrl, tokenUrl }) => issuer !== undefined || (authorizationUrl !== undefined && tokenUrl !== undefined), {
    path: ["issuer"],
    error: "needs an issuer, or authorizationUrl and tokenUrl",
  })
  .openapi("NewIntegration");

export const updateIntegrationRequest = z.strictObject(fields).partial().openapi("IntegrationChanges");
export const integrationId = z.object({ id: z.string().max(64) });

export const integrationView = z
  .object({
    id: z.string(),
    name: z.string(),
    displayName: z.string(),
    issuer: z.string().optional(),
    authorizationUrl: z.string().optional(),
    tokenUrl: z.string().optional(),
    revocationUrl: z.string().optional(),
    clientId: z.string(),
    clientAuth: z.enum(["basic", "post"]),
    scopes: z.array(z.string()),
    extraParameters: z.record(z.string(), z.string()),
    enabled: z.boolean(),
    redirectUri: z.string().openapi({ description: "To be registered with the service" }),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .openapi("Integration");
export type IntegrationView = z.infer<typeof integrationView>;
export const integrationAnswer = z.object({ integration: integrationView });
export const integrationList = z.object({ data: z.array(integrationView) });
