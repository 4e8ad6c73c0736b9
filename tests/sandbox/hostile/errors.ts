import { type HostileProgram, slow, stopped } from "./program.ts";

export const errors: readonly HostileProgram[] = [
  { name: "an error with looping getters", code: "throw { get name() { for (;;); } }", statuses: slow },
  { name: "an error with a looping toString", code: "throw { toString() { for (;;); } }", statuses: ["failed"] },
  { name: "a proxy thrown", code: "throw new Proxy({}, { get() { throw 1 }, ownKeys() { throw 2 } })", statuses: ["failed"] },
  { name: "an error with a huge message", code: "throw new Error('x'.repeat(2e6))", statuses: ["failed", ...slow] },
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
  {
    name: "an error whose stack is a getter that loops",
    code: "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { for (;;); } }); throw e",
    statuses: slow,
  },
  {
    name: "an error whose message is an object",
    code: "throw Object.assign(new Error(), { message: { toString() { for (;;); } } })",
    statuses: ["failed"],
  },
  {
    name: "an error whose name is huge",
    code: "const e = new Error('x'); e.name = 'n'.repeat(2e6); throw e",
    statuses: ["failed", ...slow],
  },
  { name: "an error that causes itself", code: "const e = new Error('x'); e.cause = e; throw e", statuses: ["failed"] },
  {
    name: "a chain of causes",
    code: "let e = new Error('0'); for (let i = 0; i < 1e4; i++) e = new Error('x', { cause: e }); throw e",
    statuses: ["failed", ...slow],
  },
  {
    name: "an AggregateError that holds itself",
    code: "const e = new AggregateError([]); e.errors.push(e); throw e",
    statuses: ["failed"],
  },
  {
    name: "Error.prepareStackTrace that loops",
    code: "Error.prepareStackTrace = () => { for (;;); }; throw new Error('x')",
    statuses: ["failed", ...slow],
  },
  {
    name: "a forged TimeoutError",
    code: "throw Object.assign(new Error('the program was stopped at its time limit'), { name: 'TimeoutError' })",
    statuses: ["failed"],
  },
  {
    name: "a stack overflow in a catch in a finally",
    code: "const f = () => { try { f() } catch { f() } finally { f() } }; f()",
    statuses: stopped,
  },
  { name: "a rejection with a thenable", code: "Promise.reject({ then() { for (;;); } })", statuses: ["failed"] },
  { name: "a symbol thrown", code: "throw Symbol('s')", statuses: ["failed"] },
  {
    name: "the prelude's refusal, thrown again",
    code: "let seen; try { JSON.stringify({ toJSON() { throw (seen = this) } }) } catch (e) { throw e }",
    statuses: ["failed"],
  },
];
