import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { instrument } from "../../sandbox/instrument.ts";
import { everySyntax } from "./every-syntax.ts";
import { hooks, type Kind, runCode, runWoven, weave } from "./woven-programs.ts";

const kinds: readonly Kind[] = ["script", "asyncScript", "module"];
const everyMode = [
  { trace: true, profile: true },
  { trace: true, profile: false },
  { trace: false, profile: true },
];

describe.each(kinds)("a %s comes to the same, with the same stacks", (kind) => {
  test.each(everySyntax[kind].map((code) => [code]))("%j", (code) => {
    const { result, stack } = runCode(code, kind);
    for (const modes of everyMode) expect(runWoven(code, kind, modes)).toMatchObject({ result, stack });
  });
});

const functionOf = (frame: string): string | undefined => frame.split(" ")[0];

/** Small programs made of statements in each other's places, with completion values, jumps and errors. */
const generated = fc.letrec<{ statement: string; expression: string; program: string }>((tie) => {
  const expression = tie("expression");
  const statement = tie("statement");
  const fill = (pattern: string, ...parts: fc.Arbitrary<string>[]) =>
    fc.tuple(...parts).map((texts) => pattern.replace(/\?(\d)/g, (_, index) => texts[Number(index)] ?? ""));
  const leaf = fc.constantFrom("1", "'a'", "x", "(x++)", "n", "[x]", "-0", "f", "missing", "null.y", "`t`", "/r/.test('r')");
  return {
    expression: fc.oneof(
      { maxDepth: 4, depthIdentifier: "depth" },
      { arbitrary: leaf, weight: 5 },
      fill("(() => ?0)()", expression),
      fill("(function g() { ?0 return ?1 })()", statement, expression),
      fill("[...(function* () { yield ?0; ?1 })()].length", expression, statement),
      fill("[1, 2].map(v => ?0)", expression),
      fill("new (class { p = ?0; constructor() { ?1 } })().p", expression, statement),
      fill("(?0 ? ?1 : (?0, ?1))", expression, expression),
      fill("((a = ?0) => { ?1 })()", expression, statement),
    ),
    statement: fc.oneof(
      { maxDepth: 5, depthIdentifier: "depth" },
      { arbitrary: fill("?0;", expression), weight: 4 },
      fc.constantFrom(";", "{}", "var v = 1;", "{ let l = x; }", "debugger;", "x += 2\n", "throw new Error('e');"),
      fill("if (?0) ?1", expression, statement),
      fill("if (?0) ?1 else ?2", expression, statement, statement),
      fill("for (let i = 0; i < 2; i++) ?0", statement),
      fill("for (const k of [1, 2]) { ?0 if (k > 1) continue; ?1 break }", statement, statement),
      fill("do { ?0 if (x > 3) break; } while (x++ < 5)", statement),
      fill("switch (?0) { case 1: ?1 case 'a': { ?2 } break; default: let q = 1; ?1 }", expression, statement, statement),
      fill("try { ?0 } catch { ?1 } finally { ?2 }", statement, statement, statement),
      fill("try { ?0 } finally { ?1 }", statement, statement),
      fill("{ ?0\n?1 }", statement, statement),
      fill("while (x < 3) { x++; ?0 }", statement),
    ),
    program: fill("var x = 0; let n = 4; function f() { ?2 }\n?0\n?1", statement, statement, statement),
  };
});

test("generated programs come to the same, with the same stacks", () => {
  const property = fc.property(generated.program, fc.constantFrom("script", "asyncScript"), (code, kind) => {
    const { result, stack } = runCode(code, kind);
    fc.pre(!result.startsWith("throws error SyntaxError"));
    expect(runWoven(code, kind, { trace: true, profile: false })).toMatchObject({ result, stack });
    // Within `try` no call is a tail call, to which QuickJS gives the place of its `return`.
    for (const profiled of [runWoven(code, kind), runWoven(code, kind, { trace: false, profile: true })]) {
      expect(profiled.result).toBe(result);
      expect(profiled.stack.map(functionOf)).toEqual(stack.map(functionOf));
    }
  });
  fc.assert(property, { numRuns: 500 });
}, 60_000);

describe("a trace has the lines in the order they ran", () => {
  const cases: [code: string, lines: number[]][] = [
    ["1\n2\n3", [1, 2, 3]],
    ["'use strict'\nvar a\n;\nfunction f() {}\nclass A {}", [2, 5]],
    ["if (0)\n  1\nelse if (1)\n  2\nelse\n  3", [1, 3, 4]],
    ["for (let i = 0; i < 2; i++)\n  i\n1", [1, 2, 2, 3]],
    ["let i = 0\ndo {\n  i++\n} while (i < 2)", [1, 2, 3, 3]],
    ["f()\nfunction f() {\n  g()\n  return 1\n}\nfunction g() {\n}\n2", [1, 3, 4, 8]],
    ["const f = (a) =>\n  a + 1\nf(f(1))", [1, 3, 2, 2]],
    ["try {\n  null.x\n} catch {\n  2\n} finally {\n  3\n}", [1, 2, 4, 6]],
    ["switch (2) {\n case 1:\n  1\n case 2:\n  2\n default:\n  3; break\n}", [1, 5, 7, 7]],
    ["a:\nfor (const x of [1, 2]) {\n  continue a\n}\n{\n 2\n}", [1, 3, 3, 6]],
    ["function* g() {\n  yield 1\n  yield 2\n}\nfor (const x of g())\n  break", [5, 2, 6]],
    ["class A {\n x = (() =>\n  1)()\n static {\n  2\n }\n m() {\n  return 3 } }\nnew A().m()", [1, 5, 9, 3, 8]],
    ["with ({})\n  1\nif (1) {\n  2 }", [1, 3, 4]],
  ];
  test.each(cases)("%j", (code, lines) => {
    const { statements, woven } = runWoven(code);
    expect(statements.map((index) => woven.statements[index]?.line)).toEqual(lines);
  });

  test("across an await", () => {
    const { statements, woven } = runWoven("async function f() {\n  await 1\n  2\n}\nconst p = f()\nawait p\n3", "asyncScript");
    expect(statements.map((index) => woven.statements[index]?.line)).toEqual([5, 2, 6, 3, 7]);
  });

  test("and a module's", () => {
    const { statements, woven } = runWoven("export default 1\nexport const a = 2\nexport function f() {}\nexport { a as b }", "module");
    expect(statements.map((index) => woven.statements[index]?.line)).toEqual([1, 2]);
  });

  test("and the columns, in code points", () => {
    expect(weave("'😀' + 1;  a;\n\r x => y").statements).toEqual([
      { line: 1, column: 1 },
      { line: 1, column: 11 },
      { line: 2, column: 3 },
      { line: 2, column: 8 },
    ]);
  });
});

describe("each enter has its leave", () => {
  const cases: [name: string, code: string, calls: string][] = [
    ["a return", "function a() { return b() } const b = () => 1; a()", "+a +b -b -a"],
    ["a throw", "function a() { b() } function b() { throw 1 } try { a() } catch {}", "+a +b -b -a"],
    ["no statement", "function a() {} function b() { 'use strict' } a(); b()", "+a -a +b -b"],
    ["a generator returned early", "function* g() { yield 1; yield 2 } for (const x of g()) break; 0", "+g -g"],
    ["a generator that was thrown into", "function* g() { yield 1 } const i = g(); i.next(); try { i.throw(1) } catch {}", "+g -g"],
    ["a generator that never began", "function* g() { yield 1 } g(); g().return()", ""],
    ["a rejection", "async function a() { await null; throw 1 } a().catch(() => 2)", "+a -a +(anonymous) -(anonymous)"],
    ["two async functions at once", "async function a() { await b() } async function b() { await null } a()", "+a +b -b -a"],
    ["a loop left by a return in a finally", "function a() { for (;;) try { return 1 } finally { break } } a()", "+a -a"],
    ["constructors", "class A { constructor() {} } class B extends A { constructor() { super() } } new B()", "+B +A -A -B"],
    ["a default that throws", "function a(x = b()) {} function b() { throw 1 } try { a() } catch {}", "+b -b"],
    // QuickJS does not wait for what `break` returns to the generator.
    ["an async generator", "async function* g() { yield 1 } async function a() { for await (const x of g()) break } a()", "+a +g -a -g"],
    ["a callback", "[2, 1].sort((a, b) => a - b)", "+(anonymous) -(anonymous)"],
    ["accessors", "const o = { get a() { return 1 }, set a(v) {} }; o.a = o.a", "+get a -get a +set a -set a"],
    ["too deep a recursion", "let n = 0; function a() { n++; a() } try { a() } catch { n = 0 }", "balanced"],
  ];
  test.each(cases)("%s", (_, code, expected) => {
    const { calls, woven } = runWoven(code);
    const names = calls.map((index) => (index < 0 ? `-${woven.functions[~index]?.name}` : `+${woven.functions[index]?.name}`));
    if (expected !== "balanced") return expect(names.join(" ")).toBe(expected);
    expect(names.filter((name) => name === "+a").length).toBe(names.length / 2);
  });

  test("functions go by what they are called, or what they become", () => {
    const code = `const a = () => 1, b = function own() {}; let c = (function () {}); c ||= async () => {}
      x.y = () => {}; const { d = () => {} } = {}; ({ e: () => {}, f() {}, 'g h'() {}, 5: () => {}, [i + 1]: () => {}, *[Symbol.iterator]() {} })
      class J { constructor() {} k = () => {}; static #l() {} set m(v) {} }; (() => {})(); const n = class { constructor() {} }`;
    const expected = ["a", "own", "c", "c", "y", "d", "e", "f", "g h", "5", "(anonymous)", "[Symbol.iterator]"];
    const expectedInClasses = ["J", "k", "#l", "set m", "(anonymous)", "n"];
    expect(weave(code).functions.map(({ name }) => name)).toEqual([...expected, ...expectedInClasses]);
    expect(weave("export default () => 1", "module").functions).toEqual([{ name: "default", line: 1, column: 16 }]);
  });

  test("and stand where their declaration begins", () => {
    const { functions } = weave("class A {\n  static async m() {}\n}\n  async function f() {}\n let g = async () => 1");
    expect(functions.map(({ line, column }) => [line, column])).toEqual([
      [2, 3],
      [4, 3],
      [5, 10],
    ]);
  });

  test("functions that mean something else in a block are left out, and no others", () => {
    const leftOut = ["var a; function a() {}", "function a() {} function a() {}", "{ function a() {} } function a() {}", "function p() {}"];
    for (const body of leftOut) expect(weave(`function f(p) { ${body} }`, "script").functions.some(({ name }) => name === "f")).toBe(false);
    const wrapped = [
      "function a() {} let b = a",
      "function a() { var a; function b() {} } (() => { var a })()",
      "{ function a() {} var b }",
    ];
    for (const body of wrapped) expect(weave(`function f(p) { ${body} }`, "script").functions[0]?.name).toBe("f");
  });
});

describe("a column of the instrumented code is one of the source", () => {
  test("at every place that is in both, and at the insertion's within one", () => {
    const source = "if (a) b(); else '😀', c => d; function f() { 'use strict'; return 1 }\n  e\n{ x }";
    const woven = weave(source);
    const wovenLines = woven.code.split("\n");
    for (const [index, text] of source.split("\n").entries()) {
      const points = [...text];
      const mapped = [...(wovenLines[index] ?? "")].map((point, at) => ({ point, column: woven.columnOf(index + 1, at + 1) }));
      expect(mapped.map(({ column }) => column)).toEqual(mapped.map(({ column }) => column).toSorted((a, b) => a - b));
      // The last of those that are mapped to a column is the source's own.
      points.forEach((point, at) => {
        expect(mapped.findLast(({ column }) => column === at + 1)?.point).toBe(point);
      });
    }
    expect(woven.columnOf(99, 7)).toBe(7);
  });

  // QuickJS has no place for these, and names the last one it had, or the function's. Instrumented, that is the statement's.
  const improved: [code: string, plain: string, woven: string][] = [
    ["var a = 1;\n  const { b } = null;", "<eval> 1:1", "<eval> 2:3"],
    ["var a = 1;\n  class A extends 5 {}", "<eval> 1:1", "<eval> 2:3"],
    ["class A {}\nclass B extends A {\n constructor() {} }\nnew B()", "B 3:2", "B 3:17"],
  ];
  test("a call in a return's place has its own place, not the return's", () => {
    const code = "function f() {\n  return 1, g() }\nfunction g() { null.x }\nf()";
    expect(runCode(code).stack).toEqual(["g 3:20", "f 2:3", "<eval> 4:2"]);
    expect(runWoven(code).stack).toEqual(["g 3:20", "f 2:14", "<eval> 4:2"]);
  });

  test.each(improved)("%j", (code, plain, woven) => {
    expect(runCode(code).stack[0]).toBe(plain);
    expect(runWoven(code).stack[0]).toBe(woven);
  });
});

describe("what cannot be instrumented", () => {
  const options = { kind: "script", trace: true, profile: true, hooks } as const;
  const refused: [name: string, code: string][] = [
    ["not JavaScript", "let let = 1"],
    ["a variable called let before a keyword, which acorn takes for a declaration", "var a\nlet\nif (a) 5"],
    ["a hook's name", `var ${hooks.enter}`],
    ["a hook's name in a string", `'${hooks.leave}'`],
    ["a hook's name with an escape", "\\u0024kS0()"],
    ["a hook's name with another escape", "$k\\u{0053}0()"],
    ["too large", `'${"é".repeat(600_000)}'`],
    ["too large when instrumented", "a;".repeat(500_000)],
    ["too deep in parentheses", `${"(".repeat(100_000)}1${")".repeat(100_000)}`],
    ["too deep in functions", `${"(()=>{".repeat(50_000)}${"})".repeat(50_000)}`],
    ["too deep in arrows", `${"a=>".repeat(100_000)}1`],
    ["too deep in loops", `${"while(1)".repeat(100_000)};`],
  ];
  test.each(refused)("%s", (_, code) => {
    expect(instrument(code, options)).toBeUndefined();
  });

  test("an impossible escape is not the host's problem", () => {
    expect(weave("'\\\\u{fffff}'").code).toContain("fffff");
    expect(instrument("'\\u{ffffff}'", options)).toBeUndefined();
  });

  test("one huge line is no trouble", () => {
    const code = `${"a();".repeat(60_000)}b`;
    const woven = weave(code);
    expect(woven.code.length).toBeLessThan(4 * 1_048_576);
    expect(woven.columnOf(1, [...woven.code].length)).toBe(code.length);
    expect(woven.statements.at(-1)).toEqual({ line: 1, column: 240_001 });
  });

  test("nor are long lists and long sums", () => {
    expect(weave(`[${"1,".repeat(200_000)}]`).statements).toHaveLength(1);
    expect(weave(`1${"+1".repeat(50_000)}`).statements).toHaveLength(1);
  });

  test("with neither trace nor profile nothing is inserted", () => {
    const code = "if (1) (() => { 2 })()";
    expect(instrument(code, { ...options, trace: false, profile: false })).toMatchObject({ code, functions: [], statements: [] });
  });
});
