import { greedy, type HostileProgram, slow, stopped } from "./program.ts";

export const border: readonly HostileProgram[] = [
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
  {
    name: "a getter that gives another value each time",
    code: "let n = 0; ({ get a() { return n++ } })",
    statuses: ["succeeded"],
    output: { a: 0 },
  },
  {
    name: "keys that change while they are read",
    code: "const o = { get a() { delete this.b; this.c = 1; return 1 }, b: 2 }; o",
    statuses: ["succeeded"],
    output: { a: 1 },
  },
  {
    name: "an array that grows while it is read",
    code: "const a = [{ toJSON() { a.push(1); return 0 } }]; a",
    statuses: ["succeeded"],
    output: [0],
  },
  {
    name: "an array that shrinks while it is read",
    code: "const a = [{ toJSON() { a.length = 1; return 0 } }, 2, 3]; a",
    statuses: ["succeeded"],
    output: [0, null, null],
  },
  {
    name: "a Map that grows while it is read",
    code: "const m = new Map(); m.set(1, { toJSON() { m.set(m.size + 1, this); return 1 } }); m",
    statuses: ["failed", ...greedy],
  },
  {
    name: "a Set that grows while it is read",
    code: "const s = new Set(); s.add({ toJSON() { s.add({ toJSON: this.toJSON }); return 1 } }); s",
    statuses: ["failed", ...greedy],
  },
  {
    name: "a typed array whose buffer is taken away while it is read",
    code: "const b = new ArrayBuffer(8); const u = new Uint8Array(b); [{ toJSON() { b.transfer(); return 1 } }, u]",
    statuses: ["succeeded"],
    output: [1, { $typedArray: { type: "Uint8Array", base64: "" } }],
  },
  {
    name: "a typed array that shrinks while it is read",
    code: "const b = new ArrayBuffer(8, { maxByteLength: 8 }); const u = new Uint8Array(b); [{ toJSON() { b.resize(1); return 1 } }, u]",
    statuses: ["succeeded"],
    output: [1, { $typedArray: { type: "Uint8Array", base64: "AA==" } }],
  },
  {
    name: "a Map in the clothes of a typed array",
    code: "const m = new Map([[1, 2]]); Object.setPrototypeOf(m, Uint8Array.prototype); m",
    statuses: ["succeeded", "failed"],
  },
  { name: "a proxy of a Map", code: "new Proxy(new Map([[1, 2]]), {})", statuses: ["succeeded"], output: {} },
  { name: "a proxy of a typed array", code: "new Proxy(new Uint8Array(2), {})", statuses: ["succeeded"], output: { 0: 0, 1: 0 } },
  { name: "a revoked proxy", code: "const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); proxy", statuses: ["failed"] },
  {
    name: "a revoked proxy of an array",
    code: "const { proxy, revoke } = Proxy.revocable([], {}); revoke(); [proxy]",
    statuses: ["failed"],
  },
  { name: "a proxy whose traps throw", code: "new Proxy({}, { get() { throw new Error('trap') } })", statuses: ["failed"] },
  { name: "a tag that is a getter which loops", code: "({ get [Symbol.toStringTag]() { for (;;); } })", statuses: slow },
  { name: "a tag that is huge", code: "({ [Symbol.toStringTag]: 'x'.repeat(1e6) })", statuses: ["succeeded"], output: {} },
  { name: "a toJSON that takes the key for a constructor", code: "({ a: { toJSON: Function } })", statuses: ["failed"] },
  { name: "a toJSON that gives itself", code: "const o = { a: 1, toJSON() { return this } }; o", statuses: ["succeeded", "failed"] },
  {
    name: "an iterator of a prototype that was replaced",
    code: "Array.prototype[Symbol.iterator] = () => { throw 1 }; [1, [2]]",
    statuses: ["succeeded"],
    output: [1, [2]],
  },
  {
    name: "an index setter on Object.prototype",
    code: "Object.defineProperty(Object.prototype, '0', { set() { throw 1 }, get: () => 'evil' }); ({ a: [1] })",
    statuses: ["succeeded"],
    output: { a: [1] },
  },
  { name: "a depth that is just too great", code: "let a = 1; for (let i = 0; i < 201; i++) a = [a]; a", statuses: ["failed"] },
  { name: "many keys", code: "Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ['k' + i, i]))", statuses: ["failed", ...stopped] },
  { name: "a __proto__ key in a Map", code: "new Map([[JSON.parse('{\"__proto__\":1}'), 1]])", statuses: ["failed"] },
  { name: "a dollar key of one's own", code: "({ $map: [[1, 2]] })", statuses: ["succeeded"], output: { $object: { $map: [[1, 2]] } } },
  { name: "output that is the global object", code: "output = globalThis; 1", statuses: ["succeeded", "failed"] },
  { name: "an output setter", code: "Object.defineProperty(globalThis, 'output', { get() { for (;;); } }); 1", statuses: slow },
  {
    name: "an input that is replaced",
    code: "delete globalThis.input; globalThis.input = 'mine'; input",
    statuses: ["succeeded"],
    output: "mine",
  },
];
