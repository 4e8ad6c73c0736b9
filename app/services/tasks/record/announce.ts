import type { BusEvent } from "../../../platform/bus/port.ts";
import { newId } from "../../../platform/ids.ts";
import { taskChanged } from "../events.ts";
import type { Moved } from "./store.ts";

/** What the bus is told of tasks that have moved: that there is something to see, and how they stand. */
export function changesOf(moved: readonly Moved[], at: Date): BusEvent[] {
  const time = at.toISOString();
  return moved.map(({ id, queue, ownerId, status, lastSeq }) => ({
    id: newId("event"),
    type: taskChanged.type,
    time,
    subject: id,
    ...(ownerId ? { audience: ownerId } : {}),
    data: { queue, status, seq: lastSeq },
  }));
}
