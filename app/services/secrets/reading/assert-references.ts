import type { SecretReference } from "../../../../db/schema/secrets.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { Can } from "../../auth/can.ts";
import type { SecretName, SecretRow, SecretStore, SecretWithVersion } from "../store.ts";
import { ownerOf, type SecretCall, systemTenant, type Tenant } from "../tenant.ts";
import { toText } from "../view.ts";

interface Step extends SecretName {
  readonly ref: SecretReference;
  /** The way from the secret that is written to this one. */
  readonly way: readonly string[];
}

/**
 * Throws `Problem` (`invalid_reference`) for a reference that leads nowhere, or back to the secret it is in. Who writes references of one owner waits for
 * each other until the unit ends, so that two who close a circle together do not both succeed.
 */
export function createAssertReferences({ store, can }: { readonly store: Pick<SecretStore, "lockTenant" | "findAll">; readonly can: Can }) {
  const targetsOf = async (unit: Unit, steps: readonly Step[]): Promise<Map<string, SecretWithVersion>> => {
    const found = steps.length > 0 ? await store.findAll(steps, unit.tx) : [];
    return new Map(found.map((it) => [keyOf(it.secret), it]));
  };

  return async (
    unit: Unit,
    { actor }: SecretCall,
    { secret, refs }: { readonly secret: SecretRow; readonly refs: readonly SecretReference[] },
  ): Promise<void> => {
    if (refs.some(({ system }) => system) && !(await can(actor, "secrets:read", ownerOf(systemTenant))))
      throw new Problem("invalid_reference", { detail: "Only administrators' values refer to secrets of the system." });
    await store.lockTenant(secret.tenant, unit.tx);
    const seen = new Set<string>();
    let steps = stepsFrom(secret.tenant, refs, [secret.name]);
    assertNoWayBack(steps, secret);
    const first = await targetsOf(unit, steps);
    for (const step of steps) assertLeadsSomewhere(step.ref, first.get(keyOf(step)));
    while (steps.length > 0) {
      assertNoWayBack(steps, secret);
      const unseen = steps.filter((step) => !seen.has(keyOf(step)));
      for (const step of unseen) seen.add(keyOf(step));
      const targets = await targetsOf(unit, unseen);
      steps = unseen.flatMap((step) => stepsFrom(step.tenant, targets.get(keyOf(step))?.version.refs ?? [], step.way));
    }
  };
}

function stepsFrom(tenant: Tenant, refs: readonly SecretReference[], way: readonly string[]): Step[] {
  return refs.map((ref) => ({
    ref,
    tenant: ref.system ? systemTenant : tenant,
    name: ref.name,
    way: [...way, toText({ system: ref.system, name: ref.name })],
  }));
}

function keyOf({ tenant, name }: SecretName): string {
  return `${tenant}/${name}`;
}

function assertNoWayBack(steps: readonly Step[], secret: SecretName): void {
  const back = steps.find((step) => keyOf(step) === keyOf(secret));
  if (back) throw new Problem("invalid_reference", { detail: `These refer to each other: ${back.way.join(" → ")}.` });
}

function assertLeadsSomewhere(ref: SecretReference, target: SecretWithVersion | undefined): void {
  if (target?.version.state !== "live")
    throw new Problem("invalid_reference", { detail: `There is no secret ${toText({ system: ref.system, name: ref.name })}.` });
  assertField(ref, target.version.fields);
}

/** Throws `Problem` (`invalid_reference`) unless the reference names a field where there are fields, and none where there are none. */
export function assertField(ref: SecretReference, fields: readonly string[] | null): void {
  const name = toText({ system: ref.system, name: ref.name });
  if (fields === null && ref.field !== undefined)
    throw new Problem("invalid_reference", { detail: `${name} is a text without fields: ${toText(ref)}.` });
  if (fields !== null && ref.field === undefined)
    throw new Problem("invalid_reference", { detail: `${name} has fields: a reference names one of them.` });
  if (fields !== null && ref.field !== undefined && !fields.includes(ref.field))
    throw new Problem("invalid_reference", { detail: `There is no field ${toText(ref)}.` });
}
