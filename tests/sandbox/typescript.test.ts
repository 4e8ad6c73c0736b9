import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { createEngine } from "../../sandbox/engine.ts";
import { openTypeStripper } from "../../sandbox/type-stripping.ts";
import { request, run } from "./programs.ts";

describe("TypeScript", () => {
  const cases: [name: string, code: string, output: unknown][] = [
    ["annotations", "const n: number = 1; const add = (a: number, b?: number): number => a + (b ?? 1); add(n)", 2],
    ["interfaces and types", "interface A { n: number }\ntype B = A & { m?: string };\nconst b = { n: 3 } as B; b.n", 3],
    ["a module", "type Input = { n: number };\nexport default (input: Input): number => input.n * 2", 42],
    ["generics", "function first<T>(list: readonly T[]): T | undefined { return list[0] }\nfirst<string>(['x'])", "x"],
    ["classes", "class P { private readonly x: number = 4; get y(): number { return this.x } }\nnew P().y", 4],
    ["satisfies and non-null", "const o = { a: 1 } satisfies Record<string, number>; o!.a", 1],
    ["imports of types alone", "import type { T } from 'nowhere';\nexport default (input: T) => input.n", 21],
    ["top-level await", "const a: number = await Promise.resolve(5); a", 5],
    ["declarations", "declare const never: string;\nabstract class A { abstract m(): void }\n7", 7],
    ["a comparison that JavaScript reads otherwise stays JavaScript", "const a = 1, b = 2, c = 3; (a < b > (c))", false],
  ];
  test.each(cases)("%s", async (_name, code, output) => {
    const outcome = await run(code, { input: { n: 21 } });
    expect(outcome).toMatchObject({ status: "succeeded", output });
  });

  test("asked for, also where JavaScript would do", async () => {
    expect(await run("let a: any = 1; a", { language: "typescript" })).toMatchObject({ status: "succeeded", output: 1 });
    expect(await run("let a: any = 1; a", { language: "javascript" })).toMatchObject({ status: "failed", error: { name: "SyntaxError" } });
  });

  test("places are those of the code as it was sent", async () => {
    const code =
      "interface Wide { readonly name: string }\nfunction f(a: number): never {\n  const x: string = 'x'; throw new Error(x as string);\n}\nf(1);";
    const { error } = await run(code);
    expect(error).toMatchObject({ name: "Error", line: 3, column: 41 });
    expect(error?.stack).toContain("program.js:5:2");
  });

  test("loading what strips types is not the program's time", async () => {
    const strip = openTypeStripper(tmpdir())();
    const loadStripper = () => Bun.sleep(600).then(() => strip);
    const { outcome } = await createEngine({ loadStripper }).execute(request("const a: number = 1; a", { timeoutMs: 500 }));
    expect(outcome).toMatchObject({ status: "succeeded", output: 1 });
    expect(outcome.receipt.wallMs).toBeLessThan(500);
  });

  const refused: [name: string, code: string, error: object][] = [
    ["an enum", "enum A { B }\nA.B", { name: "SyntaxError", message: /enum is not supported/, line: 1, column: 1 }],
    ["a namespace", "namespace N { export const a: number = 1 }", { name: "SyntaxError", line: 1 }],
    ["neither language", "const = 1", { name: "SyntaxError", line: 1, column: 7 }],
    ["neither language, with types", "const a: number = ;", { name: "SyntaxError", line: 1 }],
  ];
  test.each(refused)("%s: refused with its place", async (_name, code, { message, ...error }: { message?: RegExp }) => {
    const outcome = await run(code);
    expect(outcome).toMatchObject({ status: "failed", error });
    if (message) expect(outcome.error?.message).toMatch(message);
  });
});
