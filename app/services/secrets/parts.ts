import type { Db } from "../../../db/client.ts";
import type { Now } from "../../platform/clock.ts";
import type { Transact } from "../../platform/outbox.ts";
import type { Seal } from "../../platform/seal.ts";
import type { Can } from "../auth/can.ts";
import { createApprovalService, createUseApproval } from "./approvals/service.ts";
import { createRequestStore } from "./approvals/store.ts";
import type { RecordAccess } from "./audit/record.ts";
import { secretChores } from "./chores.ts";
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
import { createValues } from "./values/port.ts";
import { createSecretVersionService } from "./versions/service.ts";
import { createSecretWriter } from "./write.ts";

export interface SecretParts {
  readonly db: Db;
  readonly seal: Seal;
  readonly transact: Transact;
  readonly can: Can;
  readonly recordAccess: RecordAccess;
  /** So many one owner may have. */
  readonly secretsMax: number;
  readonly publicUrl: string;
  readonly now: Now;
}

const cacheOf = { ttlMs: 5_000, bytesMax: 16 * 1024 * 1024 };

/** The services behind the routes of secrets; `readSecretFor` is for the other services. */
export function createSecretsServices({ db, seal, transact, can, recordAccess, secretsMax, publicUrl, now }: SecretParts) {
  const store = createSecretStore(db);
  const shareStore = createShareStore(db);
  const requestStore = createRequestStore(db);
  const values = createValues(createDatabaseValues(seal));
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
  };
}

/** What the bus thread does about secrets as time goes by. */
export function openSecretChores({ db, transact, now }: Pick<SecretParts, "db" | "transact" | "now">) {
  const [store, requests, shares] = [createSecretStore(db), createRequestStore(db), createShareStore(db)];
  return secretChores({ store, requests, shares, transact, now });
}
