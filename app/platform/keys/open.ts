import type { Db } from "../../../db/client.ts";
import type { Now } from "../clock.ts";
import type { Logger } from "../logger.ts";
import type { Seal } from "../seal.ts";
import { openVault, type Vault } from "../vault/client.ts";
import { usesVault, type VaultSettings, vaultOptions } from "../vault/settings.ts";
import { createTransitRootKey } from "../vault/transit.ts";
import { createEnvelope } from "./envelope.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { createLocalRootKey } from "./root-key.ts";
import { createKekStore } from "./store.ts";

export interface KeysDeps {
  readonly config: VaultSettings & { readonly KEELSON_KEK_PREVIOUS?: string | undefined; readonly KEELSON_KEY_OVERLAP_SECONDS: number };
  /** The local root key, 32 bytes. */
  readonly rootSecret: Uint8Array;
  readonly db: Db;
  readonly now: Now;
  readonly log: Logger;
}

export interface Keys {
  readonly keyring: Keyring;
  readonly seal: Seal;
  /** Undefined unless it is configured. */
  readonly vault: Vault | undefined;
  stop(): Promise<void>;
}

/**
 * The installation's keys and the seal that encrypts with them. The root key is Vault's where Vault is configured, else the local one. Throws when it is not the
 * one of the database.
 */
export async function openKeys({ config, rootSecret, db, now, log }: KeysDeps): Promise<Keys> {
  await using opening = new AsyncDisposableStack();
  const vault = usesVault(config)
    ? opening.adopt(await openVault({ ...(await vaultOptions(config)), now, log }), (it) => it.close())
    : undefined;
  const { KEELSON_VAULT_TRANSIT_MOUNT: mount, KEELSON_VAULT_TRANSIT_KEY: keyName, KEELSON_KEK_PREVIOUS: previous } = config;
  const local = createLocalRootKey(rootSecret);
  const before = previous === undefined ? undefined : createLocalRootKey(Buffer.from(previous, "base64"));
  const keyring = opening.adopt(
    await openKeyring({
      store: createKekStore(db),
      transaction: db.transaction.bind(db),
      root: vault ? createTransitRootKey({ vault, mount, keyName }) : local,
      // A Vault that is new takes over what the local key wraps.
      previousRoot: before ?? (vault ? local : undefined),
      overlapMs: config.KEELSON_KEY_OVERLAP_SECONDS * 1_000,
      now,
      log,
    }),
    (it) => it.stop(),
  );
  const open = opening.move();
  return { keyring, seal: createEnvelope(keyring), vault, stop: () => open.disposeAsync() };
}
