import { Problem } from "../../platform/errors.ts";
import type { Unit } from "../../platform/outbox.ts";
import type { SecretRow, SecretStore, SecretWithVersion, VersionRow } from "./store.ts";
import { addressOf, type SecretCall } from "./tenant.ts";

/** What its events have in common. */
export function about({ id, tenant }: Pick<SecretRow, "id" | "tenant">, { actor, origin }: SecretCall) {
  return { subject: id, ...addressOf(tenant), actorId: actor.userId, origin };
}

export function missing(name: string): Problem {
  return new Problem("not_found", { detail: `There is no secret ${name}.` });
}

export function assertVersion({ name, currentVersion }: SecretRow, expected: number | undefined): void {
  if (expected !== undefined && expected !== currentVersion)
    throw new Problem("version_conflict", { detail: `The newest version of ${name} is ${currentVersion}, not ${expected}.` });
}

/** Throws `Problem` (`version_conflict`) unless its value can be had. */
export function assertUsable(
  found: SecretWithVersion | undefined,
  { name, version }: { name: string; version: number },
): SecretWithVersion {
  if (found?.version.state === "live") return found;
  const state = found?.version.state ?? "not there";
  throw new Problem("version_conflict", { detail: `Version ${version} of ${name} is ${state}: its value can't be had.` });
}

export async function newestOf(store: Pick<SecretStore, "versions">, unit: Unit, secret: SecretRow): Promise<VersionRow> {
  const [newest] = await store.versions(secret.id, unit.tx);
  if (!newest) throw new Error(`the secret ${secret.id} has no version`);
  return newest;
}
