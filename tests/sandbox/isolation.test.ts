import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createCellPool } from "../../workers/cell-pool.ts";
import { type Cell, startCell } from "../../workers/cell-process.ts";
import { request } from "./programs.ts";

const command = [process.execPath, `${import.meta.dir}/cell-entry.ts`];
const endless = "Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1)";
const nobody = () => Promise.reject(new Error("nobody answers"));

function statusOf(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
}

describe("a cell's process", () => {
  let cell: Cell;
  beforeAll(async () => {
    cell = startCell({ command, graceMs: 100, readyTimeoutMs: 10_000 });
    await cell.ready;
  });
  afterAll(() => cell.kill("done"));

  test.if(process.platform === "linux")("is nobody when it was started by root, and gains nothing by what it starts", () => {
    const status = statusOf(cell.pid);
    const isRoot = process.getuid?.() === 0;
    if (isRoot)
      expect([status.get("Uid"), status.get("Gid"), status.get("Groups")]).toEqual([
        "65534\t65534\t65534\t65534",
        "65534\t65534\t65534\t65534",
        "",
      ]);
    if (isRoot) expect([status.get("CapEff"), status.get("CapPrm")]).toEqual(["0000000000000000", "0000000000000000"]);
    expect(status.get("NoNewPrivs")).toBe("1");
  });

  test("strips types although it may not read the program's files any more", async () => {
    const { outcome } = await cell.run(request("const n: number = 2; n", { seed: "s", timeoutMs: 500 }), nobody);
    expect(outcome).toMatchObject({ status: "succeeded", output: 2 });
  });

  test("a killed program keeps what it has written", async () => {
    const doomed = startCell({ command, graceMs: 50, readyTimeoutMs: 10_000 });
    await doomed.ready;
    await doomed.run(request("console.log('of an earlier program')", { seed: "s" }), nobody);
    const { outcome } = await doomed.run(
      request(`console.log('a', 1); console.error('b\\n"');\n${endless}`, { seed: "s", timeoutMs: 100 }),
      nobody,
    );
    expect(outcome.status).toBe("killed");
    expect(outcome.logs).toMatchObject([
      { level: "log", message: "a 1" },
      { level: "error", message: 'b\n"' },
    ]);
    expect(outcome.receipt.cpuMs).toBeGreaterThan(50);
  });
});

describe("capability calls between cell and host", () => {
  const pool = createCellPool({ command, size: 2, graceMs: 100 });
  beforeAll(() => pool.started);
  afterAll(() => pool.stop());
  const granted = { capabilities: ["kv", "log"] } as const;

  test("are answered, in whatever order, while the program goes on", async () => {
    const order: string[] = [];
    const ask = async ({ argumentText }: { argumentText: string }) => {
      const { key } = JSON.parse(argumentText);
      await Bun.sleep(key === "slow" ? 60 : 1);
      order.push(key);
      return { ok: true, text: JSON.stringify(`${key} value`) };
    };
    const code =
      "const both = Promise.all([kv.get('slow'), kv.get('fast')]); let n = 0; for (let i = 0; i < 1e4; i++) n += i; [await both, n]";
    const outcome = await pool.execute(request(code, granted), ask);
    expect(outcome).toMatchObject({ status: "succeeded", output: [["slow value", "fast value"], 49_995_000], receipt: { hostCalls: 2 } });
    expect(order).toEqual(["fast", "slow"]);
  });

  test("refusals are errors that the program can catch", async () => {
    const ask = async () => ({ ok: false, text: JSON.stringify({ name: "LimitError", message: "no" }) });
    const outcome = await pool.execute(
      request("try { await kv.get('a') } catch (e) { [e.name, e.message, e instanceof Error] }", granted),
      ask,
    );
    expect(outcome.output).toEqual(["LimitError", "no", true]);
  });

  test("those nobody has awaited are waited for", async () => {
    const written: string[] = [];
    const ask = async ({ argumentText }: { argumentText: string }) => {
      await Bun.sleep(20);
      written.push(JSON.parse(argumentText).message);
      return { ok: true, text: "null" };
    };
    expect((await pool.execute(request("log('info', 'one'); log('info', 'two'); 3", granted), ask)).output).toBe(3);
    expect(written).toEqual(["one", "two"]);
  });

  test("waiting for an answer is part of the time limit", async () => {
    const outcome = await pool.execute(
      request("await kv.get('never')", { ...granted, timeoutMs: 100 }),
      () => new Promise(() => undefined),
    );
    expect(outcome.status).toBe("timeout");
    expect((await pool.execute(request("1 + 1"))).output).toBe(2);
  });

  test("a late answer is for nobody, least of all for the next program", async () => {
    const answer = Promise.withResolvers<{ ok: boolean; text: string }>();
    const one = createCellPool({ command, size: 1, spares: 0 });
    await one.started;
    expect((await one.execute(request("await kv.get('x')", { ...granted, timeoutMs: 50 }), () => answer.promise)).status).toBe("timeout");
    answer.resolve({ ok: true, text: '"late"' });
    const next = await one.execute(request("await kv.get('y')", granted), async () => ({ ok: true, text: '"own"' }));
    expect(next.output).toBe("own");
    await one.stop();
  });

  const cases: [name: string, code: string, output: unknown][] = [
    ["nothing that is not granted is there", "[typeof fetch, typeof events, typeof kv.get]", ["undefined", "undefined", "function"]],
    [
      "a hundred calls and no more",
      "let n = 0; try { for (;;) { await kv.get('a'); n += 1 } } catch (e) { [n, e.name] }",
      [100, "RangeError"],
    ],
    ["arguments are bounded", "try { await kv.set('a', 'x'.repeat(3e5)) } catch (e) { e.name }", "RangeError"],
    [
      "a program that breaks what the calls are made of breaks only itself",
      "JSON.parse = JSON.stringify = Promise.prototype.then = () => 'evil'; Promise.resolve = null; const p = kv.get('a'); p instanceof Promise",
      true,
    ],
  ];
  test.each(cases)("%s", async (_name, code, output) => {
    const outcome = await pool.execute(request(code, granted), async () => ({ ok: true, text: "1" }));
    expect(outcome).toMatchObject({ status: "succeeded", output });
  });

  test("a host that fails is told as such", async () => {
    const outcome = await pool.execute(request("try { await kv.get('a') } catch (e) { e.message }", granted), () =>
      Promise.reject(new Error("secret detail")),
    );
    expect(outcome.output).toBe("the host could not answer");
  });
});
