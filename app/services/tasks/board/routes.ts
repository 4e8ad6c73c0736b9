import type { AppControllerRoute } from "@bull-board/api/typings/app";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { getMimeType } from "hono/utils/mime";
import { type AppContext, type AppEnv, actorOf } from "../../../http/env.ts";
import { pageHeaders } from "../../../http/form-page.ts";
import { createRoutes, type Guards } from "../../../http/route.ts";
import { Problem } from "../../../platform/errors.ts";
import { type BoardFiles, readBoardFiles } from "./files.ts";
import { createBoardPages } from "./pages.ts";
import type { BoardService } from "./service.ts";
import { signInPage } from "./sign-in-page.ts";

const base = "/admin/queues";

/** Everything comes from here, scripts from files alone. The editor it has for job data makes workers of its own. */
const boardHeaders = {
  ...pageHeaders,
  "content-security-policy":
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
} as const;

/**
 * Pages for a browser, and so not in /openapi.json. `/admin/queues` (admin) is Bull Board; a browser that nobody is signed in with gets a form to sign in.
 * Below it, `static/*` (open) are the files of the page, and `api/*` (admin) is what it asks for.
 */
export function boardRoutes({ board, guards }: { readonly board: BoardService; readonly guards: Guards }): OpenAPIHono<AppEnv> {
  const pages = createBoardPages();
  let files: Promise<BoardFiles> | undefined;
  const readFiles = () => (files ??= readBoardFiles());
  const routes = createRoutes();

  const showPage = async (c: AppContext) => {
    const refusal = await refusalOf(c, guards);
    if (refusal && !c.req.header("accept")?.includes("text/html")) throw refusal;
    if (refusal) return c.body(signInPage, refusal.status as ContentfulStatusCode, pageHeaders);
    return c.body(await pages.render(await readFiles(), base), 200, boardHeaders);
  };
  for (const path of [pages.view.route].flat()) routes.get(path === "/" ? base : `${base}${path}`, showPage);

  routes.get(`${base}/static/:path{.+}`, async (c) => {
    const path = `static/${c.req.param("path")}`;
    const file = (await readFiles()).get(path);
    if (!file) throw new Problem("not_found", { detail: `There is no ${c.req.path}.` });
    return c.body(await file.arrayBuffer(), 200, {
      "content-type": getMimeType(path) ?? "application/octet-stream",
      "cache-control": "public, max-age=86400",
    });
  });

  const answerCall = (call: AppControllerRoute) => async (c: AppContext) => {
    const queues = board({ actor: actorOf(c), origin: c.env.origin });
    const request = {
      queues,
      uiConfig: pages.uiConfig,
      params: c.req.param(),
      query: c.req.query(),
      body: c.req.method === "GET" ? {} : await bodyOf(c),
      headers: c.req.header(),
    };
    const { status = 200, body } = await Promise.resolve(call.handler(request)).catch(asRefusal);
    return status === 204 ? c.body(null, 204) : c.json(body, status as ContentfulStatusCode);
  };
  for (const call of pages.calls) {
    for (const path of [call.route].flat()) {
      for (const method of [call.method].flat()) routes.on([method.toUpperCase()], [`${base}${path}`], ...guards.admin, answerCall(call));
    }
  }
  return routes;
}

/** Why this caller may not see the page; undefined when nothing speaks against it. */
async function refusalOf(c: AppContext, { admin }: Guards): Promise<Problem | undefined> {
  try {
    for (const { check } of admin) await check(c);
    return undefined;
  } catch (error) {
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) return error;
    throw error;
  }
}

async function bodyOf(c: AppContext): Promise<object> {
  const text = await c.req.text();
  if (text === "") return {};
  const parsed: unknown = await c.req.json().catch(() => undefined);
  if (typeof parsed !== "object" || parsed === null)
    throw new Problem("malformed_json", { detail: "The body could not be parsed as a JSON object." });
  return parsed;
}

/** In the form that the page shows. Anything else is for `onError`, which tells nothing of the inside. */
function asRefusal(error: unknown) {
  if (!(error instanceof Problem) || error.status >= 500) throw error;
  return {
    status: error.status,
    body: { error: error.message, message: (error.init.errors ?? []).map((it) => `${it.pointer}: ${it.detail}`).join("; ") },
  };
}
