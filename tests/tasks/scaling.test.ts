import { describe, expect, test } from "bun:test";
import postgres from "postgres";
import { request, signUp } from "../client.ts";
import { substrates } from "../copy.ts";
import { sharedCopy } from "../shared-copy.ts";
import { until } from "../until.ts";

describe.each(await substrates())("scaling on %s", (substrate) => {
  const queues = JSON.stringify({ "run-start": { concurrencyMin: 1, concurrencyMax: 8 } });
  const running = sharedCopy(substrate, { KEELSON_QUEUES: queues, KEELSON_QUEUE_THREADS: "1" });

  test("a queue that has more to do than its workers can gets more, up to its bound, and shows it", async () => {
    const { token } = await signUp(running.url);
    const queue = async () => (await request(running.url, "/v1/queues/run-start", { token })).body.queue;
    await until("its workers have reported", async () => (await queue()).concurrency.current === 1);
    // A rest as short as this holds its worker.
    const body = { steps: [{ name: "rest", waitMs: 1_500 }] };
    for (let n = 0; n < 30; n += 1) expect((await request(running.url, "/v1/runs", { token, body })).status).toBe(202);
    const database = postgres(running.config.DATABASE_URL ?? "", { max: 1 });
    let most = 0;
    await until(
      "all have ended",
      async () => {
        const [row] = await database`select count(*) filter (where status = 'active')::int as active,
          count(*) filter (where finished_at is null)::int as open from tasks where queue = 'run-start'`;
        most = Math.max(most, row?.active);
        return row?.open === 0;
      },
      40_000,
    );
    await database.end();
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(8);
    await until("it shows", async () => (await queue()).concurrency.current > 2);
    expect((await queue()).concurrency).toMatchObject({ min: 1, max: 8 });
  }, 60_000);
});
