import type { Unit } from "../../../platform/outbox.ts";
import type { Access } from "../audit/record.ts";

/** Part of the caller's unit. */
export function publishIn<Data>(unit: Unit, { contract, actor, origin, ...event }: Access<Data>): void {
  unit.publish(contract, { ...event, ...(actor ? { actorId: actor.userId } : {}), ...(origin ? { origin } : {}) });
}
