import { z } from "zod";

export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  readonly seconds: number;
  /** JSON to post, instead of a GET. */
  readonly body?: string;
  /** Arrivals at this rate whatever becomes of those before, instead of the next when the last is answered; waiting for a connection counts. */
  readonly perSecond?: number;
}

const report = z.object({
  requests: z.number(),
  seconds: z.number(),
  failed: z.number(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
});
export type LoadReport = z.infer<typeof report>;

/** What makes the load on this machine: `wrk` where it is installed, else a small generator of our own. */
export const loadGenerator = Bun.env.KEELSON_BENCH_LOAD ?? (Bun.which("wrk") ? "wrk" : "bun");

/** Requests over kept-alive connections, from a process of their own; those that post, or keep a rate, from the generator of our own. Throws when any is answered with anything but success. */
export async function generateLoad(load: Load): Promise<LoadReport> {
  const child = Bun.spawn([...command(load)], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const line = /^REPORT (?<json>.+)$/m.exec(await child.stdout.text())?.groups?.json;
  if (line === undefined) throw new Error(`${loadGenerator} gave no report`);
  const result = report.parse(JSON.parse(line));
  if (result.failed > 0 || result.requests === 0) throw new Error(`${result.failed} of ${result.requests} requests to ${load.url} failed`);
  return result;
}

function command(load: Load): readonly string[] {
  if (loadGenerator !== "wrk" || load.body !== undefined || load.perSecond !== undefined)
    return [process.execPath, beside("load-generator.ts"), JSON.stringify(load)];
  const headers = Object.entries(load.headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  return ["wrk", "-t1", `-c${load.connections}`, `-d${load.seconds}s`, "-s", beside("wrk-report.lua"), ...headers, load.url];
}

function beside(name: string): string {
  return new URL(name, import.meta.url).pathname;
}
