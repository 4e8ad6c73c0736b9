import { keepRunning, pause } from "../../../../platform/bus/keep-running.ts";
import type { Running } from "../../../../platform/bus/port.ts";
import type { Now } from "../../../../platform/clock.ts";
import type { Logger } from "../../../../platform/logger.ts";
import type { Transact } from "../../../../platform/outbox.ts";
import { toCef } from "../cef.ts";
import { auditPushFailing } from "../events.ts";
import type { AuditStore } from "../store.ts";
import type { PushStore } from "./store.ts";

export interface Collector {
  readonly url: string;
  /** Sent as the bearer. */
  readonly token: string | undefined;
  readonly format: "ndjson" | "cef";
}

export interface PushDeps {
  readonly collector: Collector;
  readonly audit: Pick<AuditStore, "chained" | "end">;
  readonly store: PushStore;
  readonly transact: Transact;
  readonly leads: () => boolean;
  readonly now: Now;
  readonly log: Logger;
}

const batchSize = 500;
/** What collectors usually take; a larger entry goes alone. */
const bodyBytesMax = 1_000_000;
const everyMs = 500;
const timeoutMs = 10_000;
const backOffMsMax = 60_000;
/** Then it is told. */
const failingMsMax = 300_000;

/**
 * Sends the trail to a collector in the order of its chain, each entry at least once. Where it is is stored, so another copy goes on there. A batch is refused by
 * any answer but 2xx, and sent again until it is taken.
 */
export function startAuditPush(deps: PushDeps): Running {
  const { collector, audit, store, leads, log } = deps;
  let failures = 0;

  const pushNext = async (signal: AbortSignal): Promise<boolean> => {
    const { seq } = await store.state();
    const entries = await audit.chained({ after: seq, through: Number.MAX_SAFE_INTEGER, limit: batchSize });
    const lines = fitting(entries.map((entry) => `${collector.format === "cef" ? toCef(entry) : JSON.stringify(entry)}\n`));
    const last = entries[lines.length - 1];
    if (!last) return false;
    await post(collector, lines.join(""), signal);
    await store.pushed(last.seq);
    return lines.length < entries.length || entries.length === batchSize;
  };

  return keepRunning({ name: "the push of the audit trail", log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      begun();
      try {
        const more = leads() && (await pushNext(signal));
        failures = 0;
        if (!more) await pause(everyMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        await tellFailure(deps, error);
        await pause(Math.min(everyMs * 2 ** failures, backOffMsMax), signal);
      }
    }
  });
}

function fitting(lines: readonly string[]): readonly string[] {
  let bytes = 0;
  const end = lines.findIndex((line) => {
    bytes += Buffer.byteLength(line);
    return bytes > bodyBytesMax;
  });
  return end === -1 ? lines : lines.slice(0, Math.max(1, end));
}

async function post({ url, token, format }: Collector, body: string, signal: AbortSignal): Promise<void> {
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": format === "cef" ? "text/plain; charset=utf-8" : "application/x-ndjson",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body,
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the collector answered ${answer.status}`);
}

/** Once for each time that it fails for long. */
async function tellFailure({ store, audit, transact, now, log }: PushDeps, error: unknown): Promise<void> {
  const at = now();
  const { seq, failingSince, toldAt } = await store.failed(at);
  log.warn({ err: error, seq }, "the collector did not take the audit trail; trying again");
  if (toldAt || !failingSince || at.getTime() - failingSince.getTime() < failingMsMax) return;
  const behind = ((await audit.end())?.seq ?? 0) - seq;
  await transact(async (unit) => {
    await store.told(at, unit.tx);
    unit.publish(auditPushFailing, { data: { since: failingSince.toISOString(), behind } });
  });
}
