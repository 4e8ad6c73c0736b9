import type { Tx } from "../../../../db/client.ts";
import type { Pattern } from "../pattern.ts";
import type { StoredEvent } from "../port.ts";

/** A durable subscription in code: which events it takes, and how they come. Copies that run it share the work. */
export interface GroupContract {
  /** Under this name the database remembers how far it has come. */
  readonly name: string;
  readonly patterns: readonly Pattern[];
  /** Where one that is new begins: with the oldest event that is kept, or with the next. */
  readonly from: "start" | "end";
  /** So many handlers run at once. Events of one key (`key`, or the subject) go one after the other. */
  readonly concurrency: number;
  /** So many events a call, waiting up to `waitMs` for more once there is one. */
  readonly batch: { readonly size: number; readonly waitMs: number };
  /** Waited before each further try; after the last one they are dead letters. */
  readonly retryAfterMs: readonly number[];
  /** For one try. */
  readonly timeoutMs: number;
}

const usual = {
  from: "end",
  concurrency: 1,
  batch: { size: 1, waitMs: 0 },
  retryAfterMs: [200, 1_000, 5_000],
  timeoutMs: 30_000,
} as const satisfies Partial<GroupContract>;

/** Unless it says otherwise a group begins with the next event and handles one at a time, three times more when that fails. */
export function defineGroup(given: Pick<GroupContract, "name" | "patterns"> & Partial<GroupContract>): GroupContract {
  return Object.freeze({ ...usual, ...given });
}

export interface GroupContext {
  /** Aborted when the try has taken too long, or the group ends here. What it does after that is done again elsewhere. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
  /**
   * Runs `effect` in a transaction unless one has committed for this event in this group: a delivery that comes again has no second effect. Returns whether
   * it ran.
   */
  once(event: Pick<StoredEvent, "id">, effect: (tx: Tx) => Promise<void>): Promise<boolean>;
}

/** Handles a batch of one key's lane, in order; throwing means "again", and `GiveUp` "never again". Events come at least once. */
export type GroupHandler = (events: readonly StoredEvent[], context: GroupContext) => Promise<void>;
