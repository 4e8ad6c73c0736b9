import { DeadlineExceeded } from "./deadline.ts";

export interface BatcherOptions<Item, Result> {
  /** Stores the items and answers with one result each, in order. Runs one at a time. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
}

export interface Weighed {
  readonly json: string;
}

/** A batch takes items until their JSON, and what each costs besides, comes to this; a larger one goes alone. */
const batchBytesMax = 1_000_000;
const itemBytes = 500;
/** An item that waited this long for its turn is refused: the store is too slow or gone. */
const waitMsMax = 3_000;

export interface Batcher<Item, Result> {
  add(item: Item): Promise<Result>;
  /** Resolves when nothing waits or runs any more. */
  idle(): Promise<void>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly since: number;
  resolve(result: Result): void;
  reject(error: unknown): void;
}

/** Group commit: what arrives while one batch is stored makes up the next one, so load turns into size and not into queueing. */
export function createBatcher<Item extends Weighed, Result>(options: BatcherOptions<Item, Result>): Batcher<Item, Result> {
  let waiting: Waiting<Item, Result>[] = [];
  let running: Promise<void> | undefined;

  return {
    add(item) {
      return new Promise((resolve, reject) => {
        waiting.push({ item, since: performance.now(), resolve, reject });
        running ??= drain();
      });
    },
    idle: async () => running,
  };

  async function drain(): Promise<void> {
    // Lets everything of the same tick into the first batch.
    await Promise.resolve();
    while (waiting.length > 0) await store(takeBatch());
    running = undefined;
  }

  function takeBatch(): readonly Waiting<Item, Result>[] {
    let bytes = 0;
    let count = 0;
    for (const entry of waiting) {
      bytes += itemBytes + entry.item.json.length;
      if (count > 0 && bytes > batchBytesMax) break;
      count += 1;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  async function store(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const oldest = performance.now() - waitMsMax;
    for (const entry of batch) if (entry.since < oldest) entry.reject(new DeadlineExceeded(`waited longer than ${waitMsMax} ms`));
    const fresh = batch.filter((entry) => entry.since >= oldest);
    if (fresh.length === 0) return;
    try {
      const results = await options.run(fresh.map((entry) => entry.item));
      fresh.forEach((entry, index) => {
        const result = results[index];
        if (result === undefined) entry.reject(new Error("The store answered for fewer items than it was given"));
        else entry.resolve(result);
      });
    } catch (error) {
      for (const entry of fresh) entry.reject(error);
    }
  }
}
