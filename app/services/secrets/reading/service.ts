import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { Can } from "../../auth/can.ts";
import type { UseApproval } from "../approvals/service.ts";
import type { RecordAccess } from "../audit/record.ts";
import type { readAs } from "../events.ts";
import type { readQuery } from "../schema.ts";
import type { SecretWithVersion } from "../store.ts";
import { assertMay, type SecretCall, type Tenant, tenantOf } from "../tenant.ts";
import type { SecretValue } from "../value.ts";
import { type SecretView, toSecretView } from "../view.ts";
import { assertField } from "./assert-references.ts";
import type { Lookup, Moment } from "./lookup.ts";
import { accessTo, type OpenValue, type Reader } from "./open.ts";
import { publishIn } from "./publish.ts";
import { parseReference } from "./references.ts";
import { createResolve, isExpired } from "./resolve.ts";

export interface ReadDeps {
  readonly lookup: Lookup;
  readonly open: OpenValue;
  readonly recordAccess: RecordAccess;
  readonly useApproval: UseApproval;
  readonly transact: Transact;
  readonly can: Can;
  readonly now: Now;
}

export type SecretReading = ReturnType<typeof createSecretReading>;

/** One value with all that went into it. */
export interface Revealed {
  readonly found: SecretWithVersion;
  readonly value: SecretValue;
  readonly referred: readonly SecretWithVersion[];
}

interface Asked {
  readonly reader: Reader;
  readonly tenant: Tenant;
  readonly name: string;
  readonly moment?: Moment;
  readonly resolve: boolean;
}

/** Gives values out, never before that is written down. */
export function createSecretReading(deps: ReadDeps) {
  const { lookup, open, recordAccess, useApproval, transact, can, now } = deps;

  const resolve = createResolve(deps);

  /** Opens the value and all that it refers to. Nothing is recorded yet, so nothing of it may be given out. */
  const reveal = async ({ reader, tenant, name, moment = {}, resolve: resolves }: Asked): Promise<Revealed> => {
    const found = assertReadable(await lookup({ tenant, name }, moment), name, now());
    const stored = await open(reader, found);
    if (!resolves) return { found, value: stored, referred: [] };
    const { value, used } = await resolve(stored, { reader, from: { tenant, name }, at: moment.at });
    return { found, value, referred: used };
  };

  const accesses = ({ found, referred }: Revealed, reader: Reader, as: (typeof readAs)[number]) => [
    accessTo(found, reader, as),
    ...referred.map((it) => accessTo(it, reader, "reference")),
  ];

  /** Part of the caller's unit: uses up the approvals that the values take, and announces the reads. */
  const recordIn = async (
    unit: Unit,
    call: SecretCall,
    { revealed, as }: { revealed: Revealed; as: (typeof readAs)[number] },
  ): Promise<void> => {
    for (const { secret } of [revealed.found, ...revealed.referred]) await useApproval(unit, call, { secret, action: "read" });
    for (const access of accesses(revealed, call, as)) publishIn(unit, access);
  };

  return {
    reveal,
    recordIn,

    /** The value, once it is written down who has it. */
    read: async (
      call: SecretCall,
      { name, teamId, scope, version, at, resolve }: z.infer<typeof readQuery> & { readonly name: string },
    ): Promise<{ readonly secret: SecretView; readonly value: SecretValue }> => {
      const tenant = tenantOf(call.actor, { teamId, scope });
      await assertMay(can, call.actor, { tenant, action: "secrets:read" });
      const moment = { version, at: at === undefined ? undefined : new Date(at) };
      const revealed = await reveal({ reader: call, tenant, name, moment, resolve });
      if ([revealed.found, ...revealed.referred].some(({ secret }) => secret.approvalRequired))
        await transact((unit) => recordIn(unit, call, { revealed, as: "value" })).catch((error: unknown) =>
          noteRefusal(accessTo(revealed.found, call, "value"), error),
        );
      else await recordAll(accesses(revealed, call, "value"));
      return { secret: toSecretView(revealed.found.secret, revealed.found.version), value: revealed.value };
    },

    /**
     * For other parts of the program, which use a value in nobody's name: the secret of the user, or of the team if there is one. `name` may have a
     * `#field`. Throws `Problem` as a read does; `approval_required` for a secret that takes two people, as there is nobody who could have asked.
     */
    readFor: async (
      { ownerId, teamId }: { readonly ownerId: string; readonly teamId?: string | null | undefined },
      reference: string,
      usedBy: { readonly service: string; readonly subject: string },
    ): Promise<string> => {
      const { name, field, system } = parseReference(reference);
      if (system) throw new Problem("invalid_reference", { detail: "Secrets of the system are not used in somebody's name." });
      const reader = { usedBy };
      const revealed = await reveal({ reader, tenant: teamId ?? ownerId, name, resolve: true });
      const marked = [revealed.found, ...revealed.referred].find(({ secret }) => secret.approvalRequired);
      if (marked)
        throw new Problem("approval_required", {
          detail: `${marked.secret.name} takes two people, so the program does not use it by itself.`,
        });
      const { value } = revealed;
      assertField({ system, name, ...(field === undefined ? {} : { field }) }, typeof value === "string" ? null : Object.keys(value));
      await recordAll(accesses(revealed, reader, "machine"));
      return typeof value === "string" ? value : (value[field ?? ""] ?? "");
    },
  };

  async function recordAll(all: readonly ReturnType<typeof accessTo>[]): Promise<void> {
    await Promise.all(all.map((access) => recordAccess(access)));
  }

  /** Who was refused for want of a second person is in the trail as well. */
  async function noteRefusal(access: ReturnType<typeof accessTo>, error: unknown): Promise<never> {
    if (error instanceof Problem && error.code === "approval_required")
      await recordAccess({ ...access, outcome: "refused", data: { ...access.data, outcome: "refused" } });
    throw error;
  }
}

/** Throws `Problem` unless there is a value to give out. */
function assertReadable(found: SecretWithVersion | undefined, name: string, at: Date): SecretWithVersion {
  if (!found) throw new Problem("not_found", { detail: `There is no secret ${name}, or not of that version or time.` });
  const { state, version } = found.version;
  if (state !== "live") throw new Problem("not_found", { detail: `Version ${version} of ${name} is ${state}.` });
  if (isExpired(found, at)) throw new Problem("secret_expired", { detail: `${name} has expired.` });
  return found;
}
