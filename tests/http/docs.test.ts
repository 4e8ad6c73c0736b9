import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { request } from "../client.ts";
import { substrates } from "../copy.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";

const root = new URL("../..", import.meta.url).pathname;
const methods = ["get", "post", "put", "patch", "delete"];
/** All other bodies are required. */
const optionalBodies = [
  "POST /v1/events/groups/{name}/redrive",
  "POST /v1/subscriptions/{id}/redrive",
  "POST /v1/subscriptions/{id}/rotate-secret",
  "POST /v1/queues/{name}/redrive",
  "POST /v1/secrets/{name}/destroy",
  "POST /v1/secrets/{name}/share",
  "POST /v1/secrets/{name}/undelete",
  "POST /v1/secrets/{name}/rotate",
];
const running = sharedCopy();

// biome-ignore lint/suspicious/noExplicitAny: a JSON document whose shape these tests establish
type Json = any;
interface Operation {
  readonly name: string;
  readonly path: string;
  readonly method: string;
  readonly is: Json;
}

async function fetchDocument(): Promise<Json> {
  return (await request(running.url, "/openapi.json")).body;
}

function operationsOf(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, item]) =>
    methods
      .filter((method) => method in item)
      .map((method) => ({ name: `${method.toUpperCase()} ${path}`, path, method: method.toUpperCase(), is: item[method] })),
  );
}

/** Every value under a key called `$ref`, however deep. */
function referencesIn(value: Json): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries<Json>(value).flatMap(([key, inner]) => (key === "$ref" ? [inner] : referencesIn(inner)));
}

describe("/openapi.json", () => {
  test("is an OpenAPI 3.1 document with our name and version", async () => {
    const answer = await request(running.url, "/openapi.json");
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "application/json"]);
    const { version } = await Bun.file(`${root}/package.json`).json();
    expect(answer.body).toMatchObject({ openapi: "3.1.0", info: { title: "Keelson", version }, servers: [{ url: "/" }] });
  });

  test("every reference leads somewhere, and every component is used", async () => {
    const document = await fetchDocument();
    const references = new Set(referencesIn(document));
    for (const reference of references) {
      const found = reference
        .slice(2)
        .split("/")
        .reduce((at: Json, key) => at?.[key], document);
      expect(found, reference).toBeObject();
    }
    const used = Object.keys(document.components.schemas).filter((name) => references.has(`#/components/schemas/${name}`));
    expect(used).toEqual(Object.keys(document.components.schemas));
  });

  test("every operation says what it does, takes and answers", async () => {
    for (const { name, path, method, is } of operationsOf(await fetchDocument())) {
      expect(is.summary, name).toBeString();
      expect(is.tags, name).toHaveLength(1);
      expect(
        Object.keys(is.responses).some((status) => /^[23]/.test(status)),
        name,
      ).toBe(true);
      for (const [status, answer] of Object.entries<Json>(is.responses)) {
        expect(status, name).toMatch(/^[2-5]\d\d$/);
        expect(answer.description, `${name} ${status}`).toBeString();
        for (const content of Object.values<Json>(answer.content ?? {})) expect(content.schema, `${name} ${status}`).toBeObject();
        if (Number(status) >= 400 && path !== "/readyz")
          expect(Object.keys(answer.content), `${name} ${status}`).toEqual(["application/problem+json"]);
      }
      const declared = (is.parameters ?? []).filter((parameter: Json) => parameter.in === "path").map((parameter: Json) => parameter.name);
      expect(declared, name).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter));
      if (is.requestBody)
        expect([
          name,
          method,
          Object.keys(is.requestBody.content).filter((type) => !type.includes("cloudevents")),
          is.requestBody.required || optionalBodies.includes(name),
        ]).toEqual([name, method, ["application/json"], true]);
    }
  });

  test("has every path that a routes file lists at its top, and no other but the tools of development", async () => {
    const listed: string[] = [];
    for (const file of [...new Glob("app/services/**/routes.ts").scanSync(root), "app/http/health.ts", "app/http/metrics.ts"]) {
      const text = await Bun.file(`${root}/${file}`).text();
      for (const [, method, path = ""] of text.matchAll(/^ \* (GET|POST|PUT|PATCH|DELETE) +(\/\S+)/gm)) {
        if (!path.startsWith("/dev/")) listed.push(`${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
      }
    }
    expect(listed.length).toBeGreaterThan(10);
    const described = operationsOf(await fetchDocument()).map(({ name }) => name);
    expect(described.sort()).toEqual(listed.sort());
  });

  test("says of each operation truly whether it needs a token", async () => {
    const document = await fetchDocument();
    expect(document.components.securitySchemes.bearer).toEqual({ type: "http", scheme: "bearer", bearerFormat: "JWT" });
    for (const { name, path, method, is } of operationsOf(document)) {
      const answer = await request(running.url, path.replaceAll(/\{\w+\}/g, "x"), { method, ...(method === "GET" ? {} : { body: {} }) });
      const secured = [[{ bearer: [] }], [{ bearer: [] }, { apiKey: [] }]].some((it) => Bun.deepEquals(it, is.security));
      expect([name, answer.status === 401]).toEqual([name, secured]);
      expect(is.security === undefined || secured, name).toBe(true);
      if (secured) expect(Object.keys(is.responses), name).toContain("401");
    }
  });

  test("says of each operation what stands before it: limits, bodies, tokens, keys, cookies and idempotency keys", async () => {
    for (const { name, path, method, is } of operationsOf(await fetchDocument())) {
      const isWrite = method !== "GET";
      const expected: readonly (readonly [boolean, number, string])[] = [
        [!["/healthz", "/readyz", "/metrics"].includes(path), 429, "rate_limited"],
        [isWrite, 400, "malformed_json"],
        [isWrite, 413, "payload_too_large"],
        [isWrite, 415, "unsupported_media_type"],
        [is.security !== undefined, 401, "unauthenticated"],
        [is.security !== undefined, 403, "insufficient_scope"],
        [is.security !== undefined && isWrite, 403, "cross_site_request"],
        [is.security !== undefined && method === "POST", 409, "idempotency_in_flight"],
        [is.security !== undefined && method === "POST", 422, "idempotency_mismatch"],
      ];
      for (const [applies, status, code] of expected)
        expect([name, code, is.responses[status]?.description.split(", ").includes(code) ?? false]).toEqual([name, code, applies]);
      const headers = (is.parameters ?? []).filter((it: Json) => it.in === "header").map((it: Json) => it.name);
      expect([name, headers]).toEqual([name, is.security !== undefined && method === "POST" ? ["Idempotency-Key"] : []]);
      expect(
        Object.values<Json>(is.responses).every(
          ({ description }) => new Set(description.split(", ")).size === description.split(", ").length,
        ),
      ).toBe(true);
    }
  });

  test("a write that declares no body takes none", async () => {
    const body = { email: "root@example.com", password: "correct horse battery staple", token: running.copy.setupToken };
    const { accessToken: token } = (await request(running.url, "/v1/auth/setup", { body })).body;
    const bodiless = operationsOf(await fetchDocument()).filter(({ method, is }) => method !== "GET" && !is.requestBody);
    expect(bodiless.length).toBeGreaterThan(10);
    for (const { name, method, path } of bodiless) {
      const send = (rawBody: string) => request(running.url, path.replaceAll(/\{\w+\}/g, "x"), { method, token, rawBody });
      expect([name, pointersOf(await send('{"secret":"x"}'))]).toEqual([name, ["/secret"]]);
      for (const rawBody of ["}{", " "]) expectProblem(await send(rawBody), "malformed_json");
      for (const rawBody of ["[]", "null", "1"]) expectProblem(await send(rawBody), "validation_failed");
    }
    for (const rawBody of ["", "{}"])
      expect((await request(running.url, "/v1/auth/email/resend", { method: "POST", token, rawBody })).status).toBeOneOf([202, 429]);
  });

  test("bounds in the document are those of the configuration", async () => {
    const { properties } = (await fetchDocument()).components.schemas.ExecutionRequest;
    expect(properties.timeoutMs.maximum).toBe(running.config.KEELSON_SANDBOX_TIMEOUT_MS_MAX);
    expect(properties.memoryBytes.maximum).toBe(running.config.KEELSON_SANDBOX_MEMORY_BYTES_MAX);
  });

  test("an answer has the fields that its schema requires", async () => {
    const { components } = await fetchDocument();
    const body = { email: "docs@example.com", password: "correct horse" };
    const answer = (await request(running.url, "/v1/auth/signup", { body })).body;
    for (const [schema, value] of [
      ["SignedIn", answer],
      ["User", answer.user],
      ["Session", answer.session],
    ] as const) {
      expect(Object.keys(value)).toEqual(expect.arrayContaining(components.schemas[schema].required));
      expect(Object.keys(components.schemas[schema].properties)).toEqual(expect.arrayContaining(Object.keys(value)));
    }
  });
});

describe("/docs", () => {
  test("the page and all it needs come from this server, so it works offline", async () => {
    const page = await request(running.url, "/docs");
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=UTF-8"]);
    expect(page.body).not.toMatch(/https?:\/\//);
    const assets = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
    expect(assets).toHaveLength(2);
    for (const asset of assets) {
      const answer = await request(running.url, asset);
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "public, max-age=86400"]);
      expect(answer.body.length).toBeGreaterThan(10_000);
    }
    expect((await request(running.url, "/docs/swagger-ui.js")).headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect((await request(running.url, "/docs/swagger-ui.css")).headers.get("content-type")).toBe("text/css; charset=utf-8");
  });

  test.each([
    "/docs/../package.json",
    "/docs/..%2f..%2fpackage.json",
    "/docs/%2e%2e/package.json",
    "/docs/index.html",
    "/docs/constructor",
    "/docs/",
  ])("%s: 404", async (path) => expectProblem(await request(running.url, path), "not_found"));
});

describe("health", () => {
  test("/healthz answers, without a token", async () => {
    const answer = await request(running.url, "/healthz");
    expect([answer.status, answer.body]).toEqual([200, { status: "ok" }]);
  });
});

describe.each(await substrates())("/readyz on %s", (substrate) => {
  const copy = sharedCopy(substrate, { KEELSON_QUEUE_THREADS: "2" });

  test("names every dependency and every thread, shows no secret and is not stored", async () => {
    const answer = await request(copy.url, "/readyz");
    expect([answer.status, answer.headers.get("cache-control"), answer.body.status]).toEqual([200, "no-store", "ready"]);
    const store = substrate === "redis" ? "redis" : "queues";
    const threads = ["bus thread", "queue-1 thread", "queue-2 thread", "sandbox thread"];
    expect(Object.keys(answer.body.dependencies).sort()).toEqual([...threads, "database", store].sort());
    for (const dependency of Object.values(answer.body.dependencies)) expect(dependency).toEqual({ status: "ok" });
  });

  test("one that does nothing but ask for its readiness is not limited and not slow", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => request(copy.url, "/readyz")));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers[0]?.headers.get("ratelimit")).toBeNull();
  });
});
