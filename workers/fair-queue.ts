/** Waiting things of several owners, who take turns: many things of one delay another's by one turn each. */
export interface FairQueue<T> {
  readonly length: number;
  lengthOf(owner: string): number;
  push(owner: string, item: T): void;
  shift(): T | undefined;
  /** Takes out the first item that matches. */
  remove(matches: (item: T) => boolean): T | undefined;
  /** Takes out everything. */
  clear(): T[];
}

export function createFairQueue<T>(): FairQueue<T> {
  /** In the order of turns: whoever has had one goes to the end. */
  const owners = new Map<string, T[]>();
  let length = 0;

  const takeAt = (owner: string, items: T[], index: number): T | undefined => {
    const [item] = items.splice(index, 1);
    if (item !== undefined) length -= 1;
    if (items.length === 0) owners.delete(owner);
    return item;
  };

  return {
    get length() {
      return length;
    },
    lengthOf: (owner) => owners.get(owner)?.length ?? 0,
    push: (owner, item) => {
      const items = owners.get(owner);
      if (items) items.push(item);
      else owners.set(owner, [item]);
      length += 1;
    },
    shift: () => {
      for (const [owner, items] of owners) {
        owners.delete(owner);
        owners.set(owner, items);
        return takeAt(owner, items, 0);
      }
      return undefined;
    },
    remove: (matches) => {
      for (const [owner, items] of owners) {
        const index = items.findIndex(matches);
        if (index >= 0) return takeAt(owner, items, index);
      }
      return undefined;
    },
    clear: () => {
      const all = [...owners.values()].flat();
      owners.clear();
      length = 0;
      return all;
    },
  };
}
