import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createCellPool } from "../../workers/cell-pool.ts";
import { hostilePrograms } from "./hostile-programs.ts";
import { request } from "./programs.ts";

const timeoutMs = 150;
const graceMs = 100;
/** For a busy machine, on which starting the next cell or getting a turn takes this long. */
const schedulingMs = 1_500;

const pool = createCellPool({ command: [process.execPath, `${import.meta.dir}/cell-entry.ts`], size: 1, spares: 1, graceMs });
beforeAll(() => pool.started);
afterAll(() => pool.stop());

const probe = "[1 + 1, Object.keys(globalThis), [].toJSON, 'x'.concat('y'), JSON.stringify([1]), input]";

describe("a hostile program ends in time, and the next honest one sees no trace of it", () => {
  test.each(hostilePrograms.map((program) => [program.name, program] as const))("%s", async (_name, { code, statuses, ...expected }) => {
    const begun = performance.now();
    const outcome = await pool.execute(request(code, { timeoutMs }));
    const tookMs = performance.now() - begun;
    expect(statuses).toContain(outcome.status);
    expect(tookMs).toBeLessThan(timeoutMs + graceMs + schedulingMs);
    if (outcome.status === "succeeded" && "output" in expected) expect(outcome.output).toEqual(expected.output);
    expect(JSON.stringify(outcome).length).toBeLessThan(2e6);

    const honest = await pool.execute(request(probe, { input: { n: 1 }, timeoutMs: 2_000 }));
    expect(honest).toMatchObject({ status: "succeeded", logs: [] });
    expect(honest.output).toEqual([2, [], null, "xy", "[1]", { n: 1 }]);
  });

  test("and this process is as it was", () => {
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(Reflect.get({}, "isAdmin")).toBeUndefined();
  });
});
