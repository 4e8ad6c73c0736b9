import { beforeAll, describe, expect, test } from "bun:test";
import { createLocalJWKSet, jwtVerify } from "jose";
import postgres from "postgres";
import { request, type SignedInUser, signUp } from "../client.ts";
import { expectProblem, pointersOf } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { adminSettings, adminToken } from "../tasks/tasks.ts";
import { until } from "../until.ts";

const running = sharedCopy("postgres", { ...adminSettings, KEELSON_SANDBOX_TENANT_CPU_MS_PER_MINUTE: "3000" });
let user: SignedInUser;
beforeAll(async () => {
  user = await signUp(running.url);
});

const execute = (body: object, token = user.token) => request(running.url, "/v1/sandbox/executions", { token, body });

describe("POST /v1/sandbox/executions", () => {
  test("200: TypeScript, a special output, the receipt with its limits", async () => {
    const { status, body } = await execute({
      code: "const m: Map<string, bigint> = new Map([['a', 1n]]); m",
      timeoutMs: 400,
      memoryBytes: 20_000_000,
    });
    expect(status).toBe(200);
    expect(body.execution).toMatchObject({
      status: "succeeded",
      output: { $map: [["a", { $bigint: "1" }]] },
      calls: [],
      receipt: { deterministic: false, limits: { timeoutMs: 400, memoryBytes: 20_000_000, hostCallsMax: 100 } },
    });
  });

  test("200: a stack, with places in the code as it was sent", async () => {
    const { body } = await execute({ code: "function inner() { throw new TypeError('no') }\ninner()" });
    const { stack, ...error } = body.execution.error;
    expect(error).toMatchObject({ name: "TypeError", line: 1 });
    expect(stack).toContain("inner (program.js:1:");
    expect(stack).not.toContain("sandbox.js");
  });

  test.each([true, false])("200: a receipt that is signed and audited, wait: %p", async (wait) => {
    const code = "console.log(1); input.n * 2";
    const answer = await execute({ code, input: { n: 3 }, audit: true, wait });
    const { id } = answer.body.execution;
    const execution = await until("it has ended", async () => {
      const { body } = await request(running.url, `/v1/sandbox/executions/${id}`, { token: user.token });
      return body.execution.finishedAt ? body.execution : undefined;
    });
    const keys = createLocalJWKSet((await request(running.url, "/.well-known/jwks.json")).body);
    const { payload } = await jwtVerify(execution.receiptSignature, keys, { typ: "keelson-receipt+jwt", subject: id });
    const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");
    expect(payload).toMatchObject({
      status: "succeeded",
      codeSha256: sha256(code),
      inputSha256: sha256('{"n":3}'),
      outputSha256: sha256("6"),
      receipt: execution.receipt,
    });
    const used = await request(running.url, "/v1/me", { token: execution.receiptSignature });
    expect(used.status).toBe(401);
    const sql = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
    const rows = await sql`select action, actor_id, data from audit_log where subject = ${id}`;
    expect(rows).toMatchObject([
      { action: "sandbox.execution.audited", actor_id: user.id, data: { signature: execution.receiptSignature } },
    ]);
    await sql.end();
  });

  const refused: [name: string, over: object, pointer: string][] = [
    ["a host with a scheme", { capabilities: { fetch: { hosts: ["https://example.com"] } } }, "/capabilities/fetch/hosts/0"],
    ["no hosts", { capabilities: { fetch: { hosts: [] } } }, "/capabilities/fetch/hosts"],
    ["a star in the middle", { capabilities: { fetch: { hosts: ["a.*.com"] } } }, "/capabilities/fetch/hosts/0"],
    ["a bad pattern", { capabilities: { events: { types: ["a..b"] } } }, "/capabilities/events/types/0"],
    ["an unknown capability", { capabilities: { exec: true } }, "/capabilities/exec"],
    ["an unknown language", { language: "python" }, "/language"],
    ["a priority beyond", { priority: 10 }, "/priority"],
    ["debug that is neither", { debug: "yes" }, "/debug"],
  ];
  test.each(refused)("400: %s", async (_name, over, pointer) => {
    const answer = await execute({ code: "1", ...over });
    expectProblem(answer, "validation_failed");
    expect(pointersOf(answer)).toContain(pointer);
  });

  test("429: whoever has used the CPU time of a minute", async () => {
    const greedy = await signUp(running.url);
    const burn = () => execute({ code: "for (;;);", timeoutMs: 1_000 }, greedy.token);
    const answer = await until(
      "it is spent",
      async () => ((await burn()).status === 429 ? execute({ code: "1" }, greedy.token) : undefined),
      30_000,
    );
    expectProblem(answer, "cpu_budget_spent");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await execute({ code: "1" })).status).toBe(200);
  }, 40_000);
});

describe("POST /v1/sandbox/executions/:id/replay", () => {
  const replay = (id: string, token = user.token) => request(running.url, `/v1/sandbox/executions/${id}/replay`, { token, method: "POST" });
  const restless = "console.log(Math.random()); [Math.random(), Date.now(), new Map([[1, Math.random()]])]";

  test("200: one with a seed comes out the same, byte for byte", async () => {
    const { execution } = (await execute({ code: restless, seed: 7, input: { a: [1] } })).body;
    const { status, body } = await replay(execution.id);
    expect(status).toBe(200);
    expect(body).toMatchObject({ identical: true, deterministic: true, differences: [] });
    expect(JSON.stringify(body.outcome.receipt)).toBe(JSON.stringify(execution.receipt));
    expect(JSON.stringify(body.outcome.output)).toBe(JSON.stringify(execution.output));
  });

  test("200: one that failed too", async () => {
    const { execution } = (await execute({ code: "throw new Error(Math.random())", seed: "x" })).body;
    expect((await replay(execution.id)).body).toMatchObject({ identical: true, outcome: { status: "failed" } });
  });

  test("200: without a seed the randomness is the same and the clock is not", async () => {
    const { execution } = (await execute({ code: "[Math.random(), Date.now()]" })).body;
    await until("a millisecond has passed", () => Date.now() > Date.parse(execution.finishedAt) + 1);
    const { body } = await replay(execution.id);
    expect(body).toMatchObject({ identical: false, deterministic: false });
    expect(body.differences).toContain("output");
    expect(body.outcome.output[0]).toBe(execution.output[0]);
  });

  test("409: it asked its host", async () => {
    const { execution } = (await execute({ code: "await kv.get('a')", seed: 1, capabilities: { kv: {} } })).body;
    expectProblem(await replay(execution.id), "conflict");
  });

  test("404: somebody else's", async () => {
    const { execution } = (await execute({ code: "1" })).body;
    expectProblem(await replay(execution.id, (await signUp(running.url)).token), "not_found");
  });
});

describe("POST /v1/sandbox/validate", () => {
  const validate = (body: object) => request(running.url, "/v1/sandbox/validate", { token: user.token, body });
  const cases: [code: string, answer: object][] = [
    ["1 + 1", { valid: true, kind: "script", language: "javascript", codeBytes: 5 }],
    ["await 1", { valid: true, kind: "asyncScript", language: "javascript" }],
    ["export default (n: number) => n", { valid: true, kind: "module", language: "typescript" }],
    ["const a = 1;\nconst = 2", { valid: false, error: { name: "SyntaxError", line: 2, column: 7 } }],
    ["enum A {}", { valid: false, error: { name: "SyntaxError", line: 1 } }],
    ["for (;;);", { valid: true }],
    ["throw new Error('not run')", { valid: true }],
  ];
  test.each(cases)("%s", async (code, answer) => {
    const { status, body } = await validate({ code });
    expect(status).toBe(200);
    expect(body).toMatchObject(answer);
  });

  test("what it seems to use and is not granted", async () => {
    const code = "await fetch('https://a.example'); kv.get('x'); events.publish({}); my.log('no'); log('info', 'x')";
    const { body } = await validate({ code, capabilities: { kv: {} } });
    expect(body.capabilities).toEqual({ used: ["fetch", "kv", "events", "log"], missing: ["fetch", "events", "log"] });
  });

  test("nothing is kept of it", async () => {
    const other = await signUp(running.url);
    await request(running.url, "/v1/sandbox/validate", { token: other.token, body: { code: "1" } });
    expect((await request(running.url, "/v1/sandbox/executions", { token: other.token })).body.data).toEqual([]);
  });
});

describe("GET /v1/sandbox/metrics", () => {
  test("one's own, with errors, times and memory", async () => {
    const one = await signUp(running.url);
    const codes = [
      "1",
      "2",
      "throw new TypeError('x')",
      "null.x",
      "for (;;);",
      "const a = []; for (;;) a.push('x'.repeat(1e4) + a.length)",
    ];
    for (const code of codes) await execute({ code, timeoutMs: code.includes("for (;;);") ? 50 : 2_000 }, one.token);
    const { status, body } = await request(running.url, "/v1/sandbox/metrics", { token: one.token });
    expect(status).toBe(200);
    expect(body).toMatchObject({ total: 6, byStatus: { succeeded: 2, failed: 2, timeout: 1, out_of_memory: 1 }, successRate: 2 / 6 });
    expect(body.errors[0]).toEqual({ name: "TypeError", count: 2 });
    expect(body.wallMs.p95).toBeGreaterThan(body.wallMs.p50);
    const counts = body.memory.map(({ count }: { count: number }) => count);
    expect(counts.reduce((sum: number, count: number) => sum + count)).toBe(6);
    expect(body.memory.find(({ bytesMax }: { bytesMax: number }) => bytesMax === 1_048_576).count).toBe(5);
    expect(body).not.toHaveProperty("cells");
  });

  test("for administrators everybody's, and the cells of this copy", async () => {
    const { body } = await request(running.url, "/v1/sandbox/metrics?since=2020-01-01T00:00:00Z", { token: await adminToken(running.url) });
    expect(body.total).toBeGreaterThan(6);
    expect(body.cells).toMatchObject({ busy: 0, waiting: 0 });
    expect(body.cells.runs).toBeGreaterThan(6);
    expect(body.cells.rssBytes).toBeGreaterThan(10_000_000);
  });

  test("400: a moment that is none", async () => {
    expectProblem(await request(running.url, "/v1/sandbox/metrics?since=yesterday", { token: user.token }), "validation_failed");
  });
});
