import { Queue, Worker } from "bullmq";
import type { Logger } from "../logger.ts";
import { openRedis, type RedisTarget } from "../redis.ts";
import { createBullQueues } from "./bullmq.ts";
import type { Queues } from "./port.ts";

/** Queues on Redis: one shared connection for commands, one blocking connection per consumer. */
export function openRedisQueues(options: { readonly target: RedisTarget; readonly prefix: string; readonly log: Logger }): Queues {
  const command = openRedis(options.target, "command");
  const patient = openRedis(options.target, "blocking");
  const prefix = `${options.prefix}:queue`;
  return createBullQueues(
    {
      openQueue: (name, settings) => new Queue(name, { ...settings, connection: command, prefix }),
      openWorker: (name, process, settings) => new Worker(name, process, { ...settings, connection: patient, prefix }),
      ping: async () => {
        await command.ping();
      },
      close: async () => {
        command.disconnect();
        patient.disconnect();
      },
    },
    options.log,
  );
}
