import { greedy, type HostileProgram, slow, stopped } from "./program.ts";

export const promises: readonly HostileProgram[] = [
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
  { name: "an async generator without end", code: "async function* g() { for (;;) yield 1 } for await (const x of g());", statuses: slow },
  { name: "promises kept", code: "const a = []; for (;;) a.push(new Promise(() => {}))", statuses: greedy },
  {
    name: "a chain of a million promises",
    code: "let p = Promise.resolve(); for (let i = 0; i < 1e6; i++) p = p.then(() => i); p",
    statuses: ["succeeded", ...stopped],
  },
  { name: "Promise.all without end", code: "Promise.all({ *[Symbol.iterator]() { for (;;) yield 1 } })", statuses: stopped },
  { name: "a promise that resolves to itself", code: "let r; const p = new Promise((f) => { r = f }); r(p); p", statuses: ["failed"] },
  { name: "a then getter that loops", code: "Promise.resolve({ get then() { for (;;); } })", statuses: slow },
  {
    name: "a species that loops",
    code: "class P extends Promise { static get [Symbol.species]() { for (;;); } } new P((r) => r(1)).then(() => 1)",
    statuses: slow,
  },
  {
    name: "Promise.prototype.then replaced",
    code: "Promise.prototype.then = () => { for (;;); }; (async () => { await 0; return 1 })()",
    statuses: ["succeeded"],
    output: 1,
  },
  {
    name: "async functions that call each other",
    code: "const a = async () => { await b() }, b = async () => { await a() }; await a()",
    statuses: stopped,
  },
  {
    name: "a finalizer that runs the program again",
    code: "const r = new FinalizationRegistry(() => { for (;;); }); for (let i = 0; i < 1e4; i++) r.register({}, 1); 1",
    statuses: ["succeeded", ...slow],
  },
  { name: "an unhandled rejection", code: "Promise.reject(new Error('left')); 1", statuses: ["succeeded"], output: 1 },
];
