import type { BusEvent } from "./bus/port.ts";
import type { Now } from "./clock.ts";
import { type EventContract, type EventInit, everybody } from "./events.ts";
import { newId } from "./ids.ts";

/** What goes on the bus. The contract decides who may see it, whomever it is addressed to. */
export function toBusEvent<Data>(contract: EventContract<string, Data>, event: EventInit<Data>, now: Now): BusEvent {
  const { subject, actorId, origin, data } = event;
  return {
    id: newId("event"),
    type: contract.type,
    ...(contract.version === 1 ? {} : { version: contract.version }),
    time: now().toISOString(),
    ...(subject === undefined ? {} : { subject }),
    ...readersOf(contract, event),
    ...(actorId === undefined ? {} : { actor: actorId }),
    ...(origin === undefined ? {} : { requestId: origin.requestId }),
    ...(origin?.traceparent === undefined ? {} : { traceparent: origin.traceparent }),
    data,
  };
}

function readersOf(
  { audience: rule }: Pick<EventContract, "audience">,
  { audience, tenant }: Pick<EventInit<unknown>, "audience" | "tenant">,
): Pick<BusEvent, "audience" | "tenant"> {
  if (rule === "admins") return {};
  if (rule === "everybody") return { audience: everybody };
  return { ...(audience === undefined ? {} : { audience }), ...(tenant === undefined ? {} : { tenant }) };
}
