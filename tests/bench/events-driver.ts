import { Redis } from "ioredis";
import postgres from "postgres";
import { z } from "zod";
import { defineGroup } from "../../app/platform/bus/group/contract.ts";
import { runGroup } from "../../app/platform/bus/group/run.ts";
import { createGroupStore } from "../../app/platform/bus/group/store.ts";
import { compilePatterns } from "../../app/platform/bus/pattern.ts";
import { newId } from "../../app/platform/ids.ts";
import { createLogger } from "../../app/platform/logger.ts";
import { openBus } from "../../app/platform/substrate.ts";
import { openDatabase } from "../../db/client.ts";
import { answerParent, argumentOf } from "./child.ts";
import { percentile } from "./harness.ts";

// Publishes events and handles them in one process: through the bus and a durable group, or through the store itself.
const argument = argumentOf(
  z.object({ side: z.enum(["keelson", "raw"]), databaseUrl: z.string(), redisUrl: z.string().optional(), prefix: z.string() }),
);

interface Event {
  readonly n: number;
  readonly sentAt: number;
}

interface Part {
  publish(events: readonly Event[]): Promise<unknown>;
  /** From now on, what is published. */
  consume(handle: (event: Event) => void): void;
}

const batchMax = 500;

function keelson(): Part {
  const log = createLogger({ level: "warn", part: "bench" });
  const config = {
    redis: argument.redisUrl ? ({ kind: "single", url: argument.redisUrl } as const) : undefined,
    KEELSON_KEY_PREFIX: argument.prefix,
  };
  const bus = openBus({ config, databaseUrl: argument.databaseUrl }, { connectionsMax: 4, applicationName: "keelson bench", log });
  const { db } = openDatabase({ url: argument.databaseUrl, connectionsMax: 3, applicationName: "keelson bench" });
  return {
    publish: (events) =>
      bus.publish(
        events.map((data) => ({
          id: newId("event"),
          type: "bench.happened",
          time: new Date().toISOString(),
          key: `k${data.n % 100}`,
          data,
        })),
      ),
    consume: (handle) => {
      const contract = defineGroup({ name: "bench", patterns: ["bench.*"], batch: { size: batchMax, waitMs: 0 } });
      runGroup({ bus, store: createGroupStore(db), bury: async () => undefined, log }, contract, async (events) => {
        for (const { data } of events) handle(data as Event);
      });
    },
  };
}

/** What a program would write that has nothing but Redis: XADD and XREADGROUP, in batches, acknowledged. */
function rawRedis(url: string): Part {
  const [writing, reading] = [new Redis(url), new Redis(url)];
  const stream = `${argument.prefix}:raw`;
  return {
    publish: async (events) => {
      const pipeline = writing.pipeline();
      for (const event of events)
        pipeline.xadd(
          stream,
          "*",
          "e",
          JSON.stringify({
            id: newId("event"),
            type: "bench.happened",
            time: new Date().toISOString(),
            key: `k${event.n % 100}`,
            data: event,
          }),
        );
      await pipeline.exec();
    },
    consume: (handle) => {
      const run = async () => {
        await reading.xgroup("CREATE", stream, "bench", "$", "MKSTREAM").catch(() => undefined);
        const matches = compilePatterns(["bench.*"]);
        for (;;) {
          const reply = await reading.xreadgroup("GROUP", "bench", "one", "COUNT", batchMax, "BLOCK", 2_000, "STREAMS", stream, ">");
          const entries = (Array.isArray(reply) ? reply[0] : undefined) as [string, [string, string[]][]] | undefined;
          for (const [, fields] of entries?.[1] ?? []) {
            const event = JSON.parse(fields[1] ?? "{}");
            if (matches(event.type)) handle(event.data);
          }
          if (entries) void writing.xack(stream, "bench", ...entries[1].map(([id]) => id));
        }
      };
      void run();
    },
  };
}

/** The same for a table in PostgreSQL: inserts in batches, and reads after the last number, woken by a notification. */
function rawPostgres(url: string): Part {
  const sql = postgres(url, { max: 4, onnotice: () => undefined });
  let created: Promise<unknown> | undefined;
  const ready = () =>
    (created ??= sql`create table if not exists raw_events (seq bigint generated always as identity primary key, event text not null)`);
  return {
    publish: async (events) => {
      await ready();
      await sql`insert into raw_events (event) select * from unnest(${events.map((event) => JSON.stringify(event))}::text[])`;
      await sql`select pg_notify('raw', '')`;
    },
    consume: (handle) => {
      const run = async () => {
        await ready();
        let wake = Promise.withResolvers<void>();
        await sql.listen("raw", () => wake.resolve());
        for (let last = "0"; ; ) {
          wake = Promise.withResolvers();
          const rows = await sql`select seq::text, event from raw_events where seq > ${last}::text::bigint order by seq limit ${batchMax}`;
          for (const { event } of rows) handle(JSON.parse(event));
          last = rows.at(-1)?.seq ?? last;
          if (rows.length === 0) await Promise.race([wake.promise, Bun.sleep(1_000)]);
        }
      };
      void run();
    },
  };
}

const raw = () => (argument.redisUrl ? rawRedis(argument.redisUrl) : rawPostgres(argument.databaseUrl));
const part = argument.side === "keelson" ? keelson() : raw();
let onEvent: (event: Event) => void = () => undefined;
part.consume((event) => onEvent(event));
await Bun.sleep(1_500);

const sizes = z.object({ events: z.number(), batch: z.number(), inFlight: z.number() });
const pace = z.object({ perSecond: z.number(), seconds: z.number() });

answerParent({
  /** Events a second, from the first publish to the last that is handled. */
  throughput: async (input) => {
    const { events, batch, inFlight } = sizes.parse(input);
    let handled = 0;
    const all = Promise.withResolvers<void>();
    onEvent = () => {
      handled += 1;
      if (handled === events) all.resolve();
    };
    const startedAt = performance.now();
    let next = 0;
    const lane = async () => {
      while (next < events) {
        const from = next;
        next += batch;
        await part.publish(Array.from({ length: Math.min(batch, events - from) }, (_, n) => ({ n: from + n, sentAt: 0 })));
      }
    };
    await Promise.all(Array.from({ length: inFlight }, lane));
    const published = performance.now() - startedAt;
    await all.promise;
    return { publish: events / (published / 1_000), both: events / ((performance.now() - startedAt) / 1_000) };
  },
  /** From before it is published to its handling, at a steady rate; milliseconds. */
  latency: async (input) => {
    const { perSecond, seconds } = pace.parse(input);
    const waits: number[] = [];
    const total = perSecond * seconds;
    const all = Promise.withResolvers<void>();
    onEvent = ({ sentAt }) => {
      waits.push(performance.now() - sentAt);
      if (waits.length === total) all.resolve();
    };
    const startedAt = performance.now();
    const publishing: Promise<unknown>[] = [];
    for (let sent = 0; sent < total; ) {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond) + 1);
      const sentAt = performance.now();
      for (; sent < due; sent += 1) publishing.push(part.publish([{ n: sent, sentAt }]));
      await Bun.sleep(1);
    }
    await Promise.all(publishing);
    await all.promise;
    const sorted = waits.toSorted((a, b) => a - b);
    return { p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) };
  },
});
