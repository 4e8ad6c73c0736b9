import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createCellPool } from "../../workers/cell-pool.ts";
import { hostilePrograms } from "./hostile/corpus.ts";
import type { HostileProgram } from "./hostile/program.ts";
import { request } from "./programs.ts";

const graceMs = 100;
/** Those that end by themselves get the time that takes on a busy machine. */
const limitOf = ({ statuses }: HostileProgram) => (statuses.includes("timeout") ? 100 : 2_000);
/** For a busy machine, on which starting the next cell or getting a turn takes this long. */
const schedulingMs = 1_500;
const growthBytesMax = 64 * 1_048_576;

const pool = createCellPool({ command: [process.execPath, `${import.meta.dir}/cell-entry.ts`], size: 1, spares: 1, graceMs });
let fresh: unknown;
let residentBytes = 0;
beforeAll(async () => {
  await pool.started;
  fresh = (await pool.execute(request(fingerprint, { input: { n: 1 } }))).output;
  Bun.gc(true);
  residentBytes = process.memoryUsage.rss();
});
afterAll(() => pool.stop());

/** Every property of everything that can be reached from the global object, and of each function how it shows itself. */
const fingerprint = `
  const seen = new Set();
  let hash = 0, count = 0;
  const note = (text) => { for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) | 0; count += 1; };
  const walk = (value) => {
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    if (typeof value === "function") note(Function.prototype.toString.call(value));
    for (const key of Reflect.ownKeys(value)) {
      const { value: own, get, set, writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(value, key);
      note(String(key) + writable + enumerable + configurable);
      for (const next of [own, get, set]) walk(next);
    }
    walk(Object.getPrototypeOf(value));
  };
  walk(globalThis);
  [hash, count, Object.keys(globalThis), typeof leak, 1 + 1, 'x'.concat('y'), JSON.stringify([1]), input]`;

describe("a hostile program ends in time, and the next honest one sees no trace of it", () => {
  test.each(hostilePrograms.map((program) => [program.name, program] as const))("%s", async (_name, program) => {
    const { code, statuses, ...expected } = program;
    const timeoutMs = limitOf(program);
    const begun = performance.now();
    const outcome = await pool.execute(request(code, { timeoutMs }));
    const tookMs = performance.now() - begun;
    expect(statuses).toContain(outcome.status);
    expect(tookMs).toBeLessThan(timeoutMs + graceMs + schedulingMs);
    if (outcome.status === "succeeded" && "output" in expected) expect(outcome.output).toEqual(expected.output);
    expect(JSON.stringify(outcome).length).toBeLessThan(2e6);

    const honest = await pool.execute(request(fingerprint, { input: { n: 1 }, timeoutMs: 2_000 }));
    expect(honest).toMatchObject({ status: "succeeded", logs: [] });
    expect(honest.output).toEqual(fresh);
  });

  test("all together they cost this process little memory", () => {
    expect(hostilePrograms.length).toBeGreaterThan(200);
    Bun.gc(true);
    expect(process.memoryUsage.rss() - residentBytes).toBeLessThan(growthBytesMax);
  });

  test("and this process is as it was", () => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(Reflect.get({}, "isAdmin")).toBeUndefined();
  });
});
