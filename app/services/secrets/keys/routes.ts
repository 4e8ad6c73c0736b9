import { createRoute } from "@hono/zod-openapi";
import { actorOf } from "../../../http/env.ts";
import { createRoutes, type Guards, jsonAnswer, keySecurity } from "../../../http/route.ts";
import { keyList, rotation } from "./schema.ts";
import type { KeyService } from "./service.ts";

/**
 * GET  /v1/admin/keys
 * POST /v1/admin/keys/rotate
 */
export function keyRoutes({ keys, guards }: { readonly keys: KeyService; readonly guards: Guards }) {
  const common = { tags: ["secrets"], security: keySecurity, middleware: guards.admin };
  return createRoutes()
    .openapi(
      createRoute({
        ...common,
        method: "get",
        path: "/v1/admin/keys",
        summary: "The key-encryption keys, and how many stored values need each",
        responses: { 200: jsonAnswer("The keys, oldest first", keyList) },
      }),
      async (c) => c.json(await keys.list(), 200),
    )
    .openapi(
      createRoute({
        ...common,
        method: "post",
        path: "/v1/admin/keys/rotate",
        summary: "Make a key-encryption key, and move everything that is stored to it",
        description:
          "Every copy knows the new key before any encrypts with it. A task then rewraps the data keys of all stored values; when nothing needs an older key any more it is disabled. Everything stays readable all the while.",
        responses: { 202: jsonAnswer("The key, and the task that rewraps", rotation) },
      }),
      async (c) => c.json(await keys.rotate({ actor: actorOf(c), origin: c.env.origin }), 202),
    );
}
