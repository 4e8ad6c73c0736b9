import type { OpenAPIHono } from "@hono/zod-openapi";
import packageJson from "../../package.json" with { type: "json" };
import type { AppEnv } from "./env.ts";

/** The OpenAPI 3.1 document of all routes of `api`. */
export function describeApi(api: OpenAPIHono<AppEnv>): object {
  api.openAPIRegistry.registerComponent("securitySchemes", "bearer", { type: "http", scheme: "bearer", bearerFormat: "JWT" });
  api.openAPIRegistry.registerComponent("securitySchemes", "apiKey", { type: "apiKey", in: "header", name: "X-Api-Key" });
  return api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Keelson", version: packageJson.version, description: packageJson.description },
    servers: [{ url: "/" }],
  });
}
