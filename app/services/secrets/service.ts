import type { z } from "zod";
import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import type { Transact, Unit } from "../../platform/outbox.ts";
import type { UseApproval } from "./approvals/service.ts";
import { about, assertVersion, missing, newestOf } from "./conditions.ts";
import { secretCreated, secretUpdated } from "./events.ts";
import type { createSecretRequest, listQuery, putSecretRequest, updateSecretRequest } from "./schema.ts";
import type { ShareStore } from "./shares/store.ts";
import type { SecretRow, SecretStore, SecretWithVersion } from "./store.ts";
import type { SecretCall, Tenant, Whose } from "./tenant.ts";
import type { TenantWork } from "./tenant-work.ts";
import { type SecretVersionView, type SecretView, toSecretView, toVersionView } from "./view.ts";
import type { SecretWriter } from "./write.ts";

export interface SecretDeps {
  readonly store: SecretStore;
  readonly shares: Pick<ShareStore, "endOf">;
  readonly writer: SecretWriter;
  readonly useApproval: UseApproval;
  readonly transact: Transact;
  readonly tenants: TenantWork;
  readonly now: Now;
}

export type SecretService = ReturnType<typeof createSecretService>;
type Named = Whose & { readonly name: string };

/** What a client may do with secrets, besides reading their values. */
export function createSecretService({ store, shares, writer, useApproval, transact, tenants, now }: SecretDeps) {
  const { tenantFor, writing } = tenants;
  const addFirst = async (
    unit: Unit,
    call: SecretCall,
    given: Omit<z.infer<typeof createSecretRequest>, "teamId" | "scope"> & { tenant: Tenant; refusal?: (name: string) => Problem },
  ) => {
    const { tenant, name, labels, maxVersions, value } = given;
    const expiresAt = given.expiresAt === undefined ? null : new Date(given.expiresAt);
    const approvalRequired = given.approval?.required ?? false;
    const secret = await writer.create(unit, call, { tenant, name, labels, maxVersions, approvalRequired, expiresAt });
    if (!secret) throw (given.refusal ?? taken)(name);
    return announced(unit, call, await writer.addVersion(unit, call, { secret, value }));
  };

  return {
    /** Throws `Problem` (`conflict`) while a secret of this name is there. One that was deleted goes on with its next version. */
    create: (call: SecretCall, given: z.infer<typeof createSecretRequest>): Promise<SecretView> =>
      writing(call, given, async (unit, tenant) => {
        const before = await store.lock({ tenant, name: given.name }, unit.tx);
        if (!before) return addFirst(unit, call, { ...given, tenant });
        if ((await newestOf(store, unit, before)).state === "live") throw taken(given.name);
        await useApproval(unit, call, { secret: before, action: "write" });
        const { labels, maxVersions, value, expiresAt = null, approval } = given;
        const approvalRequired = before.approvalRequired || (approval?.required ?? false);
        const set = { labels, maxVersions, approvalRequired, ...expiry(expiresAt) };
        const written = await writer.addVersion(unit, call, { secret: before, value, set });
        await writer.trim(unit, call, written.secret);
        return announced(unit, call, written);
      }),

    /** All of them or none. */
    createAll: async (call: SecretCall, all: readonly z.infer<typeof createSecretRequest>[]): Promise<SecretView[]> => {
      const given: (Omit<z.infer<typeof createSecretRequest>, "teamId" | "scope"> & { readonly tenant: Tenant })[] = [];
      for (const { teamId, scope, ...rest } of all)
        given.push({ ...rest, tenant: await tenantFor(call, { teamId, scope }, "secrets:write") });
      return transact(async (unit) => {
        // In one order, so that two of these do not wait for each other.
        for (const tenant of [...new Set(given.map((it) => it.tenant))].toSorted()) await store.lockTenant(tenant, unit.tx);
        const views: SecretView[] = [];
        for (const secret of given) views.push(await addFirst(unit, call, secret));
        return views;
      });
    },

    put: (call: SecretCall, { name, ...whose }: Named, given: z.infer<typeof putSecretRequest>): Promise<SecretView> =>
      writing(call, whose, async (unit, tenant) => {
        const { value, expectedVersion, expiresAt } = given;
        const before = await store.lock({ tenant, name }, unit.tx);
        if (!before && expectedVersion === 0) return addFirst(unit, call, { ...firstOf(given), tenant, name, refusal: isThere });
        if (!before) throw missing(name);
        assertVersion(before, expectedVersion);
        await useApproval(unit, call, { secret: before, action: "write" });
        const { secret, version } = await writer.addVersion(unit, call, { secret: before, value, set: expiry(expiresAt) });
        await writer.trim(unit, call, secret);
        const changed = Object.keys(given).filter((field) => field !== "expectedVersion");
        unit.publish(secretUpdated, { ...about(secret, call), data: { name, version: version.version, changed } });
        return toSecretView(secret, version);
      }),

    list: async (call: Pick<SecretCall, "actor">, query: z.infer<typeof listQuery>) => {
      const { teamId, scope, prefix, deleted, cursor, limit } = query;
      const tenant = await tenantFor(call, { teamId, scope }, "secrets:read");
      const labels = (query.label ?? []).map((text) => {
        const [key = "", ...value] = text.split("=");
        return { key, value: value.length === 0 ? undefined : value.join("=") };
      });
      const rows = await store.list({ tenant, prefix, labels, deleted, after: cursor, limit: limit + 1 });
      const page = rows.slice(0, limit);
      return {
        data: page.map(({ secret, version }) => toSecretView(secret, version)),
        nextCursor: rows.length > limit ? (page.at(-1)?.secret.name ?? null) : null,
      };
    },

    versions: async (call: Pick<SecretCall, "actor">, { name, ...whose }: Named): Promise<SecretVersionView[]> => {
      const tenant = await tenantFor(call, whose, "secrets:read");
      const secret = await store.find({ tenant, name });
      if (!secret) throw missing(name);
      return (await store.versions(secret.id)).map(toVersionView);
    },

    update: (call: SecretCall, { name, ...whose }: Named, changes: Changes): Promise<SecretView> =>
      writing(call, whose, async (unit, tenant) => {
        const before = await store.lock({ tenant, name }, unit.tx);
        if (!before) throw missing(name);
        for (const action of actionsOf(changes, before)) await useApproval(unit, call, { secret: before, action });
        // A link is a read that has not happened yet.
        if (!before.approvalRequired && changes.approval?.required)
          await shares.endOf(before.id, { versions: undefined, at: now() }, unit.tx);
        const secret = await store.update(before.id, { ...columnsOf(changes), updatedAt: now() }, unit.tx);
        await writer.trim(unit, call, secret);
        unit.publish(secretUpdated, {
          ...about(secret, call),
          data: { name, version: secret.currentVersion, changed: Object.keys(changes) },
        });
        return toSecretView(secret, await newestOf(store, unit, secret));
      }),
  };
}

function announced(unit: Unit, call: SecretCall, { secret, version }: SecretWithVersion): SecretView {
  unit.publish(secretCreated, { ...about(secret, call), data: { name: secret.name, version: version.version } });
  return toSecretView(secret, version);
}

type Changes = z.infer<typeof updateSecretRequest>;

function columnsOf({ labels, maxVersions, expiresAt, approval }: Changes): Partial<SecretRow> {
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(maxVersions === undefined ? {} : { maxVersions }),
    ...expiry(expiresAt),
    ...(approval === undefined ? {} : { approvalRequired: approval.required }),
  };
}

/** What takes approval, if the secret does. */
function actionsOf({ approval, ...others }: Changes, { approvalRequired }: SecretRow): readonly ("unmark" | "write")[] {
  const unmarks = approvalRequired && approval?.required === false;
  return [...(unmarks ? (["unmark"] as const) : []), ...(Object.keys(others).length > 0 ? (["write"] as const) : [])];
}

/** Another time is another thing to tell of. */
function expiry(expiresAt: string | null | undefined): Partial<Pick<SecretRow, "expiresAt" | "expiryToldAt">> {
  if (expiresAt === undefined) return {};
  return { expiresAt: expiresAt === null ? null : new Date(expiresAt), expiryToldAt: null };
}

function taken(name: string): Problem {
  return new Problem("conflict", { detail: `There is a secret ${name} already: PUT gives it another value.` });
}

/** Somebody else was first. */
function isThere(name: string): Problem {
  return new Problem("version_conflict", { detail: `There is a secret ${name} by now.` });
}

function firstOf({ value, expiresAt }: z.infer<typeof putSecretRequest>) {
  return { value, labels: {}, maxVersions: 10, expiresAt: expiresAt ?? undefined };
}
