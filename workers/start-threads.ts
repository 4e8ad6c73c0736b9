import { MessageChannel } from "node:worker_threads";
import type { Config } from "../app/config.ts";
import type { Dependency } from "../app/http/health.ts";
import type { Feed } from "../app/platform/bus/feed.ts";
import type { Logger } from "../app/platform/logger.ts";
import type { QueueName } from "../app/platform/queue/catalogue.ts";
import { createLiveEvents, type LiveEvents } from "../app/services/events/stream/live.ts";
import type { SignReceipt } from "../app/services/sandbox/finish.ts";
import type { Answer } from "../app/services/sandbox/service.ts";
import { createBusFeed } from "./bus-feed.ts";
import type { Channel } from "./channel.ts";
import type { BusThread, MainForBus, MainForQueue, QueueThread, SandboxHost, SandboxThread, ThreadData } from "./protocol.ts";
import { createSandboxClient } from "./sandbox-client.ts";
import { ownCommand, spawnThread } from "./spawn.ts";
import { type SupervisedThread, superviseThread, type ThreadMethods } from "./supervisor.ts";

export interface ThreadsOptions {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly rootSecret: Uint8Array;
  readonly queueThreads: number;
  /** For what queue threads have executed: answers what programs ask, and signs their receipts. */
  readonly sandboxHost: { readonly answer: Answer; readonly sign: SignReceipt };
  readonly log: Logger;
}

const followMsMax = 10_000;
const statsMsMax = 2_000;

/**
 * All threads of one copy, as its roles ask for, and the lines between them: each queue thread gets a port of its own to the
 * sandbox thread, renewed when either of the two starts again.
 */
export function startThreads({ config, databaseUrl, rootSecret, queueThreads, sandboxHost, log }: ThreadsOptions) {
  const has = (role: Config["KEELSON_ROLES"][number]) => config.KEELSON_ROLES.includes(role);
  const data = (name: string): ThreadData => ({ name, config, databaseUrl, rootSecret });
  const feed = createBusFeed();
  const live: LiveEvents = createLiveEvents(async (patterns) => {
    const { since } = await bus.channel().call("follow", { patterns }, followMsMax);
    return since;
  });

  const listeners = new Set<(thread: string, restarts: number) => void>();
  const onRestarted = (thread: string) => (restarts: number) => {
    for (const listener of listeners) listener(thread, restarts);
  };

  const bus = superviseThread<MainForBus, BusThread>({
    name: "bus",
    spawn: () => spawnThread("bus", data("bus")),
    methods: { ...feed.methods, events: ({ events, through }) => live.take(events, through) },
    log,
    onRestarted: onRestarted("bus"),
    onReady: (channel) => {
      feed.attach(channel);
      // The supervisor lets calls through once this has returned.
      queueMicrotask(live.renew);
    },
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

  const sandboxClient = createSandboxClient(() => (sandbox?.state === "ready" ? sandbox.channel() : undefined));
  const sandbox: SupervisedThread<SandboxThread> | undefined = has("sandbox")
    ? superviseThread<SandboxHost, SandboxThread>({
        name: "sandbox",
        spawn: () => spawnThread("sandbox", { ...data("sandbox"), cellCommand: ownCommand("sandbox-cell") }),
        methods: sandboxClient.methods,
        log,
        onRestarted: onRestarted("sandbox"),
        onReady: (channel) => {
          for (const queue of queues) if (queue.state === "ready") connect(queue.channel(), channel);
        },
      })
    : undefined;

  const queues = Array.from({ length: has("queue") ? queueThreads : 0 }, (_, index) =>
    superviseThread<MainForQueue, QueueThread>({
      name: `queue-${index + 1}`,
      spawn: () => spawnThread("queue", data(`queue-${index + 1}`)),
      methods: { wakeOutbox, answerCall: ({ guest, call }) => sandboxHost.answer(guest, call), signReceipt: sandboxHost.sign },
      log,
      onRestarted: onRestarted(`queue-${index + 1}`),
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
    live,
    /** Calls back each time a thread is ready again after it died. */
    onRestarted: (listener: (thread: string, restarts: number) => void) => void listeners.add(listener),
    wakeOutbox,
    wakeTasks,
    started: Promise.all(all.map((thread) => thread.started)),
    execute: sandboxClient.execute,
    /** Undefined while this copy has no sandbox thread to ask. */
    cellStats: async () => (sandbox?.state === "ready" ? sandbox.channel().call("stats", {}, statsMsMax) : undefined),
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
