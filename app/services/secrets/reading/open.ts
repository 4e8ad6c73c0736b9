import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { type readAs, secretRead, secretTampered } from "../events.ts";
import type { SecretWithVersion } from "../store.ts";
import { addressOf, bindingOf } from "../tenant.ts";
import { decodeValue, type SecretValue } from "../value.ts";
import { UnreadableValue, type Values } from "../values/port.ts";
import type { ValueCache } from "./cache.ts";

/** Who asks: a client, or a part of the program (`usedBy`) in nobody's name. */
export interface Reader {
  readonly actor?: Actor | undefined;
  readonly origin?: RequestOrigin | undefined;
  readonly usedBy?: { readonly service: string; readonly subject: string } | undefined;
}

/** Throws `Problem` (`secret_unreadable`) when the stored value does not open; by then that is recorded, and administrators are told. */
export type OpenValue = (reader: Reader, found: SecretWithVersion) => Promise<SecretValue>;

export interface OpenDeps {
  readonly values: Pick<Values, "get">;
  readonly cache: ValueCache;
  readonly transact: Transact;
}

export function createOpenValue({ values, cache, transact }: OpenDeps): OpenValue {
  return async (reader, { secret, version }) => {
    const { kept, store } = version;
    if (!kept) throw new Error(`version ${version.version} of ${secret.id} is ${version.state}`);
    const ref = { secretId: secret.id, tenant: secret.tenant, name: secret.name, version: version.version };
    const key = `${ref.secretId} ${bindingOf(ref)}`;
    const known = cache.find(key, kept);
    if (known !== undefined) return known;
    try {
      const plain = await values.get(ref, { store, kept });
      const value = decodeValue(plain, version.fields);
      cache.put(key, { kept, value, plainBytes: plain.length });
      return value;
    } catch (cause) {
      if (cause instanceof Problem) throw cause;
      await tell(reader, { secret, version });
      // What was opened and can't be read as a value stays out of the log.
      const why = cause instanceof UnreadableValue ? cause : undefined;
      throw new Problem("secret_unreadable", { detail: `Version ${version.version} of ${secret.name} does not open.`, cause: why });
    }
  };

  async function tell({ actor, origin, usedBy }: Reader, { secret, version }: SecretWithVersion): Promise<void> {
    const { name, tenant, id: subject } = secret;
    const by = { ...(actor ? { actorId: actor.userId } : {}), ...(origin ? { origin } : {}) };
    await transact(async (unit) => {
      unit.publish(secretTampered, { subject, ...by, data: { tenant, name, version: version.version } });
      const data = { name, version: version.version, as: "value", outcome: "failed", ...(usedBy ? { usedBy } : {}) } as const;
      unit.publish(secretRead, { subject, ...addressOf(tenant), ...by, outcome: "failed", data });
    });
  }
}

/** What is recorded of one value that is given out. */
export function accessTo({ secret, version }: SecretWithVersion, { actor, origin, usedBy }: Reader, as: (typeof readAs)[number]) {
  return {
    actor,
    origin,
    contract: secretRead,
    subject: secret.id,
    ...addressOf(secret.tenant),
    data: { name: secret.name, version: version.version, as, ...(usedBy ? { usedBy } : {}) },
  };
}
