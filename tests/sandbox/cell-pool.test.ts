import { afterEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type CellPool, type CellPoolOptions, createCellPool, SandboxBusyError, SandboxUnavailableError } from "../../workers/cell-pool.ts";
import type { Cell } from "../../workers/cell-process.ts";
import { startCell } from "../../workers/cell-process.ts";
import { request } from "./programs.ts";

const command = [process.execPath, `${import.meta.dir}/cell-entry.ts`];
const script = (code: string) => [process.execPath, "-e", code];
const endless = "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)";
const pools: CellPool[] = [];

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.stop()));
});

function open(options: Partial<CellPoolOptions> = {}): CellPool {
  const pool = createCellPool({ command, size: 1, spares: 1, ...options });
  pools.push(pool);
  return pool;
}

/** Polls, as the end of another process is an event this one is not always told of. */
async function until(what: string, check: () => boolean): Promise<void> {
  const endsAt = performance.now() + 5_000;
  while (!check()) {
    if (performance.now() > endsAt) throw new Error(`waited in vain until ${what}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe("execute", () => {
  test.each([1, 2])("runs programs first come, first served, at most %p at once", async (size) => {
    const pool = open({ size });
    const order: number[] = [];
    const indexes = [...Array(20).keys()];
    const runs = indexes.map(async (input) => {
      const { output } = await pool.execute(request("input", { input }));
      order.push(input);
      expect(pool.stats().busy).toBeLessThanOrEqual(size);
      return output;
    });
    expect(await Promise.all(runs)).toEqual(indexes);
    // Two cells may well answer in another order than they were asked.
    if (size === 1) expect(order).toEqual(indexes);
    expect(pool.stats()).toMatchObject({ runs: 20, killed: 0, busy: 0, waiting: 0 });
  });

  test("kills what does not stop, and the spare takes over", async () => {
    const pool = open({ graceMs: 50 });
    await pool.started;
    const killed = pool.execute(request(endless, { timeoutMs: 50, seed: "s" }));
    const next = pool.execute(request("1 + 1"));
    const outcome = await killed;
    expect(outcome).toMatchObject({ status: "killed", error: { name: "KilledError" }, receipt: { seed: "s" } });
    expect(outcome.error?.message).toContain("did not stop at its time limit");
    expect(outcome.receipt.cpuMs).toBeGreaterThan(0);
    expect(outcome.receipt.cpuMs).toBeLessThan(5_000);
    expect((await next).output).toBe(2);
    expect(pool.stats()).toMatchObject({ killed: 1, restarts: 1 });
  });

  test("replaces a spoiled cell and one that has done its runs", async () => {
    const reasons: string[] = [];
    const pool = open({ runsMax: 2, log: { warn: (details) => void reasons.push(JSON.stringify(details)) } });
    expect((await pool.execute(request("eval('('.repeat(5000))"))).status).toBe("failed");
    expect(reasons.join()).toContain("RangeError");
    for (const _ of Array(4)) expect((await pool.execute(request("1 + 1"))).output).toBe(2);
    await until("spoiled and worn cells are replaced", () => pool.stats().restarts >= 2);
  });

  test("refuses beyond queueMax", async () => {
    const pool = open({ queueMax: 1 });
    await pool.started;
    const accepted = [pool.execute(request("for (;;);", { timeoutMs: 50 })), pool.execute(request("1"))];
    expect(pool.execute(request("2"))).rejects.toBeInstanceOf(SandboxBusyError);
    const [endless, next] = (await Promise.all(accepted)).map(({ status }) => status);
    expect(["timeout", "killed"]).toContain(endless ?? "");
    expect(next).toBe("succeeded");
  });
});

const nobody = () => Promise.reject(new Error("nobody answers"));

describe("a cell", () => {
  const options = { command, graceMs: 100, readyTimeoutMs: 10_000 };

  test("that dies in a run answers killed", async () => {
    const cell: Cell = startCell(options);
    await cell.ready;
    const answer = cell.run(request("for (;;);", { timeoutMs: 5_000 }), nobody);
    process.kill(cell.pid, "SIGKILL");
    const { outcome, reusable } = await answer;
    expect(outcome).toMatchObject({ status: "killed" });
    expect(outcome.error?.message).toContain("ended by itself (SIGKILL)");
    expect(reusable).toBe(false);
  });

  test("has an environment that says UTC and no more, and a folder of its own, which goes with it", async () => {
    const report =
      "process.send({ kind: 'outcome', id: '', outcome: { status: 1, receipt: [process.cwd(), process.env] }, cpuMsTotal: 0, rssBytes: 0 })";
    const cell = startCell({ ...options, command: script(`process.send({ kind: 'ready' }); process.on('message', () => ${report})`) });
    await cell.ready;
    const { outcome } = await cell.run({ ...request("1"), id: "" }, nobody);
    const [folder, env] = Object.values(outcome.receipt as object);
    expect(env).toEqual({ TZ: "UTC" });
    expect(existsSync(String(folder))).toBe(true);
    cell.kill("done");
    expect(await cell.exited).toBe("done");
    expect(existsSync(String(folder))).toBe(false);
  });

  test("that sends what is no answer is killed", async () => {
    const cell = startCell({
      ...options,
      command: script("process.send({ kind: 'outcome', id: 'other' }); process.on('message', () => {})"),
    });
    expect(cell.ready).rejects.toThrow("no answer");
    expect(await cell.exited).toContain("no answer");
  });

  test("dies with its parent, even inside an endless built-in", async () => {
    const parent = `
      const cell = Bun.spawn(${JSON.stringify(command)}, { env: {}, serialization: "advanced", stdio: ["ignore", "ignore", "ignore"],
        ipc: (message) => {
          if (message.kind !== "ready") return;
          cell.send({ kind: "execute", request: ${JSON.stringify(request(endless, { timeoutMs: 60_000 }))} });
          console.log(cell.pid);
        } });`;
    const process_ = Bun.spawn(script(parent), { stdout: "pipe", stderr: "inherit" });
    const { value } = await process_.stdout.getReader().read();
    const pid = Number(new TextDecoder().decode(value));
    expect(isAlive(pid)).toBe(true);
    process_.kill("SIGKILL");
    await process_.exited;
    await until("the orphaned cell is gone", () => !isAlive(pid));
  });
});

describe("cells that do not start", () => {
  test("are tried again with growing pauses, and programs are refused", async () => {
    const delays: number[] = [];
    const log = { warn: (details: object) => void delays.push(Number(Reflect.get(details, "delayMs"))) };
    const pool = open({ command: script("process.exit(3)"), spares: 0, log });
    const refused = pool.execute(request("1"));
    expect(refused).rejects.toBeInstanceOf(SandboxUnavailableError);
    await refused.catch(() => undefined);
    expect(delays).toEqual([50, 100, 200, 400, 800]);
    expect(pool.execute(request("1"))).rejects.toBeInstanceOf(SandboxUnavailableError);
  });

  test("a command that does not exist", async () => {
    const pool = open({ command: ["keelson-no-such-command"], spares: 0 });
    expect(pool.execute(request("1"))).rejects.toBeInstanceOf(SandboxUnavailableError);
    await pool.stop();
    expect(pool.started).rejects.toBeInstanceOf(SandboxUnavailableError);
  });
});

describe("the end", () => {
  test("drain finishes what waits and runs, and takes nothing new", async () => {
    const pool = open();
    const accepted = [1, 2, 3].map((input) => pool.execute(request("input", { input })));
    const drained = pool.drain();
    expect(pool.execute(request("4"))).rejects.toBeInstanceOf(SandboxUnavailableError);
    await drained;
    expect((await Promise.all(accepted)).map(({ output }) => output)).toEqual([1, 2, 3]);
    await pool.drain();
  });

  test("stop rejects what waits and runs, ends all cells, and may be called twice", async () => {
    const pool = open();
    await pool.started;
    const accepted = Promise.allSettled([pool.execute(request(endless, { timeoutMs: 60_000 })), pool.execute(request("1"))]);
    await Promise.all([pool.stop(), pool.stop()]);
    await pool.stop();
    for (const result of await accepted) {
      expect(result).toMatchObject({ status: "rejected", reason: { name: "SandboxUnavailableError" } });
    }
    expect(pool.stats()).toMatchObject({ idle: 0, busy: 0, waiting: 0, starting: 0 });
    expect(pool.execute(request("1"))).rejects.toBeInstanceOf(SandboxUnavailableError);
  });

  test("a pool that is stopped while its cells start leaves none behind", async () => {
    const pool = open({ size: 2 });
    await pool.stop();
    expect(pool.started).rejects.toBeInstanceOf(SandboxUnavailableError);
    expect(pool.stats()).toMatchObject({ idle: 0, starting: 0 });
  });
});

describe("programs that nobody waits for", () => {
  test("one that waits is not run, one that runs is ended, and the next is served at once", async () => {
    const pool = open({ size: 1 });
    await pool.started;
    const [running, waiting] = [request("while (true) {}", { timeoutMs: 5_000 }), request("1")];
    const [outcome, refusal] = [pool.execute(running), pool.execute(waiting)];
    refusal.catch(() => undefined);
    await until("it runs", () => pool.stats().busy === 1);
    pool.cancel(waiting.id);
    await expect(refusal).rejects.toThrow("nobody waits");
    pool.cancel(running.id);
    expect((await outcome).status).toBe("killed");
    expect((await pool.execute(request("1 + 1"))).output).toBe(2);
    pool.cancel("exe_unknown");
  });

  test("owners take turns: many programs of one do not hold up another's", async () => {
    const pool = open({ size: 1 });
    await pool.started;
    const order: string[] = [];
    const run = (owner: string) => pool.execute(request("1", { owner })).then(() => order.push(owner));
    await Promise.all([...Array.from({ length: 8 }, () => run("busy")), run("quiet")]);
    expect(order.indexOf("quiet")).toBeLessThanOrEqual(2);
  });

  test("one owner has only so many waiting", async () => {
    const pool = open({ size: 1, ownerQueueMax: 2 });
    await pool.started;
    const running = pool.execute(request("while (true) {}", { owner: "busy", timeoutMs: 500 }));
    await until("it runs", () => pool.stats().busy === 1);
    const accepted = [pool.execute(request("1", { owner: "busy" })), pool.execute(request("1", { owner: "busy" }))];
    await expect(pool.execute(request("1", { owner: "busy" }))).rejects.toThrow("waiting already");
    const other = pool.execute(request("2", { owner: "quiet" }));
    expect((await other).output).toBe(2);
    await Promise.all([running, ...accepted]);
  });
});
