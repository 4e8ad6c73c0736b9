import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { fixedLimits } from "../../sandbox/limits.ts";
import { decodeGuestError, decodeOutput, MarshalError } from "../../sandbox/marshal.ts";
import { createCellPool } from "../../workers/cell-pool.ts";
import { hostilePrograms } from "./hostile/corpus.ts";
import { request, run } from "./programs.ts";

/** Every sequence of code units, lone surrogates and NUL among them. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 0x22, 0x5c, 0x2028, 0xd800, 0xdc00, 0xfeff, 0xffff)), {
    maxLength: 12,
  })
  .map((units) => String.fromCharCode(...units));
const numberKey = fc.oneof(fc.nat(9), fc.integer(), fc.constantFrom(4294967294, 4294967295, 2147483648, 1e21, -0, 0.5)).map(String);
const telling = [
  "constructor",
  "prototype",
  "toJSON",
  "toString",
  "valueOf",
  "then",
  "length",
  "hasOwnProperty",
  "__defineGetter__",
  "",
  "a$",
  "@",
];
/** An object with one key that begins with a dollar sign comes inside another; marshal.test.ts looks at those. */
const safeKey = fc.oneof(anyText, numberKey, fc.constantFrom(...telling)).filter((key) => key !== "__proto__" && !key.startsWith("$"));
const anyNumber = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(-0, 5e-324, 1.7976931348623157e308),
);
const jsonScalar = fc.oneof(anyText, anyNumber, fc.boolean(), fc.constant(null));
const lossyScalar = fc.oneof(jsonScalar, fc.constantFrom(undefined, Number.NaN, Infinity, -Infinity));

function treeOf(scalar: fc.Arbitrary<unknown>, key: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  return fc.letrec((tie) => ({
    // `fromEntries` makes every key an own one, even __proto__.
    object: fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
    array: fc.array(tie("value"), { maxLength: 5 }),
    value: fc.oneof({ maxDepth: 5 }, scalar, tie("array"), tie("object")),
  })).value;
}

const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value) ?? "null");

/** Source text of the value itself: what is not JSON has to come into being in the guest. */
function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join()}]`;
  if (typeof value !== "object" || value === null) return typeof value === "string" ? JSON.stringify(value) : showNumber(value);
  return `({${Object.entries(value)
    .map(([key, member]) => `[${JSON.stringify(key)}]:${literal(member)}`)
    .join()}})`;
}

function showNumber(value: unknown): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

describe("through the guest and back", () => {
  test("any JSON value is unchanged, its keys in the same order", async () => {
    await fc.assert(
      fc.asyncProperty(treeOf(jsonScalar, safeKey), async (input) => {
        const expected = asJson(input);
        const outcome = await run("input", { input: expected });
        expect(outcome).toMatchObject({ status: "succeeded" });
        expect(outcome.output).toEqual(expected);
        expect(JSON.stringify(outcome.output)).toBe(JSON.stringify(expected));
      }),
      { numRuns: 400 },
    );
  });

  test("what JSON has no word for becomes what JSON.stringify makes of it", async () => {
    await fc.assert(
      fc.asyncProperty(treeOf(lossyScalar, safeKey), async (value) => {
        const outcome = await run(`(${literal(value)})`);
        expect(outcome).toMatchObject({ status: "succeeded" });
        expect("output" in outcome).toBe(value !== undefined);
        if (value !== undefined) expect(outcome.output).toEqual(asJson(value));
      }),
      { numRuns: 400 },
    );
  });

  test("any text is unchanged, alone, as a key, as an error and as a log", async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const quoted = JSON.stringify(text);
        expect((await run(quoted)).output).toBe(text);
        if (text !== "__proto__" && !text.startsWith("$")) expect((await run(`({ [${quoted}]: 1 })`)).output).toEqual({ [text]: 1 });
        const outcome = await run(`console.log(${quoted}); throw new Error(${quoted})`);
        expect(outcome.error?.message).toBe(text);
        expect(outcome.logs.map(({ message }) => message)).toEqual([text]);
      }),
      { numRuns: 100 },
    );
  });

  test("a __proto__ key is refused wherever it is, and nothing is said in its place", async () => {
    const place = fc.array(fc.oneof(fc.nat(3), fc.constantFrom("a", "constructor", "toJSON")), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(place, treeOf(jsonScalar, safeKey), async (path, value) => {
        const poisoned: unknown = Object.fromEntries([["__proto__", value]]);
        const wrap = (inner: unknown, step: number | string): unknown =>
          typeof step === "number" ? [...Array(step).fill(0), inner] : { [step]: inner };
        const outcome = await run("input", { input: path.reduceRight<unknown>(wrap, poisoned) });
        expect(outcome).toMatchObject({ status: "failed", error: { name: "OutputError" } });
        expect(outcome.error?.message).toEndWith("has a __proto__ key");
        expect("output" in outcome).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  test("nesting is allowed up to the limit and not one level beyond", async () => {
    const { outputDepthMax } = fixedLimits;
    const depth = fc.oneof(fc.integer({ min: 1, max: outputDepthMax + 20 }), fc.constantFrom(outputDepthMax, outputDepthMax + 1));
    await fc.assert(
      fc.asyncProperty(depth, fc.infiniteStream(fc.boolean()), async (levels, kinds) => {
        let value: unknown = 1;
        for (const isArray of kinds.take(levels)) value = isArray ? [value] : { a: value };
        const outcome = await run("input", { input: value });
        if (levels <= outputDepthMax) expect(outcome).toMatchObject({ status: "succeeded", output: value });
        else expect(outcome.error?.message).toContain(`nested more than ${outputDepthMax} levels deep`);
      }),
      { numRuns: 100 },
    );
  });
});

describe("garbage from the guest", () => {
  const step = fc.oneof(anyText, fc.double(), fc.boolean(), fc.constant(null));
  const refusal = fc.record(
    { reason: fc.oneof(anyText, fc.jsonValue()), path: fc.oneof(fc.array(step), fc.jsonValue()) },
    { requiredKeys: [] },
  );
  const description = fc.dictionary(fc.constantFrom("name", "message", "stack", "__proto__", "x"), fc.oneof(anyText, fc.jsonValue()));
  const body = fc.oneof(
    anyText,
    fc.string({ unit: "binary" }),
    fc.json(),
    treeOf(jsonScalar, fc.oneof(safeKey, fc.constant("__proto__"))).map((value) => JSON.stringify(value)),
    refusal.map((value) => JSON.stringify(value)),
    description.map((value) => JSON.stringify(value)),
  );
  const cut = fc.tuple(body, fc.nat(), fc.boolean()).map(([text, at, whole]) => (whole ? text : text.slice(0, at % (text.length + 1))));
  const answer = fc.tuple(fc.constantFrom("", "=", "!", "?", "\0"), cut).map((parts) => parts.join(""));

  /** What it gives, or undefined if it throws the one thing it may. */
  function attempt<T>(decode: () => T): T | undefined {
    try {
      return decode();
    } catch (error) {
      if (error instanceof MarshalError) return undefined;
      throw error;
    }
  }

  const hasProtoKey = (value: unknown): boolean =>
    typeof value === "object" && value !== null && (Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProtoKey));

  test("decodeOutput throws nothing but MarshalError, and lets no __proto__ through", () => {
    fc.assert(
      fc.property(answer, (text) => {
        const output = attempt(() => decodeOutput(text));
        expect(hasProtoKey(output)).toBe(false);
        if (text.startsWith("!")) expect(output).toBeUndefined();
      }),
      { numRuns: 3_000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test("decodeGuestError throws nothing but MarshalError, and answers in texts and numbers", () => {
    fc.assert(
      fc.property(cut, (text) => {
        const error = attempt(() => decodeGuestError(text));
        if (error === undefined) return;
        expect([typeof error.name, typeof error.message]).toEqual(["string", "string"]);
        expect([error.line ?? 0, error.column ?? 0].every(Number.isSafeInteger)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("random programs never throw out of the engine and end in one of five ways", () => {
  const command = [process.execPath, `${import.meta.dir}/cell-entry.ts`];
  const cells = createCellPool({ command, size: 2, spares: 2, graceMs: 50, queueMax: 10 });
  beforeAll(() => cells.started);
  afterAll(() => cells.stop());

  async function assertEnds(code: string): Promise<void> {
    const { status, error, logs, receipt, ...rest } = await cells.execute(request(code, { input: { a: [1] }, timeoutMs: 50 }));
    expect(["succeeded", "failed", "timeout", "out_of_memory", "killed"]).toContain(status);
    expect(error === undefined).toBe(status === "succeeded");
    expect("output" in rest && status !== "succeeded").toBe(false);
    expect([error?.name ?? "", error?.message ?? "", ...logs.map(({ message }) => message)].every((text) => typeof text === "string")).toBe(
      true,
    );
    expect([receipt.wallMs, receipt.cpuMs, receipt.memoryBytesPeak].every((amount) => Number.isFinite(amount) && amount >= 0)).toBe(true);
  }

  test("text of any kind", async () => {
    await fc.assert(fc.asyncProperty(fc.oneof(anyText, fc.string(), fc.string({ unit: "binary" }), fc.json()), assertEnds), {
      numRuns: 300,
    });
  }, 60_000);

  test("words of the language in any order", async () => {
    const words =
      `await async yield function* class extends super static # get set let const var of in for if else while do break continue return throw try catch
      finally new delete typeof void this null undefined true 0 1n "s" 's' \`t\` \${ /r/ /[a-z/ ( ) [ ] { } , ; : . ?. ... => = == + ++ ** ?? ?: ! ~ < << import export
      default from with switch case input output a b console.log( Promise.resolve( Symbol.iterator Array( new.target import.meta // /* */ <!-- --> debugger eval(
      arguments @ \\u0061 \\ \n`.split(/[ ]+/);
    const program = fc.array(fc.constantFrom(...words), { maxLength: 15 }).map((chosen) => chosen.join(" "));
    await fc.assert(fc.asyncProperty(program, assertEnds), { numRuns: 500 });
  }, 60_000);

  test("hostile programs with a change", async () => {
    const codes = hostilePrograms.map(({ code }) => code);
    const tokens = codes.filter((code) => code.length < 1_000).map((code) => code.match(/[\w$]+|[^\w$]/g) ?? []);
    const program = fc.constantFrom(...tokens);
    const change = fc.record({ into: program, from: program, at: fc.nat(), taken: fc.nat(), times: fc.integer({ min: 0, max: 2 }) });
    const changed = change.map(({ into, from, at, taken, times }) => {
      const place = at % into.length;
      const isWord = /^[\w$]/.test(into[place] ?? "");
      // A word for a word and a sign for a sign, so that much of it still is a program.
      const candidates = from.filter((token) => /^[\w$]/.test(token) === isWord);
      return into.toSpliced(place, 1, ...Array<string>(times).fill(candidates[taken % candidates.length] ?? "")).join("");
    });
    await fc.assert(fc.asyncProperty(changed, assertEnds), { numRuns: 100 });
  }, 60_000);

  test("and an honest program is served after them", async () => {
    expect(await cells.execute(request("input.n + 1", { input: { n: 1 } }))).toMatchObject({ status: "succeeded", output: 2 });
  });
});
