import { createRoute, z } from "@hono/zod-openapi";
import { createRoutes, type Guards, jsonAnswer } from "../../../http/route.ts";
import { keySetMaxAgeSeconds, type SigningKeys } from "./signing-keys.ts";

/**
 * GET  /.well-known/jwks.json  open
 */
export function tokenRoutes({ signingKeys, guards }: { readonly signingKeys: Pick<SigningKeys, "publicKeys">; readonly guards: Guards }) {
  return createRoutes().openapi(
    createRoute({
      tags: ["auth"],
      middleware: guards.open,
      method: "get",
      path: "/.well-known/jwks.json",
      summary: "The keys that sign access tokens (RFC 7517)",
      responses: { 200: jsonAnswer("The key set", z.object({ keys: z.array(z.record(z.string(), z.unknown())) })) },
    }),
    async (c) => {
      const keys: Record<string, unknown>[] = (await signingKeys.publicKeys()).map((key) => ({ ...key }));
      return c.json({ keys }, 200, { "cache-control": `public, max-age=${keySetMaxAgeSeconds}` });
    },
  );
}
