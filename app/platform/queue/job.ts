import type { z } from "zod";
import type { TaskUse } from "../../../db/schema/tasks.ts";
import type { Logger } from "../logger.ts";
import type { QueueName } from "./catalogue.ts";

/** What a job is called, where it waits and what it carries: the one value producer and handler share. */
export interface JobContract<Name extends string = string, Input = unknown> {
  readonly name: Name;
  readonly queue: QueueName;
  readonly input: z.ZodType<Input>;
}

export function defineJob<const Name extends string, Input>(contract: JobContract<Name, Input>): JobContract<Name, Input> {
  return Object.freeze(contract);
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
}

export interface JobContext {
  readonly taskId: string;
  /** On whose behalf; undefined for work of the system. */
  readonly ownerId: string | undefined;
  /** Aborted when the attempt must stop: over its time limit, cancelled, paused, or given to another worker. What it does after that is not recorded. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** 1 for the first try. */
  readonly attempt: number;
  /** What `save` kept in an earlier round of the task; undefined at its first. */
  readonly checkpoint: unknown;
  /** Keeps what the next round needs to go on from here instead of from the start: after a pause, a failure, or the loss of this worker. */
  save(checkpoint: unknown): Promise<void>;
  /** Shows on the task and its stream; each call replaces what the last one said. */
  progress(value: unknown): Promise<void>;
  /** Shows in the registry of running tasks; each call adds to what was said of the round before, or replaces it. */
  use(used: TaskUse): void;
  /** Adds lines to the task's stream. */
  lines(lines: readonly LogLine[]): Promise<void>;
}

/** Returns the task's result, or throws: any error means "try again while attempts are left", the two below say otherwise. */
export type JobHandler<Input> = (input: Input, context: JobContext) => Promise<unknown>;

/** Ends the task as failed at once, however many attempts are left. */
export class GiveUp extends Error {
  override readonly name = "GiveUp";
}

/** Puts the job back for `delayMs` without counting an attempt. */
export class TryAgainIn extends Error {
  override readonly name = "TryAgainIn";
  readonly delayMs: number;

  constructor(delayMs: number) {
    super(`asked to be tried again in ${delayMs} ms`);
    this.delayMs = delayMs;
  }
}

export function giveUp(reason: string, cause?: unknown): never {
  throw new GiveUp(reason, { cause });
}

export function tryAgainIn(delayMs: number): never {
  throw new TryAgainIn(delayMs);
}
