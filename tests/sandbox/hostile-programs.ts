import type { ExecutionStatus } from "../../sandbox/execution.ts";

export interface HostileProgram {
  readonly name: string;
  readonly code: string;
  /** The ways in which it may end. */
  readonly statuses: readonly ExecutionStatus[];
  /** What it may have to say if it succeeded. */
  readonly output?: unknown;
}

/** Which of the two it is depends on whether a busy machine gives the cell a turn within the grace time. */
const slow = ["timeout", "killed"] as const;
const stopped = ["timeout", "killed", "out_of_memory", "failed"] as const;
const greedy = ["out_of_memory", "timeout", "killed"] as const;

export const hostilePrograms: readonly HostileProgram[] = [
  // Loops
  { name: "endless loop", code: "while (true) {}", statuses: slow },
  { name: "endless loop in a finally", code: "for (;;) { try { throw 1 } catch { continue } finally { continue } }", statuses: slow },
  { name: "endless generator", code: "function* g() { for (;;) yield 1 } for (const x of g());", statuses: slow },
  { name: "indexOf over 2^53", code: "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)", statuses: slow },
  { name: "fill over 2^53", code: "Array.prototype.fill.call({ length: 2 ** 53 - 1 }, 1)", statuses: stopped },
  { name: "join of holes", code: "[].concat(Array(2 ** 32 - 1)).join()", statuses: stopped },
  { name: "sort with a comparator that sorts", code: "[2, 1].sort(function c() { return [2, 1].sort(c), 0 })", statuses: ["failed"] },
  {
    name: "sort that never agrees",
    code: "Array.from({ length: 1e5 }, (_, i) => i).sort(() => Math.random() - 0.5).length",
    statuses: ["succeeded", ...slow],
  },
  { name: "backtracking regex", code: "/(a*)*b/.test('a'.repeat(40))", statuses: slow },
  { name: "regex over a long text", code: "/(x+x+)+y/.exec('x'.repeat(1e5))", statuses: stopped },
  {
    name: "string search",
    code: "('a'.repeat(2e6) + 'b').indexOf('a'.repeat(1e6) + 'c')",
    statuses: ["succeeded", ...stopped],
    output: -1,
  },
  { name: "BigInt power", code: "let n = 3n; for (;;) n **= 3n", statuses: stopped },
  { name: "BigInt to text", code: "(2n ** 2000000n).toString().length", statuses: ["succeeded", ...stopped], output: 602_060 },
  { name: "replaceAll growth", code: "let s = 'aa'; for (;;) s = s.replaceAll('a', 'aaaa')", statuses: greedy },
  // Memory
  { name: "string doubling", code: "let s = 'x'; for (;;) s += s", statuses: [...greedy, "failed"] },
  { name: "strings kept", code: "const a = []; for (;;) a.push('x'.repeat(1000) + a.length)", statuses: greedy },
  { name: "arrays kept", code: "const a = []; for (;;) a.push([a.length])", statuses: greedy },
  { name: "typed arrays kept", code: "const a = []; for (;;) a.push(new Float64Array(1e5))", statuses: greedy },
  { name: "a huge ArrayBuffer", code: "new ArrayBuffer(2 ** 31)", statuses: ["out_of_memory", "failed"] },
  { name: "closures kept", code: "let f = () => 1; for (;;) { const g = f; f = () => g }", statuses: greedy },
  { name: "memory eaten in catch", code: "const a = []; for (;;) try { for (;;) a.push({}) } catch {}", statuses: greedy },
  {
    name: "memory eaten in finally",
    code: "const a = []; const eat = () => { try { for (;;) a.push('x'.repeat(1e4) + a.length) } finally { eat() } }; eat()",
    statuses: stopped,
  },
  { name: "a Map grown for ever", code: "const m = new Map(); for (let i = 0; ; i++) m.set(i, i)", statuses: greedy },
  { name: "a sparse array as output", code: "const a = []; a[4294967290] = 1; a", statuses: ["failed"] },
  // Nesting
  { name: "deep JSON.parse", code: "JSON.parse('['.repeat(1e6))", statuses: stopped },
  { name: "deep JSON.stringify", code: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)", statuses: stopped },
  { name: "deep output", code: "let a = {}; for (let i = 0; i < 1e4; i++) a = { a }; a", statuses: ["failed"] },
  { name: "deep source", code: "eval('['.repeat(1e5))", statuses: stopped },
  { name: "deep template", code: "eval('`${'.repeat(2e4))", statuses: stopped },
  { name: "deep regex", code: "new RegExp('(?:'.repeat(1e5) + ')'.repeat(1e5))", statuses: stopped },
  { name: "deep recursion through getters", code: "const o = { get x() { return this.x } }; o.x", statuses: ["failed"] },
  { name: "deep proxies", code: "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x", statuses: stopped },
  // Promises
  { name: "microtask chain", code: "(function f() { Promise.resolve().then(f) })()", statuses: slow },
  { name: "microtask flood", code: "(function f() { Promise.resolve().then(f); Promise.resolve().then(f) })()", statuses: stopped },
  { name: "await loop", code: "for (;;) await 0", statuses: slow },
  { name: "loop in a job that catches", code: "(async () => { for (;;) try { await 0; for (;;); } catch {} })()", statuses: slow },
  { name: "thenable that resolves to itself", code: "const t = { then(r) { r(t) } }; Promise.resolve(t)", statuses: slow },
  { name: "thenable as output", code: "({ then(resolve) { resolve('taken') } })", statuses: ["failed"] },
  {
    name: "promise with its own then",
    code: "const p = Promise.resolve(1); p.then = (f) => f('taken'); p",
    statuses: ["succeeded"],
    output: 1,
  },
  // What the host reads back
  {
    name: "prototypes polluted",
    code: "Object.prototype.toJSON = () => 'evil'; Array.prototype.toJSON = () => 'evil'; 1",
    statuses: ["succeeded"],
    output: 1,
  },
  {
    name: "globals and prototypes replaced",
    code: `JSON.stringify = JSON.parse = Object.keys = Reflect.apply = Array.isArray = () => 'evil';
      for (const p of [String, Array, Object, Function, Number]) for (const k of Object.getOwnPropertyNames(p.prototype))
        try { Object.defineProperty(p.prototype, k, { get: () => () => 'evil', set() {} }) } catch {}
      Object.defineProperty(Array.prototype, 0, { set() {}, get: () => 'evil' });
      ({ a: ['x', 1, { b: null }] })`,
    statuses: ["succeeded"],
    output: { a: ["x", 1, { b: null }] },
  },
  { name: "a __proto__ key", code: `JSON.parse('{"__proto__":{"isAdmin":true}}')`, statuses: ["failed"] },
  { name: "a proxy that lists for ever", code: "new Proxy({}, { ownKeys() { for (;;); } })", statuses: slow },
  {
    name: "an endless proxy array",
    code: "new Proxy([], { get: (t, k) => (k === 'length' ? { valueOf: () => 1 } : 0) })",
    statuses: ["succeeded", ...stopped],
  },
  { name: "a getter that throws", code: "({ get a() { throw new Error('from a getter') } })", statuses: ["failed"] },
  { name: "toJSON that nests for ever", code: "const o = { toJSON: () => ({ o }) }; o", statuses: ["failed"] },
  { name: "toJSON that loops", code: "({ toJSON() { for (;;); } })", statuses: slow },
  { name: "toPrimitive as output", code: "({ [Symbol.toPrimitive]() { for (;;); }, a: 1 })", statuses: ["succeeded"], output: { a: 1 } },
  // Errors
  { name: "an error with looping getters", code: "throw { get name() { for (;;); } }", statuses: slow },
  { name: "an error with a looping toString", code: "throw { toString() { for (;;); } }", statuses: ["failed"] },
  { name: "a proxy thrown", code: "throw new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 } })", statuses: ["failed"] },
  { name: "an error with a huge message", code: "throw new Error('x'.repeat(2e6))", statuses: ["failed"] },
  {
    name: "an error with a forged stack",
    code: "const e = new Error('x'); e.stack = 'program.js:99999999999:1'; throw e",
    statuses: ["failed"],
  },
  {
    name: "a forged out of memory",
    code: "throw Object.assign(new Error('out of memory'), { name: 'InternalError' })",
    statuses: ["out_of_memory"],
  },
  { name: "a forged interruption", code: "throw Object.assign(new Error('interrupted'), { name: 'InternalError' })", statuses: ["failed"] },
  // Escapes
  {
    name: "constructor chain",
    code: "console.log.constructor('return typeof process + typeof Bun + typeof require')()",
    statuses: ["succeeded"],
    output: "undefinedundefinedundefined",
  },
  {
    name: "the prelude's caller",
    code: "try { console.log.caller.toString() } catch (e) { 'refused' }",
    statuses: ["succeeded"],
    output: "refused",
  },
  {
    name: "globals of a host",
    code: "Object.keys(globalThis).concat(['os', 'std', 'fetch', 'WebAssembly', 'setTimeout'].filter((k) => k in globalThis))",
    statuses: ["succeeded"],
    output: [],
  },
  // Floods and text
  { name: "log flood", code: "for (;;) console.log('x'.repeat(1e4))", statuses: slow },
  { name: "log of a hostile value", code: "console.log(new Proxy({}, { ownKeys() { for (;;); } }))", statuses: slow },
  { name: "NUL in code", code: "'a\0b'.length", statuses: ["succeeded"], output: 3 },
  { name: "code cut by a NUL", code: "1;\0 for (;;);", statuses: ["failed"] },
  { name: "lone surrogates in code", code: "'\ud800'.length", statuses: ["succeeded", "failed"] },
  { name: "line separators and a BOM", code: "\ufeff1\u2028+\u20291", statuses: ["succeeded"], output: 2 },
];
