import { describe, expect, test } from "bun:test";
import { run } from "./programs.ts";

const both = { debug: { trace: true, profile: true } };

describe("debug mode", () => {
  test("the lines that were run, in order", async () => {
    const code = "let n = 0;\nfor (let i = 0; i < 2; i++) {\n  n += i;\n}\nif (n > 5)\n  n = 0;\nn";
    const outcome = await run(code, { debug: { trace: true } });
    expect(outcome).toMatchObject({ status: "succeeded", output: 1 });
    expect(outcome.debug).toEqual({ trace: { lines: [1, 2, 3, 3, 5, 7], truncated: false } });
  });

  test("how often each function ran and how long, with what it called and without", async () => {
    const code = `function slow() { let n = 0; for (let i = 0; i < 2e5; i++) n += i; return n; }
const twice = () => slow() + slow();
class A { method() { return twice() } }
new A().method()`;
    const { debug, receipt } = await run(code, { debug: { profile: true } });
    const of = (name: string) => debug?.profile?.find((entry) => entry.name === name);
    expect(debug?.profile?.map(({ name, line, calls }) => [name, line, calls])).toContainEqual(["slow", 1, 2]);
    expect([of("twice")?.calls, of("method")?.calls]).toEqual([1, 1]);
    expect(of("slow")?.selfMs).toBeGreaterThan(receipt.wallMs / 2);
    expect(of("twice")?.totalMs).toBeGreaterThanOrEqual(of("slow")?.totalMs ?? Number.NaN);
    expect(of("twice")?.selfMs).toBeLessThan(of("slow")?.selfMs ?? 0);
    expect(debug?.profile?.[0]?.name).toBe("slow");
  });

  test("places of errors are those of the code as it was sent, in TypeScript too", async () => {
    for (const code of [
      "const f = () => { const a = 1; throw new Error('x') };\nf()",
      "const f = (n: number) => { const a = n; throw new Error('x') };\nf(1)",
    ]) {
      const plain = await run(code);
      const watched = await run(code, both);
      expect(plain.error?.line).toBe(1);
      expect(watched.error).toEqual(plain.error);
    }
  });

  test("syntax errors are told as without it", async () => {
    expect(await run("const a = 1;\nconst = 2", both)).toMatchObject({
      status: "failed",
      error: { name: "SyntaxError", line: 2, column: 7 },
      debug: { unavailable: expect.any(String) },
    });
  });

  test("modules, async functions, generators, and promises that are left", async () => {
    const code =
      "function* g() { yield 1; yield 2 }\nexport default async (input) => {\n  let n = 0;\n  for (const x of g()) n += x;\n  await 0;\n  return n + input;\n}";
    expect(await run(code, { ...both, input: 4 })).toMatchObject({ status: "succeeded", output: 7 });
  });

  test("a trace is bounded, and says so", async () => {
    const { debug, status } = await run("let n = 0;\nfor (let i = 0; i < 2e4; i++)\n  n++;\nn", { debug: { trace: true } });
    expect(status).toBe("succeeded");
    expect(debug?.trace).toMatchObject({ truncated: true });
    expect(debug?.trace?.lines.length).toBe(10_000);
  });

  test("it is deterministic where the run is", async () => {
    const code = "const f = (n) => (n < 2 ? n : f(n - 1) + f(n - 2)); f(18)";
    const options = { ...both, deterministic: true, seed: "s" };
    expect(JSON.stringify(await run(code, options))).toBe(JSON.stringify(await run(code, options)));
  });

  const hostile: [name: string, code: string][] = [
    [
      "a program that calls the hooks itself",
      "const names = Object.getOwnPropertyNames(globalThis).filter((n) => n.startsWith('$')); for (const n of names) for (const i of [-1, 1e9, NaN, 'x', {}]) try { globalThis[n](i) } catch {}\n1",
    ],
    ["a program that names them", "typeof $keelson$enter; 1"],
    [
      "a program that would replace them",
      "'use strict'; for (const n of Object.getOwnPropertyNames(globalThis)) if (n.startsWith('$')) try { globalThis[n] = () => { throw 1 }; } catch {}\n1",
    ],
    ["deep recursion", "const f = (n) => n === 0 ? 1 : f(n - 1); f(300)"],
    ["Function and eval", "new Function('return 1')() * eval('1')"],
  ];
  test.each(hostile)("%s", async (_name, code) => {
    expect(await run(code, both)).toMatchObject({ status: "succeeded", output: 1 });
    expect((await run("1 + 1")).output).toBe(2);
  });

  test("a program that is stopped has a report too", async () => {
    const { status, debug } = await run("const spin = () => { for (;;); };\nspin()", { ...both, timeoutMs: 60 });
    expect(status).toBe("timeout");
    expect(debug?.profile?.[0]).toMatchObject({ name: "spin", calls: 1 });
    expect(debug?.profile?.[0]?.selfMs).toBeGreaterThan(30);
  });
});
