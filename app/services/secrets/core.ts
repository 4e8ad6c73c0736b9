import type { Db } from "../../../db/client.ts";
import type { Now } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { Seal } from "../../platform/seal.ts";
import type { Vault } from "../../platform/vault/client.ts";
import { createKvValues } from "../../platform/vault/kv.ts";
import type { Can } from "../auth/can.ts";
import { createApprovalService, createUseApproval } from "./approvals/service.ts";
import { createRequestStore } from "./approvals/store.ts";
import type { RecordAccess } from "./audit/record.ts";
import { secretChores } from "./chores.ts";
import { staleValueGiven } from "./events.ts";
import { createSecretImports } from "./imports/service.ts";
import { createValueCache } from "./reading/cache.ts";
import { createLookup } from "./reading/lookup.ts";
import { createOpenValue } from "./reading/open.ts";
import { createSecretReading } from "./reading/service.ts";
import { createSecretService } from "./service.ts";
import { createShareService } from "./shares/service.ts";
import { createShareStore } from "./shares/store.ts";
import { createSecretStore } from "./store.ts";
import { createTenantWork } from "./tenant-work.ts";
import { createDatabaseValues } from "./values/database.ts";
import { createValues, type Values } from "./values/port.ts";
import { createVaultValues } from "./values/vault.ts";
import { createSecretVersionService } from "./versions/service.ts";
import { createSecretWriter } from "./write.ts";

export interface SecretParts {
  readonly db: Db;
  readonly seal: Seal;
  readonly transact: Transact;
  readonly can: Can;
  readonly recordAccess: RecordAccess;
  /** Where Vault is configured: its values, and whether new ones go there. */
  readonly vault?: VaultPart | undefined;
  readonly log: Logger;
  /** So many one owner may have. */
  readonly secretsMax: number;
  readonly publicUrl: string;
  readonly now: Now;
}

export interface VaultPart {
  readonly client: Vault;
  readonly mount: string;
  readonly staleSeconds: number;
  readonly isWritten: boolean;
}

const vaultTtlMs = 30_000;
const cacheOf = { ttlMs: 5_000, bytesMax: 16 * 1024 * 1024 };

/** The services behind the routes of secrets; `readSecretFor` is for the other services. */
export function createSecretCore(parts: SecretParts) {
  const { db, transact, can, recordAccess, secretsMax, publicUrl, now } = parts;
  const store = createSecretStore(db);
  const shareStore = createShareStore(db);
  const requestStore = createRequestStore(db);
  const values = openValues(parts);
  const useApproval = createUseApproval({ store: requestStore, now });
  const open = createOpenValue({ values, cache: createValueCache(cacheOf), transact });
  const writer = createSecretWriter({ store, values, can, secretsMax, now });
  const reading = createSecretReading({ lookup: createLookup(store), open, recordAccess, useApproval, transact, can, now });
  const tenants = createTenantWork({ can, transact });
  const writing = { store, shares: shareStore, writer, useApproval, transact, tenants, now };
  const secrets = createSecretService(writing);
  return {
    secrets,
    secretVersions: createSecretVersionService({ ...writing, open }),
    secretReading: reading,
    secretImports: createSecretImports(secrets),
    secretShares: createShareService({ store: shareStore, secrets: store, reading, transact, tenants, publicUrl, now }),
    secretApprovals: createApprovalService({ store: requestStore, secrets: store, transact, can, now }),
    readSecretFor: reading.readFor,
    /** For what else writes values. */
    secretWork: { store, shares: shareStore, writer, open, useApproval, tenants },
  };
}

/** Those that are already elsewhere stay readable. */
function openValues({ seal, vault, transact, now, log }: SecretParts): Values {
  const inDatabase = createDatabaseValues(seal);
  if (!vault) return createValues(inDatabase);
  const kv = createKvValues({
    vault: vault.client,
    mount: vault.mount,
    prefix: "keelson",
    ttlMs: vaultTtlMs,
    staleMs: vault.staleSeconds * 1_000,
    onStale: ({ path, ageMs }) => {
      const [subject = path] = path.split("/");
      log.warn({ secretId: subject, ageMs }, "Vault is out of reach: a remembered value is given");
      void transact(async (unit) => unit.publish(staleValueGiven, { subject, data: { ageMs: Math.round(ageMs) } })).catch(
        (error: unknown) => log.warn({ err: error }, "it could not be told"),
      );
    },
    now,
  });
  const inVault = createVaultValues({ kv, seal, log });
  return vault.isWritten ? createValues(inVault, [inDatabase]) : createValues(inDatabase, [inVault]);
}

/** What the bus thread does about secrets as time goes by. */
export function openSecretChores({ db, transact, now }: Pick<SecretParts, "db" | "transact" | "now">) {
  const [store, requests, shares] = [createSecretStore(db), createRequestStore(db), createShareStore(db)];
  return secretChores({ store, requests, shares, transact, now });
}
