import { afterEach, describe, expect, test } from "bun:test";
import { type QueueName, queueNames } from "../../app/platform/queue/catalogue.ts";
import type { Delivery, DeliveryEnd, QueueConsumer, Queues } from "../../app/platform/queue/port.ts";
import { until } from "../until.ts";
import { job, queueAdapters } from "./queue.ts";

const done: DeliveryEnd = { kind: "done" };
const adapters = await queueAdapters();

describe.each(adapters)("queues on $name", ({ open, loseWorker }) => {
  const opened: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const it of opened.splice(0).reverse()) await it.stop();
  });

  const queues = (): Queues => {
    const it = open();
    opened.push({ stop: () => it.close() });
    return it;
  };
  const consume = (
    from: Queues,
    queue: QueueName,
    process: (delivery: Delivery) => Promise<DeliveryEnd>,
    concurrency = 1,
  ): QueueConsumer => {
    const consumer = from.consume(queue, { concurrency }, process);
    opened.push(consumer);
    return consumer;
  };

  test("a job arrives with its address, name, input and request", async () => {
    const it = queues();
    const seen: Delivery[] = [];
    await it.add([job({ taskId: "tsk_whole", queue: "email-send", input: { text: "grüße 👋", nested: [1, null] }, requestId: "req_1" })]);
    const consumer = consume(it, "email-send", async (delivery) => {
      seen.push(delivery);
      return done;
    });
    await consumer.started;
    await until("it arrived", () => seen.length === 1);
    expect(seen[0]).toEqual({
      taskId: "tsk_whole",
      queue: "email-send",
      name: "test.job",
      input: { text: "grüße 👋", nested: [1, null] },
      requestId: "req_1",
      attempt: 1,
      attemptsMax: 3,
      starts: 1,
    });
  });

  test("adding a task id twice, also at once and from two copies, is adding it once", async () => {
    const [a, b] = [queues(), queues()];
    const twin = job({ queue: "sms-message" });
    await Promise.all([a.add([twin]), b.add([twin])]);
    await a.add([twin, twin]);
    expect((await b.counts("sms-message")).waiting).toBe(1);
    let runs = 0;
    consume(a, "sms-message", async () => {
      runs += 1;
      return done;
    });
    await until("the queue is empty", async () => (await a.counts("sms-message")).completed === 1);
    expect(runs).toBe(1);
  });

  test("every job of a bulk is done exactly once by two consumers together", async () => {
    const [a, b] = [queues(), queues()];
    const jobs = Array.from({ length: 200 }, () => job({ queue: "webhook-delivery" }));
    await a.add(jobs);
    const runs = new Map<string, number>();
    const process = async ({ taskId }: Delivery) => {
      runs.set(taskId, (runs.get(taskId) ?? 0) + 1);
      return done;
    };
    consume(a, "webhook-delivery", process, 5);
    consume(b, "webhook-delivery", process, 5);
    await until("all are done", () => runs.size === jobs.length, 30_000);
    await until("the queue says so", async () => {
      const { waiting, active } = await a.counts("webhook-delivery");
      return waiting + active === 0;
    });
    expect([...runs.values()].every((count) => count === 1)).toBe(true);
  });

  test("no more jobs run at once than the concurrency allows, and it can be raised", async () => {
    const it = queues();
    const gate = Promise.withResolvers<void>();
    let running = 0;
    const consumer = consume(
      it,
      "push-notification",
      async () => {
        running += 1;
        await gate.promise;
        return done;
      },
      2,
    );
    await consumer.started;
    await it.add(Array.from({ length: 6 }, () => job({ queue: "push-notification" })));
    await until("two run", () => running === 2);
    expect((await it.counts("push-notification")).active).toBe(2);
    consumer.setConcurrency(4);
    gate.resolve();
    await until("all have run", () => running === 6);
  });

  test("retry delivers again, counts the attempt, and the last attempt says so", async () => {
    const it = queues();
    const attempts: Delivery[] = [];
    await it.add([job({ queue: "push-notification", taskId: "tsk_retry" })]);
    consume(it, "push-notification", async (delivery) => {
      attempts.push(delivery);
      return delivery.attempt === 2 ? done : { kind: "retry", reason: "not yet" };
    });
    await until("the second attempt", () => attempts.length === 2);
    expect(attempts.map(({ attempt, attemptsMax }) => [attempt, attemptsMax])).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  test("again delivers later without counting an attempt", async () => {
    const it = queues();
    const deliveries: { readonly attempt: number; readonly at: number }[] = [];
    await it.add([job({ queue: "notification-create" })]);
    consume(it, "notification-create", async ({ attempt }) => {
      deliveries.push({ attempt, at: performance.now() });
      return deliveries.length < 3 ? { kind: "again", delayMs: 50 } : done;
    });
    await until("the third delivery", () => deliveries.length === 3, 20_000);
    expect(deliveries.map(({ attempt }) => attempt)).toEqual([1, 1, 1]);
  });

  test("failed ends a job with attempts left", async () => {
    const it = queues();
    let runs = 0;
    await it.add([job({ queue: "llm-completion" })]);
    consume(it, "llm-completion", async () => {
      runs += 1;
      return { kind: "failed", reason: "hopeless" };
    });
    await until("it counts as failed", async () => (await it.counts("llm-completion")).failed === 1);
    expect(runs).toBe(1);
  });

  test("a delayed job waits its time", async () => {
    const it = queues();
    const arrived = Promise.withResolvers<number>();
    const addedAt = performance.now();
    await it.add([job({ queue: "run-start", delayMs: 300 })]);
    expect((await it.counts("run-start")).delayed).toBe(1);
    consume(it, "run-start", async () => {
      arrived.resolve(performance.now());
      return done;
    });
    expect((await arrived.promise) - addedAt).toBeGreaterThanOrEqual(290);
  });

  test("stop lets the running job end, takes no other, and is harmless twice; another consumer goes on", async () => {
    const it = queues();
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    const first = consume(it, "export-user-data", async ({ taskId }) => {
      seen.push(taskId);
      await gate.promise;
      return done;
    });
    await it.add([job({ queue: "export-user-data", taskId: "tsk_one" }), job({ queue: "export-user-data", taskId: "tsk_two" })]);
    await until("the first runs", () => seen.length === 1);
    const stopped = Promise.all([first.stop(), first.stop()]);
    gate.resolve();
    await stopped;
    expect(seen).toEqual(["tsk_one"]);
    consume(it, "export-user-data", async ({ taskId }) => {
      seen.push(taskId);
      return done;
    });
    await until("the second runs", () => seen.includes("tsk_two"));
    expect(seen).toEqual(["tsk_one", "tsk_two"]);
  });

  test("a job whose worker vanished is delivered again, with the same attempt and one more start", async () => {
    const living = queues();
    await living.add([job({ queue: "swarm-execution" })]);
    await loseWorker("swarm-execution");
    const again = Promise.withResolvers<Delivery>();
    consume(living, "swarm-execution", async (delivery) => {
      again.resolve(delivery);
      return done;
    });
    const { attempt, starts } = await again.promise;
    expect({ attempt, starts }).toEqual({ attempt: 1, starts: 2 });
  }, 60_000);

  test("ping answers, and counts exist for each of the twelve queues", async () => {
    const it = queues();
    await it.ping();
    expect(queueNames).toHaveLength(12);
    for (const name of queueNames) expect((await it.counts(name)).waiting).toBeGreaterThanOrEqual(0);
  });
});
