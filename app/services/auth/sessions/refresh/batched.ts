import { createBatcher } from "../../../../platform/batcher.ts";
import type { Exchange, PresentedToken, RefreshStore } from "./store.ts";

export interface RefreshStatements {
  /** Undefined when there is no such token. */
  findPresented(hash: string): Promise<PresentedToken | undefined>;
  /** False when the token is used or its session has ended. */
  exchange(exchange: Exchange): Promise<boolean>;
}

/** What arrives while one statement runs shares the next: all clients of an outage come back within a second. A session that is being changed keeps nobody else waiting. */
export function batched(store: RefreshStore): RefreshStatements {
  const presented = createBatcher<{ readonly json: string; readonly hash: string }, PresentedToken | null>({
    run: async (items) => {
      const found = await store.presented(items.map(({ hash }) => hash));
      const byHash = new Map(found.map((it) => [it.token.hash, it]));
      return items.map(({ hash }) => byHash.get(hash) ?? null);
    },
  });
  const exchanges = createBatcher<{ readonly json: string; readonly exchange: Exchange }, boolean>({
    run: async (items) => {
      const made = await store.exchangeFree(items.map(({ exchange }) => exchange));
      return items.map(({ exchange }) => made.has(exchange.nextHash));
    },
  });

  return {
    findPresented: async (hash) => (await presented.add({ json: hash, hash })) ?? undefined,
    exchange: async (exchange) => (await exchanges.add({ json: exchange.hash, exchange })) || store.exchangeOne(exchange),
  };
}
