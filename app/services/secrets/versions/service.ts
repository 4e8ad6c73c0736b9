import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { UseApproval } from "../approvals/service.ts";
import { about, assertUsable, assertVersion, missing, newestOf } from "../conditions.ts";
import { secretDeleted, secretDestroyed, secretRestored, secretRolledBack } from "../events.ts";
import type { OpenValue } from "../reading/open.ts";
import type { rollbackRequest } from "../schema.ts";
import type { ShareStore } from "../shares/store.ts";
import type { SecretRow, SecretStore, VersionRow } from "../store.ts";
import type { SecretCall, Tenant, Whose } from "../tenant.ts";
import type { TenantWork } from "../tenant-work.ts";
import { type SecretView, toSecretView } from "../view.ts";
import type { SecretWriter } from "../write.ts";

export interface VersionDeps {
  readonly store: SecretStore;
  readonly shares: Pick<ShareStore, "endOf">;
  readonly writer: SecretWriter;
  readonly open: OpenValue;
  readonly useApproval: UseApproval;
  readonly tenants: TenantWork;
  readonly transact: Transact;
  readonly now: Now;
}

export type SecretVersionService = ReturnType<typeof createSecretVersionService>;
type Named = Whose & { readonly name: string };
type Chosen = Named & { readonly versions?: readonly number[] | undefined };

/** What becomes of a secret's versions: live, deleted and back, destroyed for good, or the newest again. */
export function createSecretVersionService({ store, shares, writer, open, useApproval, tenants, transact, now }: VersionDeps) {
  const { tenantFor, writing } = tenants;
  /** Held until the unit ends, and approved if it takes that. */
  const locked = async (
    unit: Unit,
    call: SecretCall,
    { tenant, name, action }: { tenant: Tenant; name: string; action: "write" | "destroy" },
  ) => {
    const secret = await store.lock({ tenant, name }, unit.tx);
    if (!secret) throw missing(name);
    await useApproval(unit, call, { secret, action });
    return secret;
  };
  const chosen = async (unit: Unit, secret: SecretRow, versions: readonly number[]): Promise<VersionRow[]> => {
    const rows = await store.versions(secret.id, unit.tx);
    const absent = versions.find((version) => !rows.some((row) => row.version === version));
    if (absent !== undefined) throw new Problem("version_conflict", { detail: `${secret.name} has no version ${absent}.` });
    return rows.filter(({ version }) => versions.includes(version));
  };
  const viewNow = async (unit: Unit, secret: SecretRow): Promise<SecretView> => toSecretView(secret, await newestOf(store, unit, secret));

  return {
    /** The newest version, or those that are given; they can be brought back. */
    delete: (call: SecretCall, { name, versions, ...whose }: Chosen): Promise<void> =>
      writing(call, whose, async (unit, tenant) => {
        const secret = await locked(unit, call, { tenant, name, action: "write" });
        const rows = await chosen(unit, secret, versions ?? [secret.currentVersion]);
        const live = rows.filter(({ state }) => state === "live").map(({ version }) => version);
        if (live.length === 0 && versions === undefined) throw missing(name);
        if (live.length === 0) return;
        await store.updateVersions(secret.id, { versions: live, set: { state: "deleted", deletedAt: now() } }, unit.tx);
        await shares.endOf(secret.id, { versions: live, at: now() }, unit.tx);
        unit.publish(secretDeleted, { ...about(secret, call), data: { name, versions: live } });
      }),

    undelete: (call: SecretCall, { name, versions, ...whose }: Chosen): Promise<SecretView> =>
      writing(call, whose, async (unit, tenant) => {
        const secret = await locked(unit, call, { tenant, name, action: "write" });
        const rows = await chosen(unit, secret, versions ?? [secret.currentVersion]);
        assertNotDestroyed(secret, rows);
        const back = rows.filter(({ state }) => state === "deleted").map(({ version }) => version);
        if (back.length > 0) {
          await store.updateVersions(secret.id, { versions: back, set: { state: "live", deletedAt: null } }, unit.tx);
          unit.publish(secretRestored, { ...about(secret, call), data: { name, versions: back } });
        }
        return viewNow(unit, secret);
      }),

    /** For good: those that are given, or all. The name and what was known of it stay, so that no version number comes twice. */
    destroy: (call: SecretCall, { name, versions, ...whose }: Chosen): Promise<SecretView> =>
      writing(call, whose, async (unit, tenant) => {
        const secret = await locked(unit, call, { tenant, name, action: "destroy" });
        const rows = versions === undefined ? await store.versions(secret.id, unit.tx) : await chosen(unit, secret, versions);
        const doomed = rows.filter(({ state }) => state !== "destroyed");
        if (doomed.length > 0) {
          await writer.destroy(unit, secret, doomed);
          const numbers = doomed.map(({ version }) => version);
          await shares.endOf(secret.id, { versions: numbers, at: now() }, unit.tx);
          unit.publish(secretDestroyed, { ...about(secret, call), data: { name, versions: numbers, why: "asked" } });
        }
        return viewNow(unit, secret);
      }),

    /** A new version with the value of an older one. */
    rollback: async (call: SecretCall, { name, ...whose }: Named, given: z.infer<typeof rollbackRequest>): Promise<SecretView> => {
      const tenant = await tenantFor(call, whose, "secrets:write");
      if (!(await store.find({ tenant, name }))) throw missing(name);
      const found = await store.findVersion({ tenant, name }, given.version);
      const from = assertUsable(found, { name, version: given.version });
      const value = await open(call, from);
      return transact(async (unit) => {
        const before = await store.lock({ tenant, name }, unit.tx);
        if (!before) throw missing(name);
        assertVersion(before, given.expectedVersion);
        await useApproval(unit, call, { secret: before, action: "write" });
        const [version] = await chosen(unit, before, [given.version]);
        assertUsable(version && { secret: before, version }, { name, version: given.version });
        const written = await writer.addVersion(unit, call, { secret: before, value });
        await writer.trim(unit, call, written.secret);
        const data = { name, version: written.version.version, from: given.version };
        unit.publish(secretRolledBack, { ...about(written.secret, call), data });
        return toSecretView(written.secret, written.version);
      });
    },
  };
}

function assertNotDestroyed({ name }: SecretRow, rows: readonly VersionRow[]): void {
  const gone = rows.find(({ state }) => state === "destroyed");
  if (gone) throw new Problem("version_conflict", { detail: `Version ${gone.version} of ${name} was destroyed, for good.` });
}
