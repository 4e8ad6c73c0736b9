import { MessageChannel } from "node:worker_threads";
import type { Config } from "../app/config.ts";
import type { Dependency } from "../app/http/health.ts";
import type { Feed } from "../app/platform/bus/feed.ts";
import type { Logger } from "../app/platform/logger.ts";
import type { QueueName } from "../app/platform/queue/catalogue.ts";
import { createBusFeed } from "./bus-feed.ts";
import type { Channel } from "./channel.ts";
import type { BusThread, MainForBus, MainForQueue, NoMethods, QueueThread, SandboxThread, ThreadData } from "./protocol.ts";
import { ownCommand, spawnThread } from "./spawn.ts";
import { type SupervisedThread, superviseThread, type ThreadMethods } from "./supervisor.ts";

export interface ThreadsOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly keyEncryptionKey: Uint8Array;
  readonly queueThreads: number;
  readonly log: Logger;
}

/**
 * All threads of one copy, as its roles ask for, and the lines between them: each queue thread gets a port of its own to the
 * sandbox thread, renewed when either of the two starts again.
 */
export function startThreads({ config, databaseUrl, keyEncryptionKey, queueThreads, log }: ThreadsOptions) {
  const has = (role: Config["KEELSON_ROLES"][number]) => config.KEELSON_ROLES.includes(role);
  const data = (name: string): ThreadData => ({ name, config, databaseUrl, keyEncryptionKey });
  const feed = createBusFeed();

  const bus = superviseThread<MainForBus, BusThread>({
    name: "bus",
    spawn: () => spawnThread("bus", data("bus")),
    methods: feed.methods,
    log,
    onReady: feed.attach,
  });

  const whenReady = (thread: SupervisedThread<BusThread>, act: (channel: Channel<BusThread>) => void) => {
    if (thread.state === "ready") act(thread.channel());
  };
  // Lost while the bus thread starts again; then it looks into the outbox by itself.
  const wakeOutbox = () => whenReady(bus, (channel) => channel.tell("wakeOutbox", {}));
  const wakeTasks = (queue: QueueName) => whenReady(bus, (channel) => channel.tell("wakeTasks", { queue }));

  const connect = (queueChannel: Channel<QueueThread>, sandboxChannel: Channel<SandboxThread>) => {
    const { port1, port2 } = new MessageChannel();
    sandboxChannel.tell("attach", { port: port1 }, [port1]);
    queueChannel.tell("attachSandbox", { port: port2 }, [port2]);
  };

  const sandbox = has("sandbox")
    ? superviseThread<NoMethods, SandboxThread>({
        name: "sandbox",
        spawn: () => spawnThread("sandbox", { ...data("sandbox"), cellCommand: ownCommand("sandbox-cell") }),
        methods: {},
        log,
        onReady: (channel) => {
          for (const queue of queues) if (queue.state === "ready") connect(queue.channel(), channel);
        },
      })
    : undefined;

  const queues = Array.from({ length: has("queue") ? queueThreads : 0 }, (_, index) =>
    superviseThread<MainForQueue, QueueThread>({
      name: `queue-${index + 1}`,
      spawn: () => spawnThread("queue", data(`queue-${index + 1}`)),
      methods: { wakeOutbox },
      log,
      onReady: (channel) => {
        if (sandbox?.state === "ready") connect(channel, sandbox.channel());
        channel.tell("consume", {});
      },
    }),
  );

  const all: readonly Pick<SupervisedThread<ThreadMethods>, "name" | "state" | "started" | "stop">[] = [
    bus,
    ...(sandbox ? [sandbox] : []),
    ...queues,
  ];
  return {
    bus,
    sandbox,
    queues,
    feed: feed satisfies Feed,
    wakeOutbox,
    wakeTasks,
    started: Promise.all(all.map((thread) => thread.started)),
    /** Undefined while this copy has no sandbox thread to ask. */
    sandboxChannel: () => (sandbox?.state === "ready" ? sandbox.channel() : undefined),
    dependencies: all.map(
      (thread): Dependency => ({
        name: `${thread.name} thread`,
        check: () => {
          if (thread.state !== "ready") throw new Error(`the thread is ${thread.state}`);
        },
      }),
    ),
    /** Lets running jobs, then running programs, end. */
    drain: async (graceMs: number) => {
      await Promise.all(queues.map((queue) => queue.drain(graceMs)));
      await sandbox?.drain(graceMs);
    },
    /** In the order in which they need each other: consumers first, the sandbox they ask last. */
    stop: async () => {
      await Promise.all(queues.map((queue) => queue.stop()));
      await bus.stop();
      await sandbox?.stop();
    },
  };
}
