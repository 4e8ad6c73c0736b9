import { type HostileProgram, slow, stopped } from "./program.ts";

export const nesting: readonly HostileProgram[] = [
  { name: "deep JSON.parse", code: "JSON.parse('['.repeat(1e6))", statuses: stopped },
  { name: "deep JSON.stringify", code: "let a = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)", statuses: stopped },
  { name: "deep output", code: "let a = {}; for (let i = 0; i < 1e4; i++) a = { a }; a", statuses: ["failed", ...slow] },
  { name: "deep source", code: "eval('['.repeat(1e5))", statuses: stopped },
  { name: "deep template", code: "eval('`${'.repeat(2e4))", statuses: stopped },
  { name: "deep regex", code: "new RegExp('(?:'.repeat(1e5) + ')'.repeat(1e5))", statuses: stopped },
  { name: "deep recursion through getters", code: "const o = { get x() { return this.x } }; o.x", statuses: ["failed"] },
  { name: "deep proxies", code: "let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); p.x", statuses: stopped },
];
