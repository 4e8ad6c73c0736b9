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
  expect(decodeGuestError(JSON.stringify({ name: "E", message: "m", stack }))).toEqual({ name: "E", message: "m", line: 12, column: 34 });
  expect(decodeGuestError('{"name":1,"message":null}')).toEqual({ name: "", message: "" });
});

describe("values through the guest", () => {
  const refused: [code: string, message: string][] = [
    ["({ a: Symbol() })", "output.a is a symbol"],
    ["[[10n]]", "output[0][0] is a BigInt"],
    ["const a = {}; a.b = [a]; a", "output.b[0] contains itself"],
    ["({ m: new Map() })", "output.m is a Map"],
    ["[new Uint8Array(1)]", "output[0] is a typed array"],
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
    expect((await run("[undefined, NaN, -Infinity, , new Date(0), { a: undefined }]")).output).toEqual([
      null,
      null,
      null,
      null,
      "1970-01-01T00:00:00.000Z",
      {},
    ]);
  });

  test("shared values are not cycles", async () => {
    expect((await run("const a = { n: 1 }; [a, a, { a }]")).output).toEqual([{ n: 1 }, { n: 1 }, { a: { n: 1 } }]);
  });

  test("every JSON value comes back as it was", async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 5 }), async (input) => {
        const expected: unknown = JSON.parse(JSON.stringify(input));
        fc.pre(!JSON.stringify(input).includes('"__proto__"'));
        const outcome = await run("input", { input });
        expect(outcome).toMatchObject({ status: "succeeded" });
        expect(outcome.output).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });
});
