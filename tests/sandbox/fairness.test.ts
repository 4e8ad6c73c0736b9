import { afterEach, describe, expect, test } from "bun:test";
import { type CellPool, type CellPoolOptions, createCellPool, SandboxBudgetError } from "../../workers/cell-pool.ts";
import { createCpuBudget } from "../../workers/cpu-budget.ts";
import { until } from "../until.ts";
import { request } from "./programs.ts";

const command = [process.execPath, `${import.meta.dir}/cell-entry.ts`];
const pools: CellPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
});

async function open(options: Partial<CellPoolOptions>): Promise<CellPool> {
  const pool = createCellPool({ command, size: 2, spares: 0, ...options });
  pools.push(pool);
  await pool.started;
  return pool;
}

const long = { owner: "busy", timeoutMs: 400 };

describe("owners", () => {
  test("nobody holds all cells: another's program does not wait for theirs", async () => {
    const pool = await open({});
    await until("both cells are ready", () => pool.stats().idle === 2);
    const order: string[] = [];
    const busy = [1, 2, 3].map(() => pool.execute(request("for (;;);", long)).then(() => order.push("busy")));
    expect((await pool.execute(request("1 + 1", { owner: "other" }))).output).toBe(2);
    expect(order).toEqual([]);
    expect(pool.stats()).toMatchObject({ busy: 1, waiting: 2 });
    await Promise.all(busy);
  });

  test("of one owner's programs the higher goes first, and does not pass another owner's", async () => {
    const pool = await open({ size: 1 });
    const order: string[] = [];
    const run = (name: string, owner: string, priority = 0) => pool.execute(request("1", { owner, priority })).then(() => order.push(name));
    const all = [run("first", "a"), run("low", "a"), run("high", "a", 9), run("other", "b"), run("middle", "a", 5)];
    await Promise.all(all);
    expect(order).toEqual(["first", "high", "other", "middle", "low"]);
  });

  test("who has used the CPU time of a minute is refused, and the others are not", async () => {
    const pool = await open({ ownerCpuMsPerMinute: 300 });
    await pool.execute(request("for (;;);", { ...long, timeoutMs: 500 }));
    await expect(pool.execute(request("1", long))).rejects.toBeInstanceOf(SandboxBudgetError);
    expect((await pool.execute(request("1", { owner: "other" }))).output).toBe(1);
  });

  test("what a deterministic run has used counts as it was, whatever its receipt tells", async () => {
    const pool = await open({ ownerCpuMsPerMinute: 200 });
    await pool.execute(request("for (;;);", { ...long, deterministic: true, seed: "s" }));
    await expect(pool.execute(request("1", long))).rejects.toBeInstanceOf(SandboxBudgetError);
  });
});

test("a budget comes back evenly, and knows nothing of those who owe nothing", () => {
  let at = 0;
  const budget = createCpuBudget(1_000, () => new Date(at));
  budget.spend("a", 1_500);
  expect([budget.isSpent("a"), budget.isSpent("b")]).toEqual([true, false]);
  at = 29_000;
  expect(budget.isSpent("a")).toBe(true);
  at = 31_000;
  expect(budget.isSpent("a")).toBe(false);
  budget.spend("a", 10);
  expect(budget.isSpent("a")).toBe(false);
  budget.spend("a", 10);
  expect(budget.isSpent("a")).toBe(true);
});

test("a cell that has grown too large is replaced", async () => {
  const pool = await open({ size: 1, rssBytesMax: 1 });
  for (let run = 0; run < 3; run += 1) expect((await pool.execute(request("1", { memoryBytes: 1_048_576 }))).output).toBe(1);
  await until("it was replaced each time", () => pool.stats().restarts >= 3);
});
