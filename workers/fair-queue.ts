/** Waiting things of several owners, who take turns: many things of one delay another's by one turn each. */
export interface FairQueue<T> {
  readonly length: number;
  lengthOf(owner: string): number;
  /** Of one owner's items those of higher priority come first, and of one priority those that were pushed first. */
  push(owner: string, item: T, priority?: number): void;
  /** The next item, of the owners that may have a turn. */
  shift(mayHaveTurn?: (owner: string) => boolean): T | undefined;
  /** Takes out the first item that matches. */
  remove(matches: (item: T) => boolean): T | undefined;
  /** Takes out everything. */
  clear(): T[];
}

interface Waiting<T> {
  readonly item: T;
  readonly priority: number;
}

export function createFairQueue<T>(): FairQueue<T> {
  /** In the order of turns: whoever has had one goes to the end. */
  const owners = new Map<string, Waiting<T>[]>();
  let length = 0;

  const takeAt = (owner: string, items: Waiting<T>[], index: number): T | undefined => {
    const [taken] = items.splice(index, 1);
    if (taken !== undefined) length -= 1;
    if (items.length === 0) owners.delete(owner);
    return taken?.item;
  };

  return {
    get length() {
      return length;
    },
    lengthOf: (owner) => owners.get(owner)?.length ?? 0,
    push: (owner, item, priority = 0) => {
      const items = owners.get(owner) ?? [];
      const behind = items.findLastIndex((other) => other.priority >= priority);
      items.splice(behind + 1, 0, { item, priority });
      owners.set(owner, items);
      length += 1;
    },
    shift: (mayHaveTurn = () => true) => {
      for (const [owner, items] of owners) {
        if (!mayHaveTurn(owner)) continue;
        owners.delete(owner);
        owners.set(owner, items);
        return takeAt(owner, items, 0);
      }
      return undefined;
    },
    remove: (matches) => {
      for (const [owner, items] of owners) {
        const index = items.findIndex(({ item }) => matches(item));
        if (index >= 0) return takeAt(owner, items, index);
      }
      return undefined;
    },
    clear: () => {
      const all = [...owners.values()].flat().map(({ item }) => item);
      owners.clear();
      length = 0;
      return all;
    },
  };
}
