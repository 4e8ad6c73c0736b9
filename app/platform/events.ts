import type { z } from "zod";
import type { AuditOutcome } from "../../db/schema/audit.ts";
import type { RequestOrigin } from "./actor.ts";

/** Who owns a type: the service that announces it, or for the last two nobody in here. */
export type EventOwner = "auth" | "tasks" | "events" | "ai" | "notify" | "sandbox" | "secrets" | "system" | "user" | "billing" | "custom";

/** Who may see events of a type, beside administrators, who see all: whom each one is addressed to, nobody else, or everybody who is signed in. */
export const audienceRules = ["owner", "admins", "everybody"] as const;
export type AudienceRule = (typeof audienceRules)[number];

/** In `BusEvent.audience`: whoever is signed in. */
export const everybody = "*";

/** The type of an event and the shape of its data: the one value publisher and reader share. */
export interface EventContract<Type extends string = string, Data = unknown> {
  readonly type: Type;
  readonly owner: EventOwner;
  /** What happened, and what the event's subject is. */
  readonly description: string;
  /** Raised when the data changes in a way that breaks readers. */
  readonly version: number;
  readonly audience: AudienceRule;
  readonly data: z.ZodType<Data>;
  /** What matters for security leaves a row in the audit log too, in the same transaction. */
  readonly audited: boolean;
  /** What the audit log says of it, unless the event itself says otherwise. */
  readonly outcome: AuditOutcome;
  /** Administrators may publish it over HTTP: what only a system beside this one knows. */
  readonly published: "here" | "outside";
}

type Definition<Type extends string, Data> = Pick<EventContract<Type, Data>, "type" | "description" | "data"> &
  Partial<Pick<EventContract, "version" | "audience" | "audited" | "outcome" | "published">>;

/** Defines the types of one owner. Unless it says otherwise a type is in version 1, for whom it is addressed to, and not audited. */
export function eventsOf(owner: EventOwner) {
  return <const Type extends string, Data>(definition: Definition<Type, Data>): EventContract<Type, Data> =>
    Object.freeze({ version: 1, audience: "owner", audited: false, outcome: "success", published: "here", owner, ...definition });
}

export interface EventInit<Data> {
  readonly subject?: string;
  /** The user who may see it. */
  readonly audience?: string;
  /** The team whose members may see it; absent both, administrators only. */
  readonly tenant?: string;
  /** On whose authority it happened. */
  readonly actorId?: string;
  /** Of an audited one; as the contract says unless it is given. */
  readonly outcome?: AuditOutcome;
  /** The request that caused it. */
  readonly origin?: Pick<RequestOrigin, "requestId"> & Partial<Pick<RequestOrigin, "ip" | "traceparent">>;
  readonly data: Data;
}

/** Whose something is, as the address of its events: a team's is its members', and not of the one who made it. */
export function addressedTo({
  ownerId,
  teamId,
}: {
  readonly ownerId?: string | null | undefined;
  readonly teamId?: string | null | undefined;
}): {
  readonly audience?: string;
  readonly tenant?: string;
} {
  if (teamId) return { tenant: teamId };
  return ownerId ? { audience: ownerId } : {};
}
