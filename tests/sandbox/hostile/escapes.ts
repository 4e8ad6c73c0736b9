import type { HostileProgram } from "./program.ts";

export const escapes: readonly HostileProgram[] = [
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
  {
    name: "the constructors of all kinds of functions",
    code: "[async () => {}, function* () {}, async function* () {}].map((f) => { try { return typeof f.constructor('return globalThis.process')().constructor } catch (e) { return 'no' } }).length",
    statuses: ["succeeded"],
    output: 3,
  },
  {
    name: "a dynamic import of everything",
    code: "const tried = []; for (const m of ['fs', 'node:fs', 'bun', 'os', 'std', './program.js', 'data:text/javascript,1']) try { await import(m); tried.push(m) } catch {} tried",
    statuses: ["succeeded"],
    output: [],
  },
  { name: "import.meta", code: "export default () => JSON.stringify(import.meta)", statuses: ["succeeded", "failed"] },
  { name: "this at the top", code: "this === globalThis && typeof this.process", statuses: ["succeeded"], output: "undefined" },
  {
    name: "arguments of callers",
    code: "function f() { return f.caller } try { String(f()) } catch (e) { e.name }",
    statuses: ["succeeded"],
    output: "undefined",
  },
  {
    name: "what console.log is made of",
    code: "[console.log.prototype, Object.getOwnPropertyNames(console.log).length > 0, typeof console.log.__proto__.constructor]",
    statuses: ["succeeded"],
    output: [null, true, "function"],
  },
  {
    name: "functions of the host found by walking",
    code: "const seen = new Set(); const walk = (o, d) => { if (d > 6 || (typeof o !== 'object' && typeof o !== 'function') || o === null || seen.has(o)) return; seen.add(o); for (const k of Reflect.ownKeys(o)) { let v; try { v = o[k] } catch { continue } walk(v, d + 1) } walk(Object.getPrototypeOf(o), d + 1) }; walk(globalThis, 0); [...seen].filter((f) => typeof f === 'function' && ['ask', 'url', 'statement', 'enter', 'leave'].includes(f.name)).length",
    statuses: ["succeeded"],
    output: 0,
  },
  {
    name: "capabilities that were not granted",
    code: "[typeof fetch, typeof kv, typeof events, typeof log]",
    statuses: ["succeeded"],
    output: ["undefined", "undefined", "undefined", "undefined"],
  },
  {
    name: "the debug hooks when nobody debugs",
    code: "Object.getOwnPropertyNames(globalThis).filter((n) => n.startsWith('$')).length",
    statuses: ["succeeded"],
    output: 0,
  },
  { name: "WebAssembly", code: "typeof WebAssembly", statuses: ["succeeded"], output: "undefined" },
  {
    name: "a fine clock",
    code: "const seen = new Set(); for (let i = 0; i < 1e5; i++) seen.add(Date.now() % 1); [...seen]",
    statuses: ["succeeded"],
    output: [0],
  },
  { name: "shared memory as a clock", code: "typeof Worker + typeof Atomics", statuses: ["succeeded"] },
  {
    name: "Function.prototype.toString of built-ins",
    code: "[console.log, fetchLike].join('') ; function fetchLike() {}",
    statuses: ["succeeded"],
  },
  {
    name: "the stack of the host",
    code: "try { null.x } catch (e) { /\\.ts|node_modules|file:/.test(e.stack) }",
    statuses: ["succeeded"],
    output: false,
  },
  {
    name: "the stack of a web API",
    code: "try { new URL('x') } catch (e) { /\\.ts|node_modules|file:/.test(e.stack) }",
    statuses: ["succeeded"],
    output: false,
  },
  {
    name: "intrinsics frozen",
    code: "for (const k of Object.getOwnPropertyNames(globalThis)) try { Object.freeze(globalThis[k]); Object.freeze(globalThis[k].prototype) } catch {} Object.freeze(globalThis); ({ a: [1] })",
    statuses: ["succeeded"],
    output: { a: [1] },
  },
  {
    name: "all that can be deleted is deleted",
    code: "const { ownKeys } = Reflect; for (const o of [Object, Array, JSON, Reflect, String.prototype, Map.prototype, Promise.prototype, Array.prototype]) for (const k of ownKeys(o)) try { delete o[k] } catch {} ({ a: [1, 'x'] })",
    statuses: ["succeeded"],
    output: { a: [1, "x"] },
  },
  {
    name: "Object.prototype without a prototype of its own",
    code: "Object.setPrototypeOf(Array.prototype, null); Object.setPrototypeOf(Function.prototype, null); [1]",
    statuses: ["succeeded", "failed"],
  },
];
