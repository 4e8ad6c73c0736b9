import { type HostileProgram, slow, stopped } from "./program.ts";

export const webApis: readonly HostileProgram[] = [
  { name: "URLs for ever", code: "for (;;) new URL('http://a/' + 'é'.repeat(3000))", statuses: slow },
  { name: "a URL of what asks for URLs", code: "const o = { toString: () => new URL(o).href }; new URL(o)", statuses: ["failed"] },
  {
    name: "toJSON in what the host is asked",
    code: "Object.prototype.toJSON = () => 'x'.repeat(1e6); new URL('http://a')",
    statuses: ["failed", ...slow],
  },
  {
    name: "a query that grows for ever",
    code: "const { searchParams } = new URL('http://a'); for (;;) searchParams.append('a', 'b')",
    statuses: ["failed", ...slow],
  },
  {
    name: "a clone that never ends",
    code: "class A { constructor() { Object.defineProperty(this, 'a', { enumerable: true, get: () => new A() }) } } structuredClone(new A())",
    statuses: stopped,
  },
  {
    name: "a clone of a sparse array",
    code: "structuredClone(new Array(2 ** 32 - 1)).length",
    statuses: ["succeeded", ...stopped],
    output: 2 ** 32 - 1,
  },
  { name: "a clone of an endless proxy", code: "structuredClone(new Proxy({}, { ownKeys: () => { for (;;); } }))", statuses: slow },
];
