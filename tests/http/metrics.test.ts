import { describe, expect, test } from "bun:test";
import postgres from "postgres";
import { Registry } from "prom-client";
import { requestHistogram } from "../../app/http/metrics.ts";
import { request, signUp } from "../client.ts";
import { startTestCopy } from "../copy.ts";
import { expectProblem } from "../problem.ts";
import { sharedCopy } from "../shared-copy.ts";
import { tasksOf } from "../tasks/tasks.ts";
import { until } from "../until.ts";

const running = sharedCopy("postgres");
const scrape = async (): Promise<string> => (await request(running.url, "/metrics")).body;
/** The value of a series as the text has it; undefined when it is not there. */
const valueIn = (text: string, series: string): number | undefined => {
  const line = text.split("\n").find((it) => it.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

describe("/metrics", () => {
  test("is Prometheus' text format, with the process and the requests", async () => {
    await request(running.url, "/v1/nothing");
    const { status, headers } = await request(running.url, "/metrics");
    expect([status, headers.get("content-type"), headers.get("cache-control")]).toEqual([
      200,
      "text/plain; version=0.0.4; charset=utf-8",
      "no-store",
    ]);
    const text = await scrape();
    expect(valueIn(text, "process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
    const count = 'keelson_http_request_duration_seconds_count{method="GET",status="4xx"}';
    const before = valueIn(text, count) ?? 0;
    expect(before).toBeGreaterThan(0);
    await request(running.url, "/v1/nothing");
    const after = await scrape();
    expect(valueIn(after, count)).toBe(before + 1);
  });

  test("tells how the queues stand", async () => {
    const tasks = tasksOf(running.url, await signUp(running.url));
    await tasks.add("1", { delayMs: 3_600_000 });
    await tasks.add("2");
    await until("it tells of both", async () => {
      const text = await scrape();
      return (
        valueIn(text, 'keelson_queue_tasks{queue="sandbox-execution",status="delayed"}') === 1 &&
        (valueIn(text, 'keelson_queue_run_seconds{queue="sandbox-execution",quantile="0.5"}') ?? 0) > 0 &&
        valueIn(text, 'keelson_queue_concurrency{queue="sandbox-execution"}') === 5 &&
        valueIn(text, "keelson_queues_up") === 1
      );
    });
  });
});

test("methods that somebody made up are one series", async () => {
  const metrics = new Registry();
  const observe = requestHistogram(metrics);
  for (const method of ["BREW", "WHEN", "GET"]) observe(method, 405, 0.003);
  const text = await metrics.metrics();
  expect(text.match(/^keelson_http_request_duration_seconds_count.*$/gm)).toEqual([
    'keelson_http_request_duration_seconds_count{method="other",status="4xx"} 2',
    'keelson_http_request_duration_seconds_count{method="GET",status="4xx"} 1',
  ]);
});

test("while the database is away the rest is told all the same", async () => {
  await using copy = await startTestCopy("postgres");
  const sql = postgres(copy.config.DATABASE_URL ?? "", { max: 1 });
  await sql`alter table workers rename to workers_away`;
  await until("it says so", async () => valueIn((await request(copy.url, "/metrics")).body, "keelson_queues_up") === 0);
  await sql`alter table workers_away rename to workers`;
  await sql.end();
}, 30_000);

test("with a token it is for who shows it", async () => {
  const token = "0123456789abcdef0123456789abcdef";
  await using copy = await startTestCopy("postgres", { KEELSON_METRICS_TOKEN: token });
  expectProblem(await request(copy.url, "/metrics"), "unauthenticated");
  expectProblem(await request(copy.url, "/metrics", { token: `${token}0` }), "unauthenticated");
  expect((await request(copy.url, "/metrics", { token })).status).toBe(200);
});
