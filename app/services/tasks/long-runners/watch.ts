import { keepRunning, pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import { addressedTo } from "../../../platform/events.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { type LongRunning, type QueueTable, queueNames } from "../../../platform/queue/catalogue.ts";
import { tiers } from "../../../platform/tiers.ts";
import { taskChanged, taskLongRunning } from "../events.ts";
import { resultEntry, stateEntry } from "../record/entries.ts";
import { type TaskEntry, type TaskMove, taskRecord } from "../record/store.ts";
import { withoutSuccess } from "../states.ts";
import { type Rung, rungOf } from "./ladder.ts";
import type { LongRunnerRow, LongRunnerStore } from "./store.ts";

export interface LongRunnerWatchDeps {
  readonly store: LongRunnerStore;
  readonly settings: QueueTable;
  /** Whether this copy is the one that looks. */
  readonly leads: () => boolean;
  readonly transact: Transact;
  readonly now: Now;
  readonly log: Logger;
  readonly everyMs?: number;
}

/** Warns of tasks that run for long, pauses them and ends them, on whichever copy they run: each step is one of the record, which workers compare with what they run. */
export function startLongRunnerWatch(deps: LongRunnerWatchDeps): Running {
  const { store, settings, leads, transact, now, log, everyMs = 1_000 } = deps;
  const watched = new Map(
    queueNames.flatMap((name) => {
      const { longRunning } = settings[name];
      return longRunning ? [[name, longRunning] as const] : [];
    }),
  );
  const thresholds = new Map([...watched].map(([name, given]) => [name, lowest(given)]));

  const take = (rung: Rung, runner: LongRunnerRow) =>
    transact(async (unit) => {
      const { id, queue } = runner;
      const elapsedMs = Math.round(runner.elapsedMs);
      const [moved] = await taskRecord.move([stepFor(rung, runner, now())], unit.tx);
      if (!moved) return;
      if (rung === "warn") await store.warned(runner, unit.tx);
      if (rung === "pause") await store.paused(id, unit.tx);
      const address = { subject: id, ...addressedTo(moved) };
      unit.publish(taskLongRunning, { ...address, data: { queue, elapsedMs, step: rung } });
      unit.publish(taskChanged, { ...address, data: { queue, status: moved.status, seq: moved.lastSeq } });
      log.warn({ taskId: id, queue, elapsedMs, step: rung }, "a task runs for long");
    });

  const look = async () => {
    for (const runner of await store.find(thresholds)) {
      const limits = watched.get(runner.queue);
      const rung = limits && rungOf({ ...runner, patience: runner.tier ? tiers[runner.tier].patience : 1 }, limits);
      if (rung) await take(rung, runner);
    }
  };

  return keepRunning({ name: "watch over long-running tasks", log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      if (leads() && thresholds.size > 0) await look();
      begun();
      await pause(everyMs, signal);
    }
  });
}

function stepFor(rung: Rung, { id, round, attempts, attemptsMax, elapsedMs }: LongRunnerRow, at: Date): TaskMove {
  const said = `the task has run for ${Math.round(elapsedMs / 1_000)} s`;
  if (rung === "warn") return { id, round, from: ["active"], to: "active", entries: [line("warn", said, at)] };
  if (rung === "pause") {
    const before = Math.max(0, attempts - 1);
    const entries = [line("warn", `${said}: it is paused`, at), stateEntry("paused", before)];
    return { id, round, from: ["active"], to: "paused", again: true, attempts: before, entries };
  }
  const to = withoutSuccess(attemptsMax);
  const error = { name: "LongRunning", message: `${said}, longer than its queue allows` };
  const entries = [stateEntry(to, attempts), resultEntry(to, { error })];
  return { id, round, from: ["active"], to, again: true, finishedAt: at, error, entries };
}

function line(level: string, message: string, at: Date): TaskEntry {
  return { type: "log", data: { level, message, at: at.toISOString() } };
}

function lowest({ warnMs, pauseMs, stopMs }: LongRunning): number {
  return Math.min(warnMs, pauseMs ?? warnMs, stopMs ?? warnMs);
}
