import type { z } from "zod";
import type { ExternalKeyStatus } from "../../../../db/schema/external-keys.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { RecordAccess } from "../audit/record.ts";
import { addressOf, type SecretCall, systemTenant, type Tenant, teamOf } from "../tenant.ts";
import type { TenantWork } from "../tenant-work.ts";
import { type ExternalServiceName, externalService, externalServiceNames } from "./catalogue.ts";
import { externalKeyChecked, externalKeyCreated, externalKeyDeleted, externalKeyUpdated, externalKeyUsed } from "./events.ts";
import type { createProbe } from "./probe.ts";
import type { createExternalKeyRequest, ExternalKeyView, externalKeyQuery, updateExternalKeyRequest } from "./schema.ts";
import type { ExternalKeyRow, ExternalKeyStore } from "./store.ts";

export type ExternalKeyService = ReturnType<typeof createExternalKeyService>;

export interface ExternalKeyDeps {
  readonly store: ExternalKeyStore;
  readonly seal: Seal;
  readonly transact: Transact;
  readonly tenants: TenantWork;
  readonly probe: ReturnType<typeof createProbe>;
  readonly recordAccess: RecordAccess;
  readonly now: Now;
}

const keysMax = 100;
const hintChars = 4;

/** Keys that users and teams bring with them. They are never given out again; only the program uses them. */
export function createExternalKeyService({ store, seal, transact, tenants, probe, recordAccess, now }: ExternalKeyDeps) {
  const open = ({ id, key }: Pick<ExternalKeyRow, "id" | "key">): string => Buffer.from(seal.open(key, nameOf(id))).toString();
  const sealed = (id: string, key: string) => ({ key: seal.seal(Buffer.from(key), nameOf(id)), hint: `…${key.slice(-hintChars)}` });

  const columnsOf = (id: string, { name, key }: z.infer<typeof updateExternalKeyRequest>): Partial<ExternalKeyRow> => ({
    ...(name === undefined ? {} : { name }),
    ...(key === undefined ? {} : { ...sealed(id, key), status: "unverified", checkedAt: null }),
  });

  const seen = async (call: Pick<SecretCall, "actor">, id: string, action: "secrets:read" | "secrets:write"): Promise<ExternalKeyRow> => {
    const row = await store.find(id);
    if (!row) throw missing(id);
    const tenant = await tenants.tenantFor(call, whoseOf(row.tenant, call), action);
    // A team's key is always about its team, whoever made it.
    if (tenant !== row.tenant) throw missing(id);
    return row;
  };

  /** A key that is here already under another name is most likely a slip. */
  const assertNew = async (unit: Unit, { tenant, service, key }: { tenant: Tenant; service: string; key: string }, except?: string) => {
    const rows = await store.list(tenant, undefined, unit.tx);
    if (rows.length >= keysMax && except === undefined)
      throw new Problem("conflict", { detail: `There are ${keysMax} keys of this owner, which is as many as there may be.` });
    const same = rows.find((row) => row.id !== except && row.service === service && open(row) === key);
    if (same) throw new Problem("conflict", { detail: `This key is here already: ${same.name}.` });
  };

  const assertFree = async (
    unit: Unit,
    { id, tenant, service, name }: Pick<ExternalKeyRow, "id" | "tenant" | "service"> & { readonly name: string | undefined },
  ) => {
    const rows = await store.list(tenant, service, unit.tx);
    if (rows.some((row) => row.id !== id && row.name === name))
      throw new Problem("conflict", { detail: `There is a key ${name} of ${service} already.` });
  };

  const assertTaken = async (service: ExternalServiceName, key: string): Promise<ExternalKeyStatus> => {
    const status = await probe(service, key);
    if (status === "invalid")
      throw new Problem("validation_failed", { errors: [{ pointer: "/key", detail: `${service} does not take this key` }] });
    return status;
  };

  const noteStatus = (row: ExternalKeyRow, status: ExternalKeyStatus, call?: SecretCall): Promise<ExternalKeyRow> =>
    transact(async (unit) => {
      const updated = (await store.update(row.id, { status, checkedAt: now() }, unit.tx)) ?? row;
      if (status !== row.status) unit.publish(externalKeyChecked, { ...about(row, call), data: { ...namesOf(row), status } });
      return updated;
    });

  return {
    /** With `probe` one that the service refuses is not kept. */
    create: async (call: SecretCall, given: z.infer<typeof createExternalKeyRequest>): Promise<ExternalKeyView> => {
      const { service, name, key, teamId, scope } = given;
      await tenants.tenantFor(call, { teamId, scope }, "secrets:write");
      const status = given.probe ? await assertTaken(service, key) : "unverified";
      return tenants.writing(call, { teamId, scope }, async (unit, tenant) => {
        await assertNew(unit, { tenant, service, key });
        const at = now();
        const id = newId("externalKey");
        const row = await store.insert(
          {
            ...{ id, tenant, service, name, status },
            ...sealed(id, key),
            checkedAt: given.probe ? at : null,
            createdBy: call.actor.userId,
            createdAt: at,
            updatedAt: at,
          },
          unit.tx,
        );
        if (!row) throw new Problem("conflict", { detail: `There is a key ${name} of ${service} already: PATCH replaces it.` });
        unit.publish(externalKeyCreated, { ...about(row, call), data: namesOf(row) });
        return toView(row);
      });
    },

    list: async (call: Pick<SecretCall, "actor">, { service, ...whose }: z.infer<typeof externalKeyQuery>) => {
      const tenant = await tenants.tenantFor(call, whose, "secrets:read");
      return { data: (await store.list(tenant, service)).map(toView) };
    },

    get: async (call: Pick<SecretCall, "actor">, id: string): Promise<ExternalKeyView> => toView(await seen(call, id, "secrets:read")),

    /** A new key begins unverified. */
    update: async (call: SecretCall, id: string, changes: z.infer<typeof updateExternalKeyRequest>): Promise<ExternalKeyView> => {
      const { tenant, service } = await seen(call, id, "secrets:write");
      const { name, key } = changes;
      if (key !== undefined) assertShape(service, key);
      return transact(async (unit) => {
        const row = await store.lock(id, unit.tx);
        if (!row) throw missing(id);
        await assertFree(unit, { id, tenant, service, name });
        if (key !== undefined) await assertNew(unit, { tenant, service, key }, id);
        const updated = (await store.update(id, { ...columnsOf(id, changes), updatedAt: now() }, unit.tx)) ?? row;
        unit.publish(externalKeyUpdated, { ...about(row, call), data: { ...namesOf(updated), changed: Object.keys(changes) } });
        return toView(updated);
      });
    },

    delete: async (call: SecretCall, id: string): Promise<void> => {
      await seen(call, id, "secrets:write");
      await transact(async (unit) => {
        const row = await store.lock(id, unit.tx);
        if (!row) throw missing(id);
        await store.delete(id, unit.tx);
        unit.publish(externalKeyDeleted, { ...about(row, call), data: namesOf(row) });
      });
    },

    /** What the service says of the key now. */
    probe: async (call: SecretCall, id: string): Promise<ExternalKeyView> => {
      const row = await seen(call, id, "secrets:write");
      return toView(await noteStatus(row, await probe(serviceNamed(row.service), open(row)), call));
    },

    /**
     * For the parts of the program that speak to the service: the owner's key, or the team's if there is a team; the newest unless one is named. Its use is in the
     * trail before it is given. Undefined when there is none.
     */
    keyFor: async (
      { ownerId, teamId }: { readonly ownerId: string; readonly teamId?: string | null | undefined },
      wanted: { readonly service: ExternalServiceName; readonly name?: string | undefined },
      usedBy: { readonly service: string; readonly subject: string },
    ): Promise<{ readonly id: string; readonly key: string } | undefined> => {
      const row = await store.pick(teamId ?? ownerId, wanted);
      if (!row) return undefined;
      const key = open(row);
      await recordAccess({ contract: externalKeyUsed, subject: row.id, ...addressOf(row.tenant), data: { ...namesOf(row), usedBy } });
      return { id: row.id, key };
    },

    /** The service has refused it: it is not picked any more until it is replaced or found good. */
    markInvalid: async (id: string): Promise<void> => {
      const row = await store.find(id);
      if (row && row.status !== "invalid") await noteStatus(row, "invalid");
    },
  };
}

function nameOf(id: string): string {
  return `external-key:${id}`;
}

function whoseOf(tenant: Tenant, { actor }: Pick<SecretCall, "actor">): { teamId?: string; scope?: "system" } {
  if (tenant === systemTenant) return { scope: "system" };
  const team = teamOf(tenant);
  if (team.teamId !== undefined || tenant === actor.userId) return team;
  throw new Problem("not_found", { detail: "There is no such key." });
}

function serviceNamed(service: string): ExternalServiceName {
  return externalServiceNames.find((name) => name === service) ?? "custom";
}

function assertShape(service: string, key: string): void {
  const { pattern, shape } = externalService(serviceNamed(service));
  if (!pattern.test(key))
    throw new Problem("validation_failed", {
      errors: [{ pointer: "/key", detail: `is not the way keys of ${service} are written: ${shape}` }],
    });
}

function missing(id: string): Problem {
  return new Problem("not_found", { detail: `There is no external key ${id}.` });
}

function namesOf({ service, name }: Pick<ExternalKeyRow, "service" | "name">) {
  return { service, name };
}

function about({ id, tenant }: Pick<ExternalKeyRow, "id" | "tenant">, call: SecretCall | undefined) {
  return { subject: id, ...addressOf(tenant), ...(call ? { actorId: call.actor.userId, origin: call.origin } : {}) };
}

function toView({ id, tenant, service, name, hint, status, checkedAt, createdAt, updatedAt }: ExternalKeyRow): ExternalKeyView {
  return {
    ...{ id, service, name, hint, status },
    ...(checkedAt ? { checkedAt: checkedAt.toISOString() } : {}),
    ...teamOf(tenant),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
