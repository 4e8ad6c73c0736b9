import type { z } from "zod";
import type { SealedColumn } from "../../../../db/sealed-columns.ts";
import type { Now } from "../../../platform/clock.ts";
import { type Keks, rewrapPrefix } from "../../../platform/keys/envelope.ts";
import type { Keyring } from "../../../platform/keys/keyring.ts";
import type { KekStore } from "../../../platform/keys/store.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { giveUp, type JobContext, type JobHandler, tryAgainIn } from "../../../platform/queue/job.ts";
import { keyDisabled, valueUnreadable } from "./events.ts";
import type { rewrapJob } from "./jobs.ts";
import type { Rewrapped, SealedPrefix, SealedStore } from "./store.ts";

export interface RewrapHandlerDeps {
  readonly keyring: Keyring;
  readonly keks: Pick<KekStore, "all">;
  readonly store: SealedStore;
  readonly transact: Transact;
  readonly overlapMs: number;
  readonly now: Now;
}

const batchSize = 1_000;
/** Then other maintenance has its turn. */
const sliceMs = 30_000;

/**
 * Wraps the data keys of everything that is sealed by the newest key-encryption key, and disables the older ones when nothing needs them.
 * Idempotent: it looks for what is left to do, so it goes on where it was when it is run again.
 */
export function createRewrapHandler(deps: RewrapHandlerDeps): JobHandler<z.infer<typeof rewrapJob.input>> {
  const { keyring, keks, store, overlapMs, now } = deps;
  return async ({ version }, context) => {
    await keyring.refresh();
    const row = (await keks.all()).find((it) => it.version === version);
    if (!row) return giveUp(`there is no key-encryption key ${version}`);
    const inForceFrom = row.inForceFrom.getTime();
    if (inForceFrom > now().getTime()) tryAgainIn(inForceFrom - now().getTime());
    const { done, unreadable } = await sweep(deps, context);
    // Until then a copy may not have known that another key is in force, and seal with the one from before.
    const settledIn = inForceFrom + overlapMs - now().getTime();
    if (settledIn > 0) tryAgainIn(settledIn);
    if (done > 0) tryAgainIn(1);
    for (const [table, count] of unreadable)
      await deps.transact(async (unit) => unit.publish(valueUnreadable, { subject: table, data: { table, count } }));
    const disabled = await disableOlder(deps, keyring.current().version);
    await context.progress({ done: 0, left: 0 });
    return { version, disabled, unreadable: Object.fromEntries(unreadable), values: Object.fromEntries(await store.uses()) };
  };
}

/** Everything once; how many it rewrapped, and how many can't be. */
async function sweep({ keyring, store }: RewrapHandlerDeps, { signal, progress, log }: JobContext) {
  const until = performance.now() + sliceMs;
  const unreadable = new Map<string, number>();
  let done = 0;
  for (const column of store.columns) {
    let after: SealedPrefix["key"] | undefined;
    for (;;) {
      signal.throwIfAborted();
      if (performance.now() > until) tryAgainIn(1);
      const { version } = keyring.current();
      const found = await store.outdated(column, { version, after, limit: batchSize });
      const { rewrapped, failed } = rewrapAll(keyring, found);
      if (failed > 0) unreadable.set(column.table, (unreadable.get(column.table) ?? 0) + failed);
      done += await replaceAll(store, column, rewrapped);
      await progress({ table: column.table, done });
      after = found.at(-1)?.key;
      if (found.length < batchSize) break;
    }
  }
  if (unreadable.size > 0) log.warn({ unreadable: Object.fromEntries(unreadable) }, "values whose data key does not open");
  return { done, unreadable };
}

async function replaceAll(store: SealedStore, column: SealedColumn, values: readonly Rewrapped[]): Promise<number> {
  return values.length > 0 ? store.replace(column, values) : 0;
}

function rewrapAll(keks: Keks, found: readonly SealedPrefix[]): { readonly rewrapped: readonly Rewrapped[]; readonly failed: number } {
  const rewrapped = found.flatMap((value) => {
    try {
      return [{ ...value, next: rewrapPrefix(keks, value.prefix) }];
    } catch {
      return [];
    }
  });
  return { rewrapped, failed: found.length - rewrapped.length };
}

async function disableOlder({ keyring, keks, transact }: RewrapHandlerDeps, inForce: number): Promise<readonly number[]> {
  const older = (await keks.all()).filter((it) => it.version < inForce && it.disabledAt === null).map((it) => it.version);
  for (const version of older)
    await transact(async (unit) => {
      await keyring.disable(version, unit.tx);
      unit.publish(keyDisabled, { subject: String(version), data: { version } });
    });
  return older;
}
