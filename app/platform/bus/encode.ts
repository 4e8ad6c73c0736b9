import type { BusEvent } from "./port.ts";

/** An event as both adapters keep it: JSON with the names of `BusEvent`. Data that JSON does not know is null. */
export function encodeEvent({ data, ...event }: Omit<BusEvent, "uniqueId">): string {
  return JSON.stringify({ ...event, data: data === undefined ? null : data });
}

/** Only `encodeEvent` makes what is stored, so it has the shape of an event. */
export function decodeEvent(json: string): Omit<BusEvent, "uniqueId"> {
  return JSON.parse(json) as Omit<BusEvent, "uniqueId">;
}
