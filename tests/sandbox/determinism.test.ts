import { describe, expect, test } from "bun:test";
import { run } from "./programs.ts";

const restless = `
  const seen = [Math.random(), Date.now(), new Date().toISOString(), Date(), new Date(2020, 0, 1).getTimezoneOffset()];
  for (let i = 0; i < 3e5; i++) Math.random();
  console.log("later", Date.now() - seen[1]);
  ({ seen, later: Date.now(), keys: Object.keys({ b: 1, a: 2 }), sorted: [3, 1, 2].sort(() => Math.random() - 0.5), when: await Promise.resolve(Math.random()) })`;

describe("a deterministic run", () => {
  test("gives the same outcome and receipt, byte for byte, also after others and in another instance", async () => {
    const options = { seed: "s", deterministic: true, input: { n: 1 } };
    const first = JSON.stringify(await run(restless, options));
    await run("const a = Array.from({ length: 1e5 }, () => ({})); a.length");
    expect(JSON.stringify(await run(restless, options))).toBe(first);
    await run("1", { memoryBytes: 32 * 1024 * 1024 });
    expect(JSON.stringify(await run(restless, options))).toBe(first);
    expect(JSON.stringify(await run(restless, { ...options, seed: "t" }))).not.toBe(first);
  });

  test("has a clock that begins in 2000 and moves with the work that is done, for the log and the receipt too", async () => {
    const { output, logs, receipt } = await run(restless, { seed: "s", deterministic: true });
    const { seen, later } = output as { seen: [number, number, string, string, number]; later: number };
    expect(seen.slice(1)).toEqual([
      946_684_800_000,
      "2000-01-01T00:00:00.000Z",
      expect.stringContaining("Jan 01 2000 00:00:00 GMT+0000"),
      0,
    ]);
    expect(later).toBeGreaterThan(seen[1]);
    expect(logs).toEqual([{ level: "log", message: `later ${later - seen[1]}`, atMs: later - seen[1] }]);
    expect(receipt).toMatchObject({ deterministic: true, seed: "s", wallMs: receipt.cpuMs });
    expect(Number.isInteger(receipt.wallMs)).toBe(true);
  });

  test("is still stopped by the real clock", async () => {
    expect((await run("for (;;);", { seed: "s", deterministic: true, timeoutMs: 50 })).status).toBe("timeout");
  });

  test("otherwise the clock is real, and in UTC", async () => {
    const before = Date.now();
    const { output } = await run("Date.now()");
    expect(output).toBeGreaterThanOrEqual(before);
    expect(output).toBeLessThanOrEqual(Date.now());
  });
});
