import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeGuestError, decodeOutput, MarshalError } from "../../sandbox/marshal.ts";
import { run } from "./programs.ts";

describe("decodeOutput", () => {
  test("reads the encoder's answers", () => {
    expect(decodeOutput("")).toBeUndefined();
    expect(decodeOutput('={"a":[1]}')).toEqual({ a: [1] });
    expect(() => decodeOutput('!{"reason":"a function","path":["","a",0,"b c"]}')).toThrow('output.a[0]["b c"] is a function');
    expect(() => decodeOutput('!{"reason":"a cycle","path":["","a"]}')).toThrow("output.a contains itself");
  });

  test("refuses what the encoder cannot have written", () => {
    for (const answer of ["x", "=", "={", "!", "![]", '={"__proto__":{"a":1}}', '=[{"b":{"__proto__":1}}]', `="${"x".repeat(2e6)}"`]) {
      expect(() => decodeOutput(answer)).toThrow(MarshalError);
    }
    expect(decodeOutput('={"a":"__proto__"}')).toEqual({ a: "__proto__" });
  });
});

test("decodeGuestError takes the first place in the program and nothing else", () => {
  const stack = "    at sort (native)\n    at f (program.js:12:34)\n    at <eval> (program.js:1:1)\n";
  expect(decodeGuestError(JSON.stringify({ name: "E", message: "m", stack }))).toEqual({
    name: "E",
    message: "m",
    stack: stack.trimEnd(),
    line: 12,
    column: 34,
  });
  expect(decodeGuestError('{"name":1,"message":null}')).toEqual({ name: "", message: "" });
});

describe("values through the guest", () => {
  const refused: [code: string, message: string][] = [
    ["({ a: Symbol() })", "output.a is a symbol"],
    ["[Object(10n)]", "output[0] is a BigInt object"],
    ["const a = {}; a.b = [a]; a", "output.b[0] contains itself"],
    ["({ m: new Map([[1, { f() {} }]]) })", "output.m[0].f is a function"],
    ["const s = new Set(); s.add([s]); s", "output[0][0] contains itself"],
    ["new Uint8Array(2e6)", "output is larger than"],
    ["[new DataView(new ArrayBuffer(1))]", "output[0] is a DataView"],
    ["({ then() {} })", "output.then is a function"],
    ['JSON.parse(\'{"a":{"__proto__":1}}\')', "output.a has a __proto__ key"],
    ["let a = []; for (let i = 0; i < 300; i++) a = [a]; a", "nested more than 200 levels deep"],
    ["'x'.repeat(2e6)", "output is larger than"],
    ["const a = []; a.length = 4e9; a", "output is larger than"],
    ["let a = ['x'.repeat(1e3)]; for (let i = 0; i < 40; i++) a = [a, a]; a", "output is larger than"],
    ["[Promise.resolve(1)]", "output[0] is a promise"],
  ];
  test.each(refused)("%s is refused", async (code, message) => {
    const outcome = await run(code);
    expect(outcome).toMatchObject({ status: "failed", error: { name: "OutputError" } });
    expect(outcome.error?.message).toContain(message);
  });

  test("lossy values follow JSON", async () => {
    expect((await run("[undefined, NaN, -Infinity, , { a: undefined }]")).output).toEqual([null, null, null, null, {}]);
  });

  const special: [code: string, output: unknown][] = [
    ["new Date(0)", { $date: "1970-01-01T00:00:00.000Z" }],
    ["new Date(NaN)", { $date: null }],
    ["class D extends Date {}; new D(1)", { $date: "1970-01-01T00:00:00.001Z" }],
    ["-(2n ** 70n)", { $bigint: "-1180591620717411303424" }],
    [
      "new Map([[1, 'a'], [{ b: 1n }, undefined]])",
      {
        $map: [
          [1, "a"],
          [{ b: { $bigint: "1" } }, null],
        ],
      },
    ],
    ["new Set([1, new Set(['x'])])", { $set: [1, { $set: ["x"] }] }],
    ["Uint8Array.of(1, 2, 255)", { $typedArray: { type: "Uint8Array", base64: "AQL/" } }],
    ["Float64Array.of(1.5)", { $typedArray: { type: "Float64Array", base64: "AAAAAAAA+D8=" } }],
    ["BigInt64Array.of(-1n).subarray(0)", { $typedArray: { type: "BigInt64Array", base64: "//////////8=" } }],
    ["new Uint16Array([1, 2, 3]).subarray(1, 2)", { $typedArray: { type: "Uint16Array", base64: "AgA=" } }],
    ["new Uint8Array()", { $typedArray: { type: "Uint8Array", base64: "" } }],
    ["Uint8Array.of(7).buffer", { $typedArray: { type: "ArrayBuffer", base64: "Bw==" } }],
    ["({ $date: 'mine' })", { $object: { $date: "mine" } }],
    ["({ $date: 'mine', other: 1 })", { $date: "mine", other: 1 }],
    ["({ [Symbol.toStringTag]: 'Map', a: 1 })", { a: 1 }],
    ["({ [Symbol.toStringTag]: 'Date', a: 1 })", { a: 1 }],
    ["({ __proto__: Map.prototype, a: 1 })", { a: 1 }],
    ["({ toJSON: () => new Map([[1, 2]]) })", { $map: [[1, 2]] }],
    ["Map.prototype.forEach = Set.prototype.forEach = () => {}; new Map([[1, 2]])", { $map: [[1, 2]] }],
    ["Date.prototype.toISOString = () => 'never'; new Date(0)", { $date: "1970-01-01T00:00:00.000Z" }],
  ];
  test.each(special)("%s", async (code, output) => {
    const outcome = await run(code);
    expect(outcome).toMatchObject({ status: "succeeded" });
    expect(outcome.output).toEqual(output);
  });

  test("bytes come back as they were", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const outcome = await run("Uint8Array.from(input)", { input: [...bytes] });
        const { base64 } = (outcome.output as { $typedArray: { base64: string } }).$typedArray;
        expect([...Buffer.from(base64, "base64")]).toEqual([...bytes]);
      }),
      { numRuns: 200 },
    );
  });

  test("shared values are not cycles", async () => {
    expect((await run("const a = { n: 1 }; [a, a, { a }]")).output).toEqual([{ n: 1 }, { n: 1 }, { a: { n: 1 } }]);
  });

  test("every JSON value comes back as it was", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (input) => {
        const expected: unknown = JSON.parse(JSON.stringify(input));
        fc.pre(!/"__proto__"|\{"\$[^"]*":[^,]*\}/.test(JSON.stringify(input)));
        const outcome = await run("input", { input });
        expect(outcome).toMatchObject({ status: "succeeded" });
        expect(outcome.output).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
