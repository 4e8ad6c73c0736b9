import { type HostileProgram, slow, stopped } from "./program.ts";

export const loops: readonly HostileProgram[] = [
  { name: "endless loop", code: "while (true) {}", statuses: slow },
  { name: "endless loop in a finally", code: "for (;;) { try { throw 1 } catch { continue } finally { continue } }", statuses: slow },
  { name: "endless generator", code: "function* g() { for (;;) yield 1 } for (const x of g());", statuses: slow },
  { name: "do while", code: "do {} while (true)", statuses: slow },
  { name: "a loop in a getter that is called by a loop", code: "const o = { get a() { for (;;); } }; for (;;) o.a", statuses: slow },
  { name: "a loop in a static block", code: "class A { static { for (;;); } }", statuses: slow },
  { name: "a loop in a default parameter", code: "((a = (() => { for (;;); })()) => a)()", statuses: slow },
  { name: "a loop in a tagged template", code: "((s) => { for (;;); })`x`", statuses: slow },
  { name: "a loop in a computed key", code: "({ [(() => { for (;;); })()]: 1 })", statuses: slow },
  { name: "a loop in Symbol.iterator", code: "[...{ [Symbol.iterator]() { for (;;); } }]", statuses: slow },
  {
    name: "an iterator that never says done",
    code: "new Set({ [Symbol.iterator]: () => ({ next: () => ({ value: 1 }) }) })",
    statuses: slow,
  },
  {
    name: "two generators that delegate to each other",
    code: "function* a() { yield* b() } function* b() { yield* a() } [...a()]",
    statuses: stopped,
  },
  { name: "a labelled continue without end", code: "a: for (;;) { for (;;) continue a }", statuses: slow },
  { name: "a switch in a loop", code: "let n = 0; for (;;) switch (n++ % 3) { case 0: continue; default: }", statuses: slow },
  { name: "with and eval", code: "with ({}) for (;;) eval('1')", statuses: slow },
  { name: "eval of ever more code", code: "for (let s = '1'; ; s += '+1') eval(s)", statuses: stopped },
  { name: "new Function without end", code: "for (;;) new Function('return 1')()", statuses: slow },
];
