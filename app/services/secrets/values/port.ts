import type { Unit } from "../../../platform/outbox.ts";
import type { ValuePlace } from "../tenant.ts";

/** A version's value by its place. `secretId` never comes twice, a tenant's name may. */
export interface ValueRef extends ValuePlace {
  readonly secretId: string;
}

/** What the version's row keeps: which store has the value, and what that store wants back to find it. */
export interface KeptValue {
  readonly store: string;
  readonly kept: Uint8Array;
}

/** Where values are. Only ciphertext, or a place elsewhere, is ever in a row. */
export interface ValueStore {
  readonly name: string;
  /**
   * Part of the caller's unit of work: what it puts outside the database it takes back when the unit is undone (`afterRollback`). Throws `Problem`
   * (`unavailable`) when it is not in reach. Answers what the row is to keep.
   */
  put(unit: Unit, ref: ValueRef, plain: Uint8Array): Promise<Uint8Array>;
  /** Throws `UnreadableValue` unless it is as it was put there, for the same place; `Problem` (`unavailable`) when the store is not in reach. */
  get(ref: ValueRef, kept: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** For good. Part of the caller's unit, which empties the row itself; what is outside the database goes once it has committed. */
  erase(unit: Unit, ref: ValueRef, kept: Uint8Array): Promise<void>;
}

/** The value was altered, put in another's place, or sealed with a key that is gone. */
export class UnreadableValue extends Error {
  override readonly name = "UnreadableValue";
}

export interface Values {
  put(unit: Unit, ref: ValueRef, plain: Uint8Array): Promise<KeptValue>;
  get(ref: ValueRef, value: KeptValue): Uint8Array | Promise<Uint8Array>;
  erase(unit: Unit, ref: ValueRef, value: KeptValue): Promise<void>;
}

/** New values go into `writing`; those that `older` stores have stay readable there. */
export function createValues(writing: ValueStore, older: readonly ValueStore[] = []): Values {
  const stores = new Map([writing, ...older].map((store) => [store.name, store]));
  const storeOf = (name: string): ValueStore => {
    const store = stores.get(name);
    if (!store) throw new UnreadableValue(`there is no store of values called ${name}`);
    return store;
  };
  return {
    put: async (unit, ref, plain) => ({ store: writing.name, kept: await writing.put(unit, ref, plain) }),
    get: (ref, { store, kept }) => storeOf(store).get(ref, kept),
    erase: (unit, ref, { store, kept }) => storeOf(store).erase(unit, ref, kept),
  };
}
