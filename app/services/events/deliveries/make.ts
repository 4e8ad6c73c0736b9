import { newId } from "../../../platform/ids.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import { deliverJob } from "../jobs.ts";
import type { SubscriptionRow } from "../subscriptions/store.ts";
import type { DeliveryStore, Ripe } from "./store.ts";

export interface MakeDeliveryDeps {
  readonly store: Pick<DeliveryStore, "insert" | "setTask">;
  readonly createTask: TaskProducer["create"];
}

type Of = Pick<SubscriptionRow, "id" | "ownerId" | "teamId">;

/** Part of the caller's unit of work: the delivery of these events is under way once the unit has committed. */
export async function makeDelivery(
  { store, createTask }: MakeDeliveryDeps,
  unit: Unit,
  { of, items }: { readonly of: Of; readonly items: Ripe["items"] },
): Promise<void> {
  const id = newId("delivery");
  const taskId = await createDeliveryTask(createTask, unit, { id, of, lane: items[0]?.lane ?? 0 });
  await store.insert({ id, subscriptionId: of.id, status: "pending", taskId }, items, unit.tx);
}

/**
 * A task of the system's, in the share of whom it is done for: a task of theirs would be an event that they may have subscribed to. Each lane of the
 * subscription is a group, and does one at a time.
 */
export async function createDeliveryTask(
  createTask: TaskProducer["create"],
  unit: Unit,
  { id, of, lane }: { readonly id: string; readonly of: Of; readonly lane: number },
): Promise<string> {
  const task = await createTask(unit, {
    contract: deliverJob,
    input: { deliveryId: id },
    tenant: of.teamId ?? of.ownerId,
    group: `${of.id}.${lane}`,
  });
  return task.id;
}
