import { describe, expect, test } from "bun:test";

import { request, run, testEngine } from "./programs.ts";

describe("a program's output", () => {
  const cases: [name: string, code: string, output: unknown][] = [
    ["the last expression", "1 + 1", 2],
    ["an assigned output", "output = { a: 1 }; 7", { a: 1 }],
    ["a declared output", "const output = [1]; 7", [1]],
    ["a let", "let output = 3", 3],
    ["an output assigned in strict code", "'use strict'; output = 4", 4],
    ["no output", "const a = 1;", undefined],
    ["a deleted output", "delete globalThis.output; 7", 7],
    ["await of what is in parentheses", "await (async () => 1)()", 1],
    ["await of an array and of a negative number", "const a = await [1]; a[0] + (await -2)", -1],
    ["the word await alone", "const await_ = 1; const f = async () => await 1; typeof f + await_", "function1"],
    ["a default function", "export default (input) => input.n * 2", 42],
    ["a default async function", "export default async ({ n }) => { await 0; return n }", 21],
    ["a default value after other code", "const a = 5;\nexport default a", 5],
    ["a module that sets output", "output = 6; export const a = 1", 6],
    ["a promise", "Promise.resolve(8)", 8],
    ["an async function", "(async () => { await null; return input.n })()", 21],
    ["output set by a later job", "Promise.resolve().then(() => { output = 9 }); 1", 9],
    ["a promise in output", "output = Promise.resolve(10)", 10],
    ["await in a script", "const a = await Promise.resolve(11); a", 11],
    ["the words of modules in a script", "'export default await import'", "export default await import"],
    ["top-level await in a module", "const a = await 12; export default a", 12],
    ["the string's NUL and lone surrogates", "'a\\0b\\ud800'", "a\0b\ud800"],
    ["an input the program shadows", "const input = 13; input", 13],
  ];
  test.each(cases)("%s", async (_name, code, output) => {
    const outcome = await run(code, { input: { n: 21 } });
    expect(outcome).toMatchObject({ status: "succeeded" });
    expect(outcome.output).toEqual(output);
    expect("output" in outcome).toBe(output !== undefined);
  });
});

describe("a program's failure", () => {
  const cases: [name: string, code: string, error: object][] = [
    ["syntax", "const a = 1;\nconst = 2", { name: "SyntaxError", line: 2, column: 7 }],
    ["syntax in a module", "export default {;", { name: "SyntaxError", line: 1 }],
    ["a thrown error", "\n\nthrow new RangeError('no')", { name: "RangeError", message: "no", line: 3 }],
    ["an own error class", "class E extends Error { name = 'E' } throw new E('mine')", { name: "E", message: "mine" }],
    ["a rejected promise", "Promise.reject(new TypeError('later'))", { name: "TypeError", message: "later" }],
    ["a rejecting default function", "export default async () => { throw new Error('x') }", { message: "x" }],
    ["a thrown string", "throw 'boom'", { name: "Error", message: "Uncaught boom" }],
    ["a thrown null", "throw null", { name: "Error", message: "Uncaught null" }],
    ["a promise that never settles", "new Promise(() => {})", { name: "UnsettledPromiseError" }],
    ["a SyntaxError at run time", "const n = (globalThis.n ?? 0) + 1; JSON.parse('{')", { name: "SyntaxError" }],
    ["a static import", "import fs from 'node:fs'; export default 1", { message: "could not load module 'node:fs'" }],
    ["a dynamic import", "import('node:fs')", { message: "could not load module 'node:fs'" }],
    ["a function as output", "({ a: [1, { 'b-c': () => 1 }] })", { name: "OutputError", message: /output\.a\[1\]\["b-c"\] is a function/ }],
  ];
  test.each(cases)("%s", async (_name, code, error) => {
    const outcome = await run(code);
    expect(outcome).toMatchObject({ status: "failed" });
    for (const [key, value] of Object.entries(error)) {
      const actual: unknown = Reflect.get(outcome.error ?? {}, key);
      if (value instanceof RegExp) expect(actual).toMatch(value);
      else expect(actual).toBe(value);
    }
  });

  test("code and input that are too large", async () => {
    expect(await run(`/*${"x".repeat(1024 * 1024)}*/`)).toMatchObject({ status: "failed", error: { name: "InputError" } });
    expect(await run("1", { input: "x".repeat(1024 * 1024) })).toMatchObject({ status: "failed", error: { name: "InputError" } });
  });
});

describe("limits", () => {
  test("time", async () => {
    const outcome = await run("for (;;);", { timeoutMs: 50 });
    expect(outcome.status).toBe("timeout");
    expect(outcome.receipt.wallMs).toBeGreaterThanOrEqual(50);
  });

  test("time, when the program catches what it can", async () => {
    expect((await run("for (;;) try { for (;;); } catch {} finally { continue }", { timeoutMs: 50 })).status).toBe("timeout");
  });

  test("memory", async () => {
    const outcome = await run("const a = []; for (;;) a.push(new Uint8Array(65536))");
    expect(outcome.status).toBe("out_of_memory");
    expect(outcome.receipt.memoryBytesPeak).toBeLessThan(17 * 1024 * 1024);
  });

  test("a larger memory when asked for", async () => {
    const code = "new Uint8Array(24 * 1024 * 1024).length";
    expect((await run(code)).status).toBe("out_of_memory");
    const outcome = await run(code, { memoryBytes: 32 * 1024 * 1024 });
    expect(outcome).toMatchObject({ status: "succeeded", output: 24 * 1024 * 1024 });
    expect(outcome.receipt.memoryBytesPeak).toBeGreaterThan(24 * 1024 * 1024);
  });

  test("recursion is the program's to catch", async () => {
    expect((await run("const f = () => f(); try { f() } catch (e) { e.message }")).output).toBe("stack overflow");
  });

  test("nesting that overflows the host's stack spoils the engine, which still works", async () => {
    const engine = testEngine();
    const { outcome, spoiled } = await engine.execute(request("eval('('.repeat(5000))"));
    expect(outcome).toMatchObject({ status: "failed", error: { name: "RangeError" } });
    expect(spoiled).toContain("RangeError");
    expect((await engine.execute(request("1 + 1"))).outcome.output).toBe(2);
  });
});

describe("console", () => {
  test("captures levels, times and values", async () => {
    const code = "console.debug('a', 1); console.warn({ b: [new Date(0), null] }); console.error('n\\0', Symbol('s'), 1n, () => 1)";
    const { logs, receipt } = await run(code);
    expect(logs.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      "debug: a 1",
      "warn: {b: [1970-01-01T00:00:00.000Z, null]}",
      "error: n\0 Symbol(s) 1n [Function: ]",
    ]);
    expect(logs.every(({ atMs }) => atMs >= 0 && atMs <= receipt.wallMs)).toBe(true);
    expect(receipt.hostCalls).toBe(3);
  });

  test("is bounded, and says so", async () => {
    const { logs, status } = await run("for (let i = 0; i < 2e3; i++) console.log('x'.repeat(1000))");
    expect(status).toBe("succeeded");
    expect(logs.length).toBeLessThan(1_002);
    expect(logs.at(-1)?.message).toStartWith("log truncated");
  });
});

describe("runs are apart", () => {
  test("no global, prototype or random number passes from one to the next", async () => {
    const probe = "[typeof leak, typeof Object.prototype.leak, Array.prototype.push.name, Object.keys(globalThis).length, Math.random()]";
    const before = await run(probe, { seed: "s" });
    await run("leak = 1; Object.prototype.leak = 1; Array.prototype.push = null; Math.random(); Symbol.for('leak')");
    expect((await run(probe, { seed: "s" })).output).toEqual(before.output);
  });

  test("the seed decides what Math.random gives", async () => {
    const code = "Array.from({ length: 1000 }, Math.random)";
    const first = await run(code);
    const again = await run(code, { seed: first.receipt.seed });
    const other = await run(code);
    expect(again.output).toEqual(first.output);
    expect(other.output).not.toEqual(first.output);
    const mean = (first.output as number[]).reduce((sum, value) => sum + value, 0) / 1000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.06);
  });

  test("the same program uses the same memory, whatever ran before", async () => {
    const code = "'x'.repeat(1e6).length";
    const first = await run(code);
    await run("const a = Array.from({ length: 1e5 }, () => ({})); a.length");
    expect((await run(code)).receipt.memoryBytesPeak).toBe(first.receipt.memoryBytesPeak);
  });
});
