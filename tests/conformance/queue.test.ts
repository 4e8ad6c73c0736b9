import { afterEach, describe, expect, test } from "bun:test";
import { type QueueName, queueNames } from "../../app/platform/queue/catalogue.ts";
import type { Delivery, QueueConsumer, Queues } from "../../app/platform/queue/port.ts";
import { until } from "../until.ts";
import { job, queueAdapters } from "./queue.ts";

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
  const consume = (from: Queues, queue: QueueName, process: (delivery: Delivery) => Promise<void>, concurrency = 1): QueueConsumer => {
    const consumer = from.consume(queue, { concurrency }, process);
    opened.push(consumer);
    return consumer;
  };

  test("a job arrives with its address, name, input and request", async () => {
    const it = queues();
    const seen: Delivery[] = [];
    await it.add([
      job({
        taskId: "tsk_whole",
        round: 2,
        queue: "email-send",
        input: { text: "grüße 👋 \u0000 \ud800", nested: [1, null] },
        ownerId: "usr_1",
        requestId: "req_1",
        checkpoint: { step: 3 },
        attempt: 2,
      }),
    ]);
    const consumer = consume(it, "email-send", async (delivery) => {
      seen.push(delivery);
    });
    await consumer.started;
    await until("it arrived", () => seen.length === 1);
    expect(seen[0]).toEqual({
      taskId: "tsk_whole",
      round: 2,
      queue: "email-send",
      name: "test.job",
      input: { text: "grüße 👋 \u0000 \ud800", nested: [1, null] },
      ownerId: "usr_1",
      requestId: "req_1",
      checkpoint: { step: 3 },
      attempt: 2,
      attemptsMax: 3,
      timeoutMs: 1_000,
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
    });
    await until("the queue is empty", async () => {
      const { waiting, active } = await a.counts("sms-message");
      return runs > 0 && waiting + active === 0;
    });
    expect(runs).toBe(1);
  });

  test("every job of a bulk is done exactly once by two consumers together", async () => {
    const [a, b] = [queues(), queues()];
    const jobs = Array.from({ length: 200 }, () => job({ queue: "webhook-delivery" }));
    await a.add(jobs);
    const runs = new Map<string, number>();
    const process = async ({ taskId }: Delivery) => {
      runs.set(taskId, (runs.get(taskId) ?? 0) + 1);
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

  test("a delivery that could not be dealt with comes again, for as long as it takes", async () => {
    const it = queues();
    const starts: number[] = [];
    await it.add([job({ queue: "push-notification", taskId: "tsk_again" })]);
    consume(it, "push-notification", async (delivery) => {
      starts.push(delivery.starts);
      if (starts.length < 3) throw new Error("the record is out of reach");
    });
    await until("the third delivery", () => starts.length === 3, 20_000);
    expect(starts).toEqual([1, 2, 3]);
    await until("it is gone", async () => (await it.counts("push-notification")).active === 0);
  }, 30_000);

  test("another round of a task is another job; the queue forgets what is done", async () => {
    const it = queues();
    const rounds: number[] = [];
    const task = job({ queue: "notification-create", taskId: "tsk_rounds" });
    consume(it, "notification-create", async ({ round }) => {
      rounds.push(round);
    });
    await it.add([task, { ...task, round: 1 }]);
    await until("both rounds", () => rounds.length === 2);
    await until("they are gone", async () => (await it.counts("notification-create")).active === 0);
    await it.add([task]);
    await until("a round that is long done runs again when it is added again", () => rounds.length === 3);
    expect(rounds.toSorted()).toEqual([0, 0, 1]);
  });

  test("what waits can be taken back, what runs can not", async () => {
    const it = queues();
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    const [first, second] = [job({ queue: "llm-completion" }), job({ queue: "llm-completion" })];
    await it.add([first]);
    consume(it, "llm-completion", async ({ taskId }) => {
      seen.push(taskId);
      await gate.promise;
    });
    await until("the first runs", () => seen.length === 1);
    await it.add([second]);
    for (const task of [second, second, first]) await it.remove(task);
    gate.resolve();
    await until("nothing is left", async () => {
      const { waiting, active } = await it.counts("llm-completion");
      return waiting + active === 0;
    });
    expect(seen).toEqual([first.taskId]);
  });

  test("a paused queue hands out nothing, on any copy, until it is resumed", async () => {
    const [a, b] = [queues(), queues()];
    let runs = 0;
    await a.pause("run-start");
    const consumer = consume(b, "run-start", async () => {
      runs += 1;
    });
    await consumer.started;
    await a.add([job({ queue: "run-start" }), job({ queue: "run-start" })]);
    await Bun.sleep(300);
    expect(runs).toBe(0);
    expect(await a.counts("run-start")).toEqual({ waiting: 2, active: 0 });
    await b.resume("run-start");
    await until("both run", () => runs === 2);
  });

  test("stop lets the running job end, takes no other, and is harmless twice; another consumer goes on", async () => {
    const it = queues();
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    const first = consume(it, "export-user-data", async ({ taskId }) => {
      seen.push(taskId);
      await gate.promise;
    });
    await it.add([job({ queue: "export-user-data", taskId: "tsk_one" }), job({ queue: "export-user-data", taskId: "tsk_two" })]);
    await until("the first runs", () => seen.length === 1);
    const stopped = Promise.all([first.stop(), first.stop()]);
    gate.resolve();
    await stopped;
    expect(seen).toEqual(["tsk_one"]);
    consume(it, "export-user-data", async ({ taskId }) => {
      seen.push(taskId);
    });
    await until("the second runs", () => seen.includes("tsk_two"));
    expect(seen).toEqual(["tsk_one", "tsk_two"]);
  });

  test("a job whose worker vanished is delivered again, with one more start", async () => {
    const living = queues();
    await living.add([job({ queue: "swarm-execution" })]);
    await loseWorker("swarm-execution");
    const again = Promise.withResolvers<Delivery>();
    consume(living, "swarm-execution", async (delivery) => {
      again.resolve(delivery);
    });
    expect((await again.promise).starts).toBe(2);
  }, 60_000);

  test("ping answers, and counts exist for each of the twelve queues", async () => {
    const it = queues();
    await it.ping();
    expect(queueNames).toHaveLength(12);
    for (const name of queueNames) expect((await it.counts(name)).waiting).toBeGreaterThanOrEqual(0);
  });
});
