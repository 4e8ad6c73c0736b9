import type { MessagePort } from "node:worker_threads";
import type { Config } from "../app/config.ts";
import type { Cursor } from "../app/platform/bus/port.ts";
import type { QueueName } from "../app/platform/queue/catalogue.ts";
import type { LiveEvent } from "../app/services/events/stream/live.ts";
import type { Guest } from "../app/services/sandbox/capabilities/broker.ts";
import type { ReceiptClaims } from "../app/services/sandbox/finish.ts";
import type { ExecutionOutcome, ExecutionRequest, HostAnswer, HostCall } from "../sandbox/execution.ts";
import type { LifeCycle } from "./supervisor.ts";

/** What a thread is born with. Threads never read the environment. */
export interface ThreadData {
  readonly name: string;
  readonly config: Config;
  readonly databaseUrl: string;
  /** The local root key. */
  readonly rootSecret: Uint8Array;
}

export interface SandboxThreadData extends ThreadData {
  /** The command line that starts a cell. */
  readonly cellCommand: readonly string[];
}

/** Whoever sent a program answers what it asks of its host. */
export type SandboxHost = {
  answerCall(input: { readonly id: string; readonly call: HostCall }): Promise<HostAnswer>;
};

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

/** The bus thread: hands the outbox on, tells which watched subjects have news, and forwards what streams follow. */
export type BusThread = LifeCycle & {
  /** Forward the events of exactly these patterns from now on; answers with the position after which all of them are. */
  follow(input: { readonly patterns: readonly string[] }): { readonly since: Cursor };
  watch(input: { readonly subject: string }): void;
  unwatch(input: { readonly subject: string }): void;
  wakeOutbox(input: Record<string, never>): void;
  /** Something waits in this queue. */
  wakeTasks(input: { readonly queue: QueueName }): void;
};
export type MainForBus = {
  /** Events that are followed, and how far the log has been read. */
  events(input: { readonly events: readonly LiveEvent[]; readonly through: Cursor }): void;
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
  /** A program that the thread has executed asks its host. */
  answerCall(input: { readonly guest: Guest; readonly call: HostCall }): Promise<HostAnswer>;
  signReceipt(input: ReceiptClaims): Promise<string>;
};
