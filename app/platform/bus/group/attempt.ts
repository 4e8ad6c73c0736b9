import type { Logger } from "../../logger.ts";
import { GiveUp } from "../../queue/job.ts";
import { pause } from "../keep-running.ts";
import type { StoredEvent } from "../port.ts";
import type { GroupContract, GroupHandler } from "./contract.ts";
import type { GroupStore } from "./store.ts";

export interface AttemptDeps {
  readonly contract: GroupContract;
  readonly handle: GroupHandler;
  readonly store: Pick<GroupStore, "once">;
  readonly log: Logger | undefined;
}

/** How a batch ended: undefined when the group was stopped before that. */
export type Outcome =
  | { readonly failures: readonly { readonly event: StoredEvent; readonly attempts: number; readonly error: Error }[] }
  | undefined;

/** Hands a batch over, again and again as its contract says; what then still fails in company is tried alone, so that one event does not bury its neighbours. */
export async function attempt(deps: AttemptDeps, events: readonly StoredEvent[], signal: AbortSignal): Promise<Outcome> {
  const { failure, rounds } = await tryUntilGood(deps, events, signal);
  if (signal.aborted && failure !== "none") return undefined;
  if (failure === "none") return { failures: [] };
  return events.length === 1
    ? { failures: events.map((event) => ({ event, attempts: rounds, error: failure })) }
    : eachAlone(deps, events, signal);
}

async function tryUntilGood(
  deps: AttemptDeps,
  events: readonly StoredEvent[],
  signal: AbortSignal,
): Promise<{ readonly failure: Error | "none"; readonly rounds: number }> {
  const { retryAfterMs, name } = deps.contract;
  for (let round = 1; ; round += 1) {
    const error = await tryOnce(deps, { events, attempt: round, signal });
    if (!error) return { failure: "none", rounds: round };
    if (!signal.aborted) deps.log?.warn({ err: error, group: name, events: events.length, attempt: round }, "events could not be handled");
    const waitMs = retryAfterMs[round - 1];
    if (waitMs === undefined || error instanceof GiveUp || signal.aborted) return { failure: error, rounds: round };
    await pause(withJitter(waitMs), signal);
    if (signal.aborted) return { failure: error, rounds: round };
  }
}

async function eachAlone(deps: AttemptDeps, events: readonly StoredEvent[], signal: AbortSignal): Promise<Outcome> {
  const failures: NonNullable<Outcome>["failures"][number][] = [];
  const attempts = deps.contract.retryAfterMs.length + 2;
  for (const event of events) {
    const error = await tryOnce(deps, { events: [event], attempt: attempts, signal });
    if (signal.aborted) return undefined;
    if (error) failures.push({ event, attempts, error });
  }
  return { failures };
}

interface Try {
  readonly events: readonly StoredEvent[];
  readonly attempt: number;
  readonly signal: AbortSignal;
}

/** Returns why it failed. A handler that takes too long is no longer waited for. */
async function tryOnce({ contract, handle, store }: AttemptDeps, { events, attempt: round, signal }: Try): Promise<Error | undefined> {
  const late = new AbortController();
  const tooLong = Promise.withResolvers<Error>();
  const timer = setTimeout(() => {
    tooLong.resolve(new Error(`took longer than ${contract.timeoutMs} ms`));
    late.abort();
  }, contract.timeoutMs);
  const context = {
    signal: AbortSignal.any([signal, late.signal]),
    attempt: round,
    once: (event: Pick<StoredEvent, "id">, effect: Parameters<GroupStore["once"]>[2]) => store.once(contract.name, event.id, effect),
  };
  const run = async (): Promise<Error | undefined> => {
    try {
      await handle(events, context);
      return undefined;
    } catch (thrown) {
      return thrown instanceof Error ? thrown : new Error(String(thrown));
    }
  };
  try {
    return await Promise.race([run(), tooLong.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function withJitter(ms: number): number {
  return ms * (0.75 + Math.random() / 2);
}
