import type { Keyring } from "../../platform/keys/keyring.ts";
import type { AddressGuard } from "../../platform/outgoing/address-guard.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { type AuditParts, createAuditServices } from "./audit/parts.ts";
import { createComplianceService } from "./compliance/service.ts";
import { createComplianceStore } from "./compliance/store.ts";
import { createConnectionServices } from "./connections/parts.ts";
import { createSecretCore, type SecretParts } from "./core.ts";
import { type BaseUrls, createProbe } from "./external-keys/probe.ts";
import { createExternalKeyService } from "./external-keys/service.ts";
import { createExternalKeyStore } from "./external-keys/store.ts";
import { createKeyServices } from "./keys/parts.ts";
import { createRotator } from "./rotation/rotate.ts";
import { createRotationService } from "./rotation/service.ts";
import { createRotationStore } from "./rotation/store.ts";
import { createTenantWork } from "./tenant-work.ts";

export interface SecretsParts extends Omit<SecretParts, "recordAccess">, Pick<AuditParts, "teamsOf"> {
  readonly keyring: Pick<Keyring, "rotate">;
  readonly createTask: TaskProducer["create"];
  readonly baseUrls: BaseUrls;
  readonly integrationGuard: AddressGuard;
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
  const { secretWork, ...core } = createSecretCore({ ...parts, recordAccess });
  const { store: secrets, tenants, useApproval } = secretWork;
  const rotations = createRotationStore(parts.db);
  const rotator = createRotator({ ...secretWork, rotations, secrets, now: parts.now });
  const rotation = createRotationService({ ...parts, rotations, secrets, rotator, tenants, useApproval });
  const compliance = createComplianceService({ store: createComplianceStore(parts.db), tenants, audit: audit.audit, now: parts.now });
  return {
    ...audit,
    ...createKeyServices(parts),
    ...core,
    externalKeys,
    rotation,
    compliance,
    ...createConnectionServices({ ...parts, tenants, recordAccess }),
  };
}
