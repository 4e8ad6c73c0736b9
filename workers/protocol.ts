import type { MessagePort } from "node:worker_threads";
import type { Config } from "../app/config.ts";
import type { QueueName } from "../app/platform/queue/catalogue.ts";
import type { ExecutionOutcome, ExecutionRequest } from "../sandbox/execution.ts";
import type { LifeCycle } from "./supervisor.ts";

/** What a thread is born with. Threads never read the environment. */
export interface ThreadData {
  readonly name: string;
  readonly config: Config;
  readonly databaseUrl: string;
  readonly keyEncryptionKey: Uint8Array;
}

export interface SandboxThreadData extends ThreadData {
  /** The command line that starts a cell. */
  readonly cellCommand: readonly string[];
}

export type CellStats = Readonly<Record<string, number>>;

/** The sandbox thread: answers the main thread, and each queue thread over a port of its own. */
export type SandboxCalls = {
  execute(request: ExecutionRequest): Promise<ExecutionOutcome>;
  cancel(input: { readonly id: string }): void;
};
export type SandboxThread = LifeCycle &
  SandboxCalls & {
    stats(input: Record<string, never>): CellStats;
    /** A queue thread wants to call `execute` over this port. */
    attach(input: { readonly port: MessagePort }): void;
  };

/** The bus thread: hands the outbox on and tells which watched subjects have news. */
export type BusThread = LifeCycle & {
  watch(input: { readonly subject: string }): void;
  unwatch(input: { readonly subject: string }): void;
  wakeOutbox(input: Record<string, never>): void;
  /** Something waits in this queue. */
  wakeTasks(input: { readonly queue: QueueName }): void;
};
export type MainForBus = {
  news(input: { readonly subjects: readonly string[] }): void;
};

/** A queue thread: works the queues. */
export type QueueThread = LifeCycle & {
  /** Where to have programs executed from now on. */
  attachSandbox(input: { readonly port: MessagePort }): void;
  /** Begin to take jobs; the channels are open now. */
  consume(input: Record<string, never>): Promise<void>;
};
export type MainForQueue = {
  wakeOutbox(input: Record<string, never>): void;
};

/** A side that answers nothing. */
export type NoMethods = Record<never, never>;
