import { expect, test } from "bun:test";
import { request, signUp } from "../client.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";

// Every operation of /openapi.json gets requests that are nearly right: an example of what it takes, with parts of it replaced by something odd.
const manyRequests = 4_000;
const atOnce = 8;
const freshLoginsEvery = 500;

/** Streams do not end, and these would take the others' log-ins or the queues away. */
const leftOut = /\/stream$|logout|\/queues\/\{name\}\/pause|^delete \/v1\/me$|^delete \/v1\/auth\/sessions/;

const running = sharedCopy("postgres", {
  ...adminSettings,
  KEELSON_RATE_LIMIT_PER_MINUTE: "1000000",
  KEELSON_LOGIN_LIMIT_PER_MINUTE: "1000000",
  KEELSON_REFUSED_LIMIT_PER_MINUTE: "1000000",
});

const odd: readonly unknown[] = [
  ...[null, "", " ", "x", true, 0, -1, 1.5, 1e308, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER + 1],
  ...[[], {}, [[]], [null], { a: 1 }, { constructor: 1 }, JSON.parse('{"__proto__":{"admin":true}}')],
  ...["\u0000", "\ud800", "\u202e", "%00", "../..", "'; drop table tasks; --", "a".repeat(70_000)],
  ...["NaN", "-1", "tsk_ffffffffffffffffffffffffffffffff", "usr_1"],
  ...["2026-13-40T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "+275760-09-13T00:00:00.000Z"],
];

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly example?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly minimum?: number;
  readonly format?: string;
}

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly query: readonly { readonly name: string; readonly schema: Schema }[];
  readonly body: Schema | undefined;
}

type Random = () => number;

test("no request, however odd, is answered with a failure of ours", async () => {
  const { body: document } = await request(running.url, "/openapi.json");
  const schemas: Readonly<Record<string, Schema>> = document.components.schemas;
  const operations = operationsOf(document.paths);
  const seed = Number(Bun.env.FUZZ_SEED ?? 1);
  const random = seeded(seed);
  const failures = new Map<string, string>();
  let logins: readonly string[] = [];
  for (let sent = 0; sent < manyRequests; sent += atOnce) {
    if (sent % freshLoginsEvery < atOnce) logins = [await adminToken(running.url), (await signUp(running.url)).token];
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        const operation = pick(operations, random);
        const { path, body } = requestOf(operation, schemas, random);
        const { status } = await request(running.url, path, {
          method: operation.method.toUpperCase(),
          token: pick(logins, random),
          ...(body === undefined ? {} : { body }),
        });
        if (status >= 500)
          failures.set(`${operation.method} ${operation.path}`, `${status} for ${path} ${JSON.stringify(body)?.slice(0, 500)}`);
      }),
    );
  }
  expect({ seed, failures: Object.fromEntries(failures) }).toEqual({ seed, failures: {} });
}, 180_000);

// biome-ignore lint/suspicious/noExplicitAny: a document as it is served
function operationsOf(paths: Readonly<Record<string, Readonly<Record<string, any>>>>): Operation[] {
  return Object.entries(paths)
    .flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([method, it]) => ({
        method,
        path,
        query: (it.parameters ?? []).filter((parameter: { in: string }) => parameter.in === "query"),
        body: it.requestBody?.content?.["application/json"]?.schema,
      })),
    )
    .filter(({ method, path }) => !leftOut.test(`${method} ${path}`));
}

function requestOf({ path, query, body }: Operation, schemas: Readonly<Record<string, Schema>>, random: Random) {
  const inAddress = (value: unknown) => encodeURIComponent(String(value).toWellFormed().slice(0, 300));
  const filled = path.replaceAll(/\{\w+\}/g, () => inAddress(random() < 0.5 ? pick(odd, random) : "sandbox-execution") || "x");
  const asked = query
    .filter(() => random() < 0.4)
    .map(({ name, schema }) => `${name}=${inAddress(random() < 0.5 ? pick(odd, random) : exampleOf(schema, schemas))}`);
  const address = asked.length > 0 ? `${filled}?${asked.join("&")}` : filled;
  return { path: address, body: body && (random() < 0.1 ? pick(odd, random) : spoiled(exampleOf(body, schemas), random)) };
}

function exampleOf(schema: Schema, schemas: Readonly<Record<string, Schema>>, depth = 0): unknown {
  const inner = (it: Schema | undefined) => (it && depth < 8 ? exampleOf(it, schemas, depth + 1) : null);
  if (schema.$ref) return inner(schemas[schema.$ref.split("/").at(-1) ?? ""]);
  if (schema.example !== undefined) return schema.example;
  if (schema.enum) return schema.enum[0];
  const choice = schema.oneOf?.[0] ?? schema.anyOf?.[0];
  if (choice) return inner(choice);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map(inner));
  switch (String([schema.type].flat()[0])) {
    case "object":
      return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, it]) => [name, inner(it)]));
    case "array":
      return [inner(schema.items)];
    case "integer":
    case "number":
      return schema.minimum ?? 1;
    case "boolean":
      return true;
    default:
      return schema.format === "date-time" ? "2026-01-01T00:00:00Z" : "abc";
  }
}

/** With about a quarter of its parts replaced, some left out, and now and then one too many. */
function spoiled(value: unknown, random: Random): unknown {
  if (random() < 0.25) return pick(odd, random);
  if (Array.isArray(value)) return value.map((it) => spoiled(it, random));
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(() => random() > 0.1);
  const extra = random() < 0.05 ? [["unknown", 1] as const] : [];
  return Object.fromEntries([...kept.map(([name, it]) => [name, random() < 0.5 ? spoiled(it, random) : it] as const), ...extra]);
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** Mulberry32: the same seed tries the same. */
function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
