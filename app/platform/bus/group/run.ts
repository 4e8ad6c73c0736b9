import type { Logger } from "../../logger.ts";
import { compareCursors } from "../cursor.ts";
import { keepRunning, pause, type Session } from "../keep-running.ts";
import { compilePatterns } from "../pattern.ts";
import type { Bus, Cursor, Running, StoredEvent } from "../port.ts";
import { type AttemptDeps, attempt } from "./attempt.ts";
import type { GroupContract, GroupHandler } from "./contract.ts";
import { createLanes } from "./lanes.ts";
import { createProgress, type Progress } from "./progress.ts";
import { eventOf, type Failure, type GroupStore, type Lease } from "./store.ts";

export interface GroupDeps {
  readonly bus: Pick<Bus, "head" | "origin" | "read" | "tail">;
  readonly store: GroupStore;
  /** Puts aside what can't be handled, and tells. */
  readonly bury: (failure: Failure) => Promise<void>;
  /** A copy that says nothing for this long is taken for dead. */
  readonly leaseMs?: number;
  readonly log?: Logger;
}

/** How often a copy that does not work for the group looks whether it should. */
const standbyMs = 1_000;
const redriveEveryMs = 1_000;
const redriveBatch = 50;
/** An event that was in hand this often when its copy died is taken for the cause. */
const deathsMax = 3;
/** What a copy that died may have had in hand. */
const carefulMax = 2_000;

/**
 * Works for a durable group until it is stopped. One copy at a time does, by a lease: so the order of each key holds, whichever copy it is. At least once: what
 * was handled and not yet recorded comes again when a copy dies.
 */
export function runGroup(deps: GroupDeps, contract: GroupContract, handle: GroupHandler): Running {
  const { bus, store, log, leaseMs = 10_000 } = deps;
  const { name } = contract;
  const owner = crypto.randomUUID();
  const matches = compilePatterns(contract.patterns);
  const attempts: AttemptDeps = { contract, handle, store, log };

  return keepRunning({ name: `event group ${name}`, log, finish: () => store.release(name, owner) }, async (session) => {
    await store.ensure(name, contract.patterns, () => (contract.from === "start" ? bus.origin() : bus.head()));
    session.begun();
    while (!session.signal.aborted) {
      const lease = await store.lease(name, owner, leaseMs);
      if (lease) await hold(lease, session);
      else await pause(standbyMs, session.signal);
    }
  });

  /** Until the lease is lost or the session ends; an error in between is the session's. */
  async function hold(lease: Lease, session: Session): Promise<void> {
    const ending = new AbortController();
    const signal = AbortSignal.any([session.signal, ending.signal]);
    const progress = createProgress({ store, name, owner, leaseMs, lease, onLost: () => ending.abort() });
    const redriving = redriveWhile(signal);
    try {
      const from = lease.isInherited ? await takeOverCarefully(lease.cursor, { progress, signal }) : lease.cursor;
      if (!signal.aborted) await workFrom(from, { progress, signal });
    } finally {
      ending.abort();
      await redriving;
      await progress.stop();
    }
  }

  async function workFrom(
    from: Cursor,
    { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
  ): Promise<void> {
    const lanes = createLanes({
      ...contract,
      matches,
      signal,
      work: (events) => work(events, { progress, signal }),
      onProgress: () => progress.moved(lanes.through()),
    });
    const tail = bus.tail(from, lanes.add);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await tail.stop();
    await lanes.idle();
  }

  /** False when the group was stopped before the end. */
  async function work(
    events: readonly StoredEvent[],
    { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const outcome = await attempt(attempts, events, signal);
    if (!outcome) return false;
    for (const { event, attempts: tried, error } of outcome.failures) {
      if (!(await buried({ group: name, event, attempts: tried, error: error.message }, signal))) return false;
      progress.failed(error.message);
    }
    progress.handled(events, outcome.failures.length);
    return true;
  }

  /** What can't be handled must at least be kept: tried until it is. */
  async function buried(failure: Failure, signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      try {
        await deps.bury(failure);
        return true;
      } catch (error) {
        log?.warn({ err: error, group: name, event: failure.event.id }, "a dead letter could not be kept; trying again");
        await pause(500, signal);
      }
    }
    return false;
  }

  /** One by one, each noted before it is handed over: so the event that ends its copy every time is found, and put aside. */
  async function takeOverCarefully(
    from: Cursor,
    { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
  ): Promise<Cursor> {
    const until = await bus.head();
    let position = from;
    for (let seen = 0; seen < carefulMax && compareCursors(position, until) < 0 && !signal.aborted; ) {
      const { events, next } = await bus.read({ after: position, limit: 100 });
      for (const event of events) {
        if (matches(event.type) && !(await takeCarefully(event, { through: position, progress, signal }))) return position;
        position = event.cursor;
        progress.recordedElsewhere(position);
      }
      seen += events.length;
      if (events.length === 0) break;
      position = next;
    }
    return position;
  }

  async function takeCarefully(
    event: StoredEvent,
    { through, progress, signal }: { readonly through: Cursor; readonly progress: Progress; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const taken = await store.take({ name, owner }, { event: event.cursor, through });
    if (taken === undefined) return false;
    if (taken <= deathsMax) return work([event], { progress, signal });
    const error = `its copy died each of the ${deathsMax} times that it was handled`;
    log?.error({ group: name, event: event.id, type: event.type }, `an event is put aside: ${error}`);
    progress.failed(error);
    return buried({ group: name, event, attempts: deathsMax, error }, signal);
  }

  /** Dead letters that somebody wants tried again, beside the work; their order is theirs no more. */
  async function redriveWhile(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await redriveSome(signal).catch((error: unknown) => log?.warn({ err: error, group: name }, "dead letters could not be tried again"));
      await pause(redriveEveryMs, signal);
    }
  }

  async function redriveSome(signal: AbortSignal): Promise<void> {
    for (const letter of await store.redriven(name, redriveBatch)) {
      const outcome = await attempt(attempts, [eventOf(letter)], signal);
      if (!outcome) return;
      const [failure] = outcome.failures;
      if (failure) await store.buryAgain({ id: letter.id, attempts: letter.attempts + failure.attempts, error: failure.error.message });
      else await store.resurrect(letter.id);
    }
  }
}
