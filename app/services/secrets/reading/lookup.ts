import { createBatcher } from "../../../platform/batcher.ts";
import type { SecretName, SecretStore, SecretWithVersion } from "../store.ts";

export interface Moment {
  /** Undefined: the newest. */
  readonly version?: number | undefined;
  /** The newest of then. */
  readonly at?: Date | undefined;
}

export type Lookup = (name: SecretName, moment?: Moment) => Promise<SecretWithVersion | undefined>;

/** Finds secrets as they are now, in the database: those that are asked for while one query is under way are found by the next. */
export function createLookup(store: Pick<SecretStore, "findAll" | "findVersion" | "findAt">): Lookup {
  const newest = createBatcher<SecretName & { readonly json: string }, { readonly found: SecretWithVersion | undefined }>({
    run: async (names) => {
      const all = await store.findAll(names);
      const byName = new Map(all.map((it) => [`${it.secret.tenant}/${it.secret.name}`, it]));
      return names.map(({ tenant, name }) => ({ found: byName.get(`${tenant}/${name}`) }));
    },
  });
  return async (name, { version, at } = {}) => {
    if (version !== undefined) return store.findVersion(name, version);
    if (at !== undefined) return store.findAt(name, at);
    return (await newest.add({ ...name, json: name.name })).found;
  };
}
