import type { Keyring } from "../../platform/keys/keyring.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { type AuditParts, createAuditServices } from "./audit/parts.ts";
import { createSecretCore, type SecretParts } from "./core.ts";
import { type BaseUrls, createProbe } from "./external-keys/probe.ts";
import { createExternalKeyService } from "./external-keys/service.ts";
import { createExternalKeyStore } from "./external-keys/store.ts";
import { createKeyServices } from "./keys/parts.ts";
import { createTenantWork } from "./tenant-work.ts";

export interface SecretsParts extends Omit<SecretParts, "recordAccess">, Pick<AuditParts, "teamsOf"> {
  readonly keyring: Pick<Keyring, "rotate">;
  readonly createTask: TaskProducer["create"];
  readonly baseUrls: BaseUrls;
}

/** The services behind the routes of secrets, of keys and of the audit trail, and what other services use of them. */
export function createSecretsServices(parts: SecretsParts) {
  const audit = createAuditServices(parts);
  const { recordAccess } = audit;
  const externalKeys = createExternalKeyService({
    ...parts,
    store: createExternalKeyStore(parts.db),
    tenants: createTenantWork(parts),
    probe: createProbe(parts.baseUrls),
    recordAccess,
  });
  return { ...audit, ...createKeyServices(parts), ...createSecretCore({ ...parts, recordAccess }), externalKeys };
}
