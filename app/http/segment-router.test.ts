import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { SegmentRouter } from "./segment-router.ts";

const app = (router?: SegmentRouter<never>) =>
  new Hono(router ? { router } : {})
    .use("*", async (c, next) => {
      await next();
      c.header("x-shared", "yes");
    })
    .get("/", (c) => c.text("root"))
    .get("/healthz", (c) => c.text("health"))
    .get("/v1/teams", (c) => c.text("teams"))
    .get("/v1/teams/invitations/:token", (c) => c.text(`invitation ${c.req.param("token")}`))
    .get("/v1/teams/:id/members", (c) => c.text(`members ${c.req.param("id")}`))
    .get("/v1/teams/:id/members/:userId", (c) => c.text(`member ${c.req.param("id")} ${c.req.param("userId")}`))
    .get("/v1/me", (c) => c.text("me"))
    .get("/docs/:file", (c) => c.text(`file ${c.req.param("file")}`))
    .get("/.well-known/jwks.json", (c) => c.text("keys"));

describe("answers as Hono's own router does", () => {
  const paths = [
    "/",
    "/healthz",
    "/healthz/",
    "/v1",
    "/v1/teams",
    "/v1/teams/",
    "/v1/teams/invitations/abc",
    "/v1/teams/invitations/members",
    "/v1/teams/team_1/members",
    "/v1/teams/team_1/members/usr_1",
    "/v1/teams/team_1/members/usr_1/more",
    "/v1/me",
    "/v1/me/x",
    "/v1/nothing",
    "/docs/a.css",
    "/docs/b/c",
    "/.well-known/jwks.json",
    "//v1/me",
    "/v1//me",
  ];
  const [ours, honos] = [app(new SegmentRouter<never>()), app()];

  test.each(paths)("%s", async (path) => {
    const seen = async (of: typeof ours) => {
      const answer = await of.request(`http://localhost${path}`);
      return { status: answer.status, text: await answer.text(), shared: answer.headers.get("x-shared") };
    };
    expect(await seen(ours)).toEqual(await seen(honos));
  });
});
