import { describe, expect, test } from "bun:test";
import { evaluateInBoth, showInGuest } from "./both.ts";

type Row = [name: string, code: string];

describe("structuredClone, as in Bun", () => {
  const values = [
    "undefined",
    "null",
    "true",
    "-0",
    "NaN",
    "1n",
    "'a\\0\\ud800'",
    "new Date(5)",
    "new Date(NaN)",
    "/a\\/b/giu",
    "/(?<n>x)/dsy",
  ];
  values.push(
    "Object(true)",
    "Object(-0)",
    "Object('s')",
    "Object(1n)",
    "[]",
    "[1, , 3]",
    "Array(3)",
    "Object.assign([1], { x: 2 })",
    "{}",
    "{ a: { b: [1] } }",
  );
  values.push(
    "Object.create(null)",
    "Object.create({ a: 1 })",
    "{ get a() { return 1 } }",
    "{ [Symbol('s')]: 1, b: 2 }",
    "{ ['__proto__']: 1 }",
    "{ u: undefined }",
  );
  values.push(
    "Object.defineProperty({ a: 1 }, 'b', { value: 2 })",
    "new (class A { x = 1; #y = 2; m() {} })()",
    'JSON.parse(\'{"__proto__": {"a": 1}}\')',
  );
  values.push(
    "new Map([[1, { a: 1 }], [{ k: 1 }, 'v']])",
    "new Set([1, 'a', { b: 1 }])",
    "new (class extends Map {})([[1, 2]])",
    "Object.assign(new Map(), { x: 1 })",
  );
  values.push(
    "new (class extends Array {})(1, 2)",
    "new Uint8Array([1, 2])",
    "new Float64Array([1.5, NaN])",
    "new BigInt64Array([-1n])",
    "new Uint8ClampedArray([9])",
  );
  values.push(
    "new Float16Array([0.5])",
    "new Uint16Array([1, 2, 3]).subarray(1)",
    "new DataView(new ArrayBuffer(4), 1, 2)",
    "new ArrayBuffer(3)",
    "new ArrayBuffer(0)",
  );
  values.push(
    "new ArrayBuffer(2, { maxByteLength: 4 })",
    "Object.assign(/x/g, { lastIndex: 3 })",
    "Object.freeze([1])",
    "Object.freeze({ a: 1 })",
  );
  values.push(
    "new Error('m')",
    "new Error()",
    "new RangeError('m', { cause: 1 })",
    "new (class Mine extends TypeError {})('m')",
    "new AggregateError([1], 'm')",
  );
  values.push(
    "Object.assign(new Error('m'), { name: 'SyntaxError' })",
    "Object.assign(new Error('m'), { name: 'Own', extra: 1 })",
    "Object.assign(new Error('m'), { message: 5 })",
  );
  values.push("Object.defineProperty(new Error('m'), 'message', { get: () => 'g' })");
  // Refused
  values.push(
    "() => 1",
    "class {}",
    "Symbol('s')",
    "Object(Symbol('s'))",
    "[() => 1]",
    "{ a: { b: Symbol.iterator } }",
    "new Map([[1, () => 1]])",
    "new Set([Symbol()])",
  );
  values.push(
    "Promise.resolve(1)",
    "new WeakMap()",
    "new WeakSet()",
    "new WeakRef({})",
    "(function* () { yield 1 })()",
    "(async function* () { yield 1 })()",
  );
  values.push(
    "[1].values()",
    "new Map().entries()",
    "(function () { return arguments })(1)",
    "new URL('http://a')",
    "new URLSearchParams('a')",
    "new FinalizationRegistry(() => 1)",
  );
  values.push("(() => { const b = new ArrayBuffer(1); b.transfer(); return b })()");
  const rows: Row[] = [
    ["a cycle", "structuredClone(((o) => { o.self = o; o.list = [o]; return o })({}))"],
    ["a cycle through a Map", "structuredClone(((m) => m.set(m, { m }))(new Map()))"],
    ["a cycle through a Set", "structuredClone(((s) => s.add([s]))(new Set()))"],
    ["shared references", "((a) => structuredClone([a, { a }, new Map([[a, a]])]))({ x: 1 })"],
    ["shared buffers", "((b) => structuredClone([new Uint8Array(b, 1), b, new Uint16Array(b)]))(new ArrayBuffer(4))"],
    ["shared wrappers", "((w) => structuredClone([w, w]))(Object('s'))"],
    ["apart from the original", "((o) => { const c = structuredClone(o); o.a.b = 2; return [c, c === o] })({ a: { b: 1 } })"],
    ["the prototype", "((c) => [Object.getPrototypeOf(c) === Object.prototype, c.constructor.name])(structuredClone(new (class A {})()))"],
    ["a getter that throws", "structuredClone({ get a() { throw new RangeError('g') } })"],
    ["a getter that deletes", "structuredClone({ get a() { delete this.b; return 1 }, b: 2 })"],
    ["the error's kind", "(() => { try { structuredClone(() => 1) } catch (e) { return [e instanceof DOMException, e.name, e.code] } })()"],
    ["without argument", "structuredClone()"],
    ["null options", "structuredClone(1, null)"],
    ["no transfer", "structuredClone(1, { transfer: undefined })"],
    ["options of another type", "structuredClone(1, 1)"],
    ["a transfer", "((b) => [structuredClone(b, { transfer: [b] }), b])(new Uint8Array([1, 2]).buffer)"],
    [
      "a transfer of a view's buffer",
      "((v) => [structuredClone({ v }, { transfer: [v.buffer] }), v.buffer, v.length])(new Uint8Array([1, 2]))",
    ],
    ["a transfer of something unused", "((b) => [structuredClone(1, { transfer: [b] }), b])(new ArrayBuffer(2))"],
    [
      "a transfer that fails",
      "((b) => { try { structuredClone(() => 1, { transfer: [b] }) } catch (e) { return [e.name, b] } })(new ArrayBuffer(2))",
    ],
    ["a transfer of the same twice", "((b) => structuredClone(1, { transfer: [b, b] }))(new ArrayBuffer(2))"],
    ["a transfer of a detached buffer", "((b) => { b.transfer(); return structuredClone(1, { transfer: [b] }) })(new ArrayBuffer(2))"],
    ["a transfer of an object", "structuredClone(1, { transfer: [{}] })"],
    ["a transfer of a view", "structuredClone(1, { transfer: [new Uint8Array(1)] })"],
    ["a transfer that is no list", "structuredClone(1, { transfer: 1 })"],
    ["a set as transfer", "((b) => [structuredClone(b, { transfer: new Set([b]) }), b])(new ArrayBuffer(2))"],
  ];
  rows.push(...values.map((value): Row => [`of ${value}`, `structuredClone(${value})`]));
  test.each(rows)("%s", async (_name, code) => {
    const { guest, bun } = await evaluateInBoth(code);
    expect(guest).toBe(bun);
  });
});

describe("structuredClone, where Bun does not follow the standard or has no way to ask", () => {
  const rows: [name: string, code: string, shown: string][] = [
    [
      "goes as deep as the value",
      "(() => { let a = []; for (let i = 0; i < 20_000; i++) a = [a]; return structuredClone(a).length })()",
      "1",
    ],
    ["takes every object of the language's own for plain", "structuredClone(Math)", "{}"],
    ["has one argument that is needed", "structuredClone", "function structuredClone/1"],
    ["clones a DOMException", "structuredClone(new DOMException('m', 'AbortError'))", "DOMException(AbortError: m; )"],
    ["a Map as it was", "((m) => structuredClone(m.set(1, { get a() { m.set(2, 2); return 1 } })))(new Map())", 'Map[1, {"a": 1}]'],
    ["keeps a stack", "(() => { const e = new Error('m'); return structuredClone(e).stack === e.stack })()", "true"],
    ["does not share memory", "structuredClone(new SharedArrayBuffer(1))", "throws DataCloneError"],
  ];
  test.each(rows)("%s", async (_name, code, shown) => expect(await showInGuest(code)).toBe(shown));
});
