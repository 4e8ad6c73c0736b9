import { keepRunning, pause } from "../../../platform/bus/keep-running.ts";
import type { Running } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import type { SecretStore } from "../store.ts";
import { addressOf } from "../tenant.ts";
import { rotationDue, rotationUpcoming } from "./events.ts";
import { rotateJob } from "./jobs.ts";
import type { Rotator } from "./rotate.ts";
import { newRotation } from "./service.ts";
import type { PolicyRow, RotationStore } from "./store.ts";

export interface DueDeps {
  readonly rotations: RotationStore;
  readonly secrets: Pick<SecretStore, "findById" | "lockById">;
  readonly rotator: Pick<Rotator, "complete">;
  readonly createTask: TaskProducer["create"];
  readonly transact: Transact;
  readonly now: Now;
  readonly log: Logger;
}

const everyMs = 1_000;
const dayMs = 86_400_000;

/**
 * Turns policies into rotations as their time comes, announces them ahead, and ends overlaps. Every copy does it, each takes what no other holds; what is taken moves
 * on in the same transaction, so each time is taken once.
 */
export function startRotationClock(deps: DueDeps): Running {
  const { rotations, secrets, rotator, transact, now } = deps;

  const takeDue = () =>
    transact(async (unit) => {
      for (const policy of await rotations.lockDue(now(), unit.tx)) await take(deps, unit, policy);
    });
  const endOverlaps = () =>
    transact(async (unit) => {
      for (const rotation of await rotations.lockOver(now(), unit.tx)) {
        const secret = await secrets.findById(rotation.secretId, unit.tx);
        if (secret) await rotator.complete(unit, { rotation, secret, policy: await rotations.policy(secret.id, unit.tx) });
      }
    });

  return keepRunning({ name: "the clock of rotations", log: deps.log }, async ({ signal, begun }) => {
    while (!signal.aborted) {
      await takeDue();
      await endOverlaps();
      begun();
      await pause(everyMs, signal);
    }
  });
}

async function take({ rotations, secrets, createTask, now }: DueDeps, unit: Unit, policy: PolicyRow): Promise<void> {
  const { secretId, nextAt, strategy, everyDays, setBy } = policy;
  const secret = await secrets.findById(secretId, unit.tx);
  if (!secret) return;
  const about = { subject: secretId, ...addressOf(secret.tenant), data: { name: secret.name, at: nextAt.toISOString() } };
  if (nextAt > now()) {
    await rotations.updatePolicy(secretId, { announcedFor: nextAt }, unit.tx);
    unit.publish(rotationUpcoming, about);
    return;
  }
  if (strategy === "manual") {
    await rotations.updatePolicy(secretId, { dueToldFor: nextAt }, unit.tx);
    unit.publish(rotationDue, about);
    return;
  }
  await rotations.updatePolicy(secretId, { nextAt: new Date(now().getTime() + everyDays * dayMs) }, unit.tx);
  const rotation = await rotations.insert(newRotation({ secretId, why: "due", requestedBy: setBy, at: now() }), unit.tx);
  if (rotation) await createTask(unit, { contract: rotateJob, input: { rotationId: rotation.id } });
}
