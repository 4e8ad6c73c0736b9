import type { Db } from "../../../../db/client.ts";
import { createKekStore } from "../../../platform/keys/store.ts";
import { createKeyService, type KeyServiceDeps } from "./service.ts";
import { createSealedStore } from "./store.ts";

/** The service behind the routes of key-encryption keys. */
export function createKeyServices({ db, ...deps }: Omit<KeyServiceDeps, "keks" | "store"> & { readonly db: Db }) {
  return { keys: createKeyService({ ...deps, keks: createKekStore(db), store: createSealedStore(db) }) };
}
