import type { Now } from "../../platform/clock.ts";
import { Problem } from "../../platform/errors.ts";
import { newId } from "../../platform/ids.ts";
import type { Unit } from "../../platform/outbox.ts";
import type { Can } from "../auth/can.ts";
import { secretDestroyed } from "./events.ts";
import { createAssertReferences } from "./reading/assert-references.ts";
import { referencesOf } from "./reading/references.ts";
import type { SecretRow, SecretStore, SecretWithVersion, VersionRow } from "./store.ts";
import { addressOf, type SecretCall, type Tenant } from "./tenant.ts";
import { encodeValue, fieldsOf, type SecretValue } from "./value.ts";
import type { Values } from "./values/port.ts";

export interface WriterDeps {
  readonly store: SecretStore;
  readonly values: Values;
  readonly can: Can;
  /** So many one owner may have. */
  readonly secretsMax: number;
  readonly now: Now;
}

export interface NewSecret {
  readonly tenant: Tenant;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxVersions: number;
  readonly approvalRequired: boolean;
  readonly expiresAt: Date | null;
}

export type SecretWriter = ReturnType<typeof createSecretWriter>;

/** What every way to write has in common. The rows it is given are locked. */
export function createSecretWriter({ store, values, can, secretsMax, now }: WriterDeps) {
  const destroy = async (unit: Unit, secret: SecretRow, versions: readonly VersionRow[]): Promise<void> => {
    for (const { version, store: where, kept } of versions)
      if (kept) await values.erase(unit, { ...secret, secretId: secret.id, version }, { store: where, kept });
    const set = { state: "destroyed" as const, kept: null, destroyedAt: now() };
    await store.updateVersions(secret.id, { versions: versions.map(({ version }) => version), set }, unit.tx);
  };

  const assertReferences = createAssertReferences({ store, can });

  return {
    /** Undefined when the name is taken. Its first version is still to be added. */
    create: async (unit: Unit, { actor }: SecretCall, given: NewSecret): Promise<SecretRow | undefined> => {
      await store.lockTenant(given.tenant, unit.tx);
      if ((await store.count(given.tenant, unit.tx)) >= secretsMax)
        throw new Problem("conflict", { detail: `There are ${secretsMax} secrets of this owner, which is as many as there may be.` });
      const at = now();
      return store.insert(
        { ...given, id: newId("secret"), currentVersion: 0, createdBy: actor.userId, createdAt: at, updatedAt: at },
        unit.tx,
      );
    },

    /** The next version; those beyond the secret's number of versions are destroyed. */
    addVersion: async (
      unit: Unit,
      call: SecretCall,
      { secret, value, set = {} }: { readonly secret: SecretRow; readonly value: SecretValue; readonly set?: Partial<SecretRow> },
    ): Promise<SecretWithVersion> => {
      const plain = encodeValue(value);
      const refs = referencesOf(value);
      if (refs.length > 0) await assertReferences(unit, call, { secret, refs });
      const at = now();
      const next = secret.currentVersion + 1;
      const kept = await values.put(unit, { ...secret, secretId: secret.id, version: next }, plain);
      const version = await store.insertVersion(
        {
          id: newId("secretVersion"),
          secretId: secret.id,
          version: next,
          state: "live",
          fields: fieldsOf(value),
          refs,
          ...kept,
          createdBy: call.actor.userId,
          createdAt: at,
        },
        unit.tx,
      );
      const updated = await store.update(secret.id, { ...set, currentVersion: next, updatedAt: at }, unit.tx);
      return { secret: updated, version };
    },

    destroy,

    /** Destroys what is older than the secret keeps. */
    trim: async (unit: Unit, { actor, origin }: SecretCall, secret: SecretRow): Promise<void> => {
      const rows = await store.versions(secret.id, unit.tx);
      const over = rows.filter(({ version, state }) => state !== "destroyed" && version <= secret.currentVersion - secret.maxVersions);
      if (over.length === 0) return;
      await destroy(unit, secret, over);
      const data = { name: secret.name, versions: over.map(({ version }) => version), why: "max_versions" as const };
      unit.publish(secretDestroyed, { subject: secret.id, ...addressOf(secret.tenant), actorId: actor.userId, origin, data });
    },
  };
}
