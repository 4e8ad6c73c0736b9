import { afterAll, describe, expect, test } from "bun:test";
import { createRoutes } from "../../app/http/route.ts";
import { request } from "../client.ts";
import { serveRoutes } from "./serve-routes.ts";

const routes = createRoutes();
routes.on(["GET", "POST"], "/origin", (c) => {
  return c.json(c.env.origin);
});
const served = serveRoutes(routes);
const behindTwo = serveRoutes(routes, { trustedProxies: 2 });
const behindProxy = serveRoutes(routes, { trustedProxies: 1 });
afterAll(async () => {
  await Promise.all([served, behindProxy, behindTwo].map((it) => it.stop(AbortSignal.abort())));
});

const traceId = "0af7651916cd43dd8448eb211c80319c";

describe("X-Request-Id", () => {
  test.each(["abc", "req_01a205a4eaa1", "A.b-c_d=", "x".repeat(128)])("%s is kept", async (id) => {
    const answer = await request(served.url, "/origin", { headers: { "x-request-id": id } });
    expect([answer.headers.get("x-request-id"), answer.body.requestId]).toEqual([id, id]);
  });

  test.each(["", "has space", "x".repeat(129), "a/b", 'a"b', "<script>", "ünïcode", "a,b", "a;b=c"])("%j is replaced", async (id) => {
    const answer = await request(served.url, "/origin", { headers: { "x-request-id": id } });
    expect(answer.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    expect(answer.body.requestId).toBe(answer.headers.get("x-request-id"));
  });

  test.each(["/origin", "/nowhere", "/healthz", "/openapi.json", "/docs"])("every answer of %s has its own", async (path) => {
    const ids = await Promise.all(Array.from({ length: 5 }, async () => (await request(served.url, path)).headers.get("x-request-id")));
    expect(new Set(ids).size).toBe(5);
    expect(ids.every((id) => id?.startsWith("req_"))).toBe(true);
  });

  test("it is on the access line of the log", async () => {
    await request(served.url, "/origin?token=secret-word", { headers: { "x-request-id": "on-the-line" } });
    const line = served.log.find(({ requestId }) => requestId === "on-the-line");
    expect(line).toMatchObject({ method: "GET", path: "/origin", status: 200, msg: "request" });
    expect(JSON.stringify(line)).not.toContain("secret-word");
  });
});

describe("traceparent (W3C Trace Context)", () => {
  const traced = async (traceparent: string) => {
    const answer = await request(served.url, "/origin", { headers: { traceparent } });
    expect(answer.status).toBe(200);
    return served.log.find(({ requestId }) => requestId === answer.body.requestId)?.traceId;
  };

  test("the log lines of the request carry the trace id", async () => {
    expect(await traced(`00-${traceId}-b7ad6b7169203331-01`)).toBe(traceId);
  });

  test.each([
    "",
    "rubbish",
    `00-${traceId.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${traceId}-b7ad6b7169203331`,
    `00-${traceId.slice(1)}-b7ad6b7169203331-01`,
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `ff-${traceId}-b7ad6b7169203331-01`,
  ])("%j is ignored", async (traceparent) => {
    expect(await traced(traceparent)).toBeUndefined();
  });
});

describe("the client address", () => {
  test("X-Forwarded-For counts only behind a trusted proxy, and only what that proxy wrote", async () => {
    const headers = { "x-forwarded-for": "198.51.100.1, 203.0.113.7" };
    expect((await request(served.url, "/origin", { headers })).body.ip).toBe("127.0.0.1");
    expect((await request(behindProxy.url, "/origin", { headers })).body.ip).toBe("203.0.113.7");
    expect((await request(behindTwo.url, "/origin", { headers })).body.ip).toBe("198.51.100.1");
    expect((await request(behindProxy.url, "/origin")).body.ip).toBe("127.0.0.1");
  });

  test("a request that came through fewer proxies has the address of its connection", async () => {
    expect((await request(behindTwo.url, "/origin", { headers: { "x-forwarded-for": "203.0.113.7" } })).body.ip).toBe("127.0.0.1");
  });

  test("a body in chunks does not hide it", async () => {
    const body = new ReadableStream({
      start: (controller) => {
        controller.enqueue(new TextEncoder().encode("{}"));
        controller.close();
      },
    });
    const answer = await fetch(`${served.url}/origin`, { method: "POST", body });
    expect(await answer.json()).toMatchObject({ ip: "127.0.0.1" });
  });

  test("a very long User-Agent is cut", async () => {
    const answer = await request(served.url, "/origin", { headers: { "user-agent": "x".repeat(5_000) } });
    expect(answer.body.userAgent).toHaveLength(512);
  });
});
