import type { OpenAPIHono } from "@hono/zod-openapi";
import { Hono } from "hono";
import { html, raw } from "hono/html";
import swaggerStyle from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import swaggerScript from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import { type ProblemCode, problemTypes } from "../platform/errors.ts";
import type { AppEnv } from "./env.ts";
import { describeApi } from "./openapi.ts";

const assets = {
  "swagger-ui.js": { file: swaggerScript, type: "text/javascript; charset=utf-8" },
  "swagger-ui.css": { file: swaggerStyle, type: "text/css; charset=utf-8" },
} as const;

/**
 * GET /openapi.json       made from the schemas that validate
 * GET /docs               the same for people; its assets are served from here, so it works offline
 * GET /problems/:code     what an error means and what to do
 */
export function docsRoutes(api: OpenAPIHono<AppEnv>) {
  const routes = new Hono<AppEnv>();
  let document: string | undefined;
  routes.get("/openapi.json", (c) => {
    document ??= JSON.stringify(describeApi(api));
    return c.body(document, 200, { "content-type": "application/json" });
  });
  routes.get("/docs", (c) => c.html(docsPage));
  routes.get("/docs/:asset", (c) => {
    const asset = Object.entries(assets).find(([name]) => name === c.req.param("asset"))?.[1];
    if (!asset) return c.notFound();
    return c.body(Bun.file(asset.file).stream(), 200, { "content-type": asset.type, "cache-control": "public, max-age=86400" });
  });
  routes.get("/problems/:code", (c) => {
    const code = c.req.param("code");
    return isProblemCode(code) ? c.html(problemPage(code)) : c.notFound();
  });
  return routes;
}

function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problemTypes, code);
}

const docsPage = html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>Keelson API</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="ui"></div>
    <script src="/docs/swagger-ui.js"></script>
    <script>
      ${raw(`SwaggerUIBundle({ url: "/openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: true, validatorUrl: null });`)}
    </script>
  </body>
</html>`;

function problemPage(code: ProblemCode) {
  const { status, title, help } = problemTypes[code];
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${code}</title>
      </head>
      <body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 10vh auto; padding: 0 1rem">
        <h1>${title}</h1>
        <p><code>${code}</code>, HTTP ${status}</p>
        <p>${help}</p>
      </body>
    </html>`;
}
