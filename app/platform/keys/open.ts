import type { Db } from "../../../db/client.ts";
import type { Now } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Seal } from "../seal.ts";
import { createEnvelope } from "./envelope.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { createLocalRootKey } from "./root-key.ts";
import { createKekStore } from "./store.ts";

export interface KeysDeps {
  readonly config: { readonly KEELSON_KEK_PREVIOUS?: string | undefined; readonly KEELSON_KEY_OVERLAP_SECONDS: number };
  /** The local root key, 32 bytes. */
  readonly rootSecret: Uint8Array;
  readonly db: Db;
  readonly now: Now;
  readonly log: Logger;
}

export interface Keys {
  readonly keyring: Keyring;
  readonly seal: Seal;
  stop(): Promise<void>;
}

/** The installation's keys and the seal that encrypts with them. Throws when the root key is not the one of the database. */
export async function openKeys({ config, rootSecret, db, now, log }: KeysDeps): Promise<Keys> {
  const previous = config.KEELSON_KEK_PREVIOUS;
  const keyring = await openKeyring({
    store: createKekStore(db),
    transaction: db.transaction.bind(db),
    root: createLocalRootKey(rootSecret),
    previousRoot: previous === undefined ? undefined : createLocalRootKey(Buffer.from(previous, "base64")),
    overlapMs: config.KEELSON_KEY_OVERLAP_SECONDS * 1_000,
    now,
    log,
  });
  return { keyring, seal: createEnvelope(keyring), stop: keyring.stop };
}
