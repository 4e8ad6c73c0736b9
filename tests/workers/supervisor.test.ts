import { expect, test } from "bun:test";
import { Worker } from "node:worker_threads";
import type { LifeCycle } from "../../workers/supervisor.ts";
import { superviseThread } from "../../workers/supervisor.ts";
import { testLogger } from "../services.ts";
import { until } from "../until.ts";

type TestThread = LifeCycle & {
  echo(input: string): string;
  hang(input: Record<string, never>): Promise<void>;
  throwLater(input: Record<string, never>): void;
};

function supervise(data: Readonly<Record<string, boolean>> = {}, readyTimeoutMs = 5_000) {
  const channels: unknown[] = [];
  const thread = superviseThread<Record<never, never>, TestThread>({
    name: "test",
    spawn: () => new Worker(new URL("./supervised-thread.ts", import.meta.url), { workerData: data }),
    methods: {},
    log: testLogger("supervisor"),
    onReady: (channel) => channels.push(channel),
    readyTimeoutMs,
  });
  return { thread, channels };
}

test("it starts, answers, and stops; stopping twice is harmless and final", async () => {
  const { thread } = supervise();
  expect(thread.state).toBe("starting");
  await thread.started;
  expect(await thread.channel().call("echo", "hello", 1_000)).toBe("hello");
  await Promise.all([thread.stop(), thread.stop()]);
  await thread.stop();
  expect(thread.state).toBe("stopped");
  expect(() => thread.channel()).toThrow("the test thread is stopped");
});

test.each(["throwLater", "kill"] as const)("a thread that dies (%s) fails what is in flight and is started again", async (death) => {
  const { thread, channels } = supervise();
  await thread.started;
  const inFlight = thread
    .channel()
    .call("hang", {}, 30_000)
    .catch((thrown: unknown) => thrown);
  if (death === "kill") await thread.kill();
  else thread.channel().tell("throwLater", {});
  expect(await inFlight).toMatchObject({ name: "ChannelError", message: "the test thread ended" });
  await until("it is ready again", () => thread.state === "ready" && thread.restarts === 1);
  expect(await thread.channel().call("echo", "again", 1_000)).toBe("again");
  expect(channels).toHaveLength(2);
  await thread.stop();
});

test("one that dies again and again is started ever more slowly, and stop ends that", async () => {
  const { thread } = supervise();
  await thread.started;
  const gaps: number[] = [];
  for (let death = 1; death <= 3; death += 1) {
    const died = performance.now();
    await thread.kill();
    await until("it is back", () => thread.state === "ready" && thread.restarts === death);
    gaps.push(performance.now() - died);
  }
  expect(gaps[2]).toBeGreaterThanOrEqual(400);
  await thread.kill();
  await thread.stop();
  expect(thread.state).toBe("stopped");
});

test("one that can't start, or never says ready, rejects `started` with the reason", async () => {
  const broken = supervise({ failsToStart: true });
  expect(await broken.thread.started.catch((thrown: Error) => thrown.message)).toContain("no start today");
  const silent = supervise({ neverReady: true }, 100);
  expect(await silent.thread.started.catch((thrown: Error) => thrown.message)).toContain("not ready within 100 ms");
});

test("one that does not answer stop is ended all the same", async () => {
  const { thread } = supervise({ stopHangs: true });
  await thread.started;
  await thread.stop();
  expect(thread.state).toBe("stopped");
}, 10_000);

test("stress: twenty threads killed and stopped at random moments all end stopped", async () => {
  const threads = Array.from({ length: 20 }, () => supervise().thread);
  await Promise.all(threads.map((thread) => thread.started));
  await Promise.all(
    threads.map(async (thread, n) => {
      if (n % 2) await thread.kill();
      await Bun.sleep(n * 7);
      await Promise.all([thread.kill(), thread.stop(), thread.stop()]);
    }),
  );
  expect(threads.every((thread) => thread.state === "stopped")).toBe(true);
}, 30_000);
