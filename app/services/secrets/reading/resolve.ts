import type { SecretReference } from "../../../../db/schema/secrets.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Can } from "../../auth/can.ts";
import type { SecretName, SecretWithVersion } from "../store.ts";
import { ownerOf, systemTenant, type Tenant } from "../tenant.ts";
import type { SecretValue } from "../value.ts";
import { toText } from "../view.ts";
import { assertField } from "./assert-references.ts";
import type { Lookup } from "./lookup.ts";
import type { OpenValue, Reader } from "./open.ts";
import { referencesOf, replaceReferences } from "./references.ts";

export interface ResolveDeps {
  readonly lookup: Lookup;
  readonly open: OpenValue;
  readonly can: Can;
  readonly now: Now;
}

export interface Resolution {
  readonly value: SecretValue;
  /** All that went into it, each once. */
  readonly used: readonly SecretWithVersion[];
}

interface Target extends SecretName {
  readonly label: string;
}

const depthMax = 8;
const usedMax = 100;
/** References can make much of little: what they make of a value is bounded. */
const resolvedLengthMax = 262_144;

/**
 * Replaces the references of a value, and those of what they lead to. Throws `Problem`: `invalid_reference`, which names the one that leads nowhere
 * or round in a circle, or make too much of it; `secret_expired`.
 */
export function createResolve({ lookup, open, can, now }: ResolveDeps) {
  return async (
    value: SecretValue,
    { reader, from, at }: { reader: Reader; from: SecretName; at: Date | undefined },
  ): Promise<Resolution> => {
    const used = new Map<string, SecretWithVersion>();
    const done = new Map<string, SecretValue>();

    const valueAt = async (target: Target, way: readonly SecretName[]): Promise<SecretValue> => {
      const key = keyOf(target);
      const known = done.get(key);
      if (known !== undefined) return known;
      const found = assertThere(await lookup(target, { at }), target.label, now());
      if (used.size >= usedMax) throw new Problem("invalid_reference", { detail: `A value is made of at most ${usedMax} others.` });
      used.set(key, found);
      const resolved = await resolve(await open(reader, found), [...way, target]);
      done.set(key, resolved);
      return resolved;
    };
    const textOf = async (reference: SecretReference, way: readonly SecretName[]): Promise<string> => {
      const target = targetOf(reference, way.at(-1)?.tenant ?? from.tenant);
      assertWay(target, way);
      if (target.tenant === systemTenant && from.tenant !== systemTenant) await assertMayUseSystem(can, reader, target.label);
      const found = await valueAt(target, way);
      assertField(reference, typeof found === "string" ? null : Object.keys(found));
      return typeof found === "string" ? found : (found[reference.field ?? ""] ?? "");
    };
    const resolve = async (one: SecretValue, way: readonly SecretName[]): Promise<SecretValue> => {
      const texts = new Map<string, string>();
      for (const reference of referencesOf(one)) texts.set(toText(reference), await textOf(reference, way));
      let length = 0;
      // One may stand there many times, so what they come to is counted before it is put together.
      const counted = (reference: SecretReference): string => {
        const text = texts.get(toText(reference)) ?? "";
        length += text.length;
        if (length > resolvedLengthMax)
          throw new Problem("invalid_reference", { detail: `What references make of a value is at most ${resolvedLengthMax} characters.` });
        return text;
      };
      return eachText(one, (text) => replaceReferences(text, counted));
    };
    return { value: await resolve(value, [from]), used: [...used.values()] };
  };
}

/** Of what is there past its time too. */
export function isExpired({ secret }: SecretWithVersion, at: Date): boolean {
  return secret.expiresAt !== null && secret.expiresAt <= at;
}

function targetOf({ system, name }: SecretReference, tenant: Tenant): Target {
  return { tenant: system ? systemTenant : tenant, name, label: toText({ system, name }) };
}

function keyOf({ tenant, name }: SecretName): string {
  return `${tenant}/${name}`;
}

function assertWay(target: Target, way: readonly SecretName[]): void {
  if (way.some((step) => keyOf(step) === keyOf(target))) {
    const names = [...way.map(({ name }) => name), target.label].join(" → ");
    throw new Problem("invalid_reference", { detail: `These refer to each other: ${names}.` });
  }
  if (way.length > depthMax)
    throw new Problem("invalid_reference", { detail: `References go at most ${depthMax} deep; ${target.label} is deeper.` });
}

async function assertMayUseSystem(can: Can, { actor }: Reader, label: string): Promise<void> {
  if (!actor || !(await can(actor, "secrets:read", ownerOf(systemTenant))))
    throw new Problem("invalid_reference", { detail: `${label} is the system's, which only administrators refer to.` });
}

function assertThere(found: SecretWithVersion | undefined, label: string, at: Date): SecretWithVersion {
  if (found?.version.state !== "live") throw new Problem("invalid_reference", { detail: `There is no secret ${label}.` });
  if (isExpired(found, at)) throw new Problem("secret_expired", { detail: `${label} has expired.` });
  return found;
}

function eachText(value: SecretValue, change: (text: string) => string): SecretValue {
  if (typeof value === "string") return change(value);
  return Object.fromEntries(Object.entries(value).map(([field, text]) => [field, change(text)]));
}
