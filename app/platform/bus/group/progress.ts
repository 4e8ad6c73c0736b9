import type { Cursor, StoredEvent } from "../port.ts";
import type { GroupStore, Lease } from "./store.ts";

export interface Progress {
  /** Everything up to here is dealt with. */
  moved(through: Cursor | undefined): void;
  /** The same, where the next step writes it down. */
  recordedElsewhere(through: Cursor): void;
  handled(events: readonly StoredEvent[], failures: number): void;
  failed(error: string): void;
  /** Records what is left to record. */
  stop(): Promise<void>;
}

export interface ProgressOptions {
  readonly store: Pick<GroupStore, "commit">;
  readonly name: string;
  readonly owner: string;
  readonly leaseMs: number;
  readonly lease: Lease;
  /** Another copy works for the group by now, or this one could not renew its lease in time. */
  readonly onLost: () => void;
}

/** What is dealt with meanwhile makes up the next record. */
const recordEveryMs = 20;
const averageOverMs = 60_000;

/** Records how far a group has come, one record at a time, and with it that this copy is alive. */
export function createProgress({ store, name, owner, leaseMs, lease, onLost }: ProgressOptions): Progress {
  let cursor = lease.cursor;
  let recorded = cursor;
  let counts = { handled: 0, failed: 0 };
  let latencyMs: number | undefined;
  let lastError: string | undefined;
  let rate = lease.rate;
  let ratedAt = performance.now();
  let renewedAt = performance.now();
  let isLost = false;
  let running: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const rated = (handled: number): number => {
    const elapsedMs = performance.now() - ratedAt;
    ratedAt = performance.now();
    const weight = Math.exp(-elapsedMs / averageOverMs);
    rate = elapsedMs === 0 ? rate : rate * weight + (handled / elapsedMs) * 1_000 * (1 - weight);
    return rate;
  };

  const record = async (): Promise<void> => {
    const [step, counted, startedAt] = [cursor, counts, performance.now()];
    counts = { handled: 0, failed: 0 };
    try {
      const isHeld = await store.commit(
        { name, owner },
        { cursor: step, leaseMs, ...counted, rate: rated(counted.handled), latencyMs, lastError },
      );
      if (!isHeld) return lose();
      recorded = step;
      renewedAt = startedAt;
      lastError = undefined;
    } catch {
      counts = { handled: counts.handled + counted.handled, failed: counts.failed + counted.failed };
      // The database is away. Once the lease may have run out this copy has to assume that it did.
      if (performance.now() - renewedAt > leaseMs) lose();
    }
  };

  const lose = () => {
    if (isLost) return;
    isLost = true;
    onLost();
  };

  const recordSoon = () => {
    if (isLost) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      running ??= record().finally(() => {
        running = undefined;
        if (cursor !== recorded || counts.failed > 0) recordSoon();
      });
    }, recordEveryMs);
  };

  const renewal = setInterval(() => {
    running ??= record().finally(() => {
      running = undefined;
    });
  }, leaseMs / 4);

  return {
    moved: (through) => {
      if (through === undefined || through === cursor) return;
      cursor = through;
      recordSoon();
    },
    recordedElsewhere: (through) => {
      cursor = through;
      recorded = through;
    },
    handled: (events, failures) => {
      counts.handled += events.length - failures;
      const [last] = events.slice(-1);
      if (!last) return;
      const took = Math.max(0, Date.now() - last.storedAt);
      latencyMs = latencyMs === undefined ? took : latencyMs * 0.95 + took * 0.05;
    },
    failed: (error) => {
      counts.failed += 1;
      lastError = error;
    },
    stop: async () => {
      clearInterval(renewal);
      clearTimeout(timer);
      await running;
      if (!isLost) await record();
      isLost = true;
    },
  };
}
