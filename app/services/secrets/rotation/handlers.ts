import type { z } from "zod";
import type { Transact } from "../../../platform/outbox.ts";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import { giveUp, type JobHandler } from "../../../platform/queue/job.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { OpenValue } from "../reading/open.ts";
import type { SecretRow, SecretStore } from "../store.ts";
import type { SecretValue } from "../value.ts";
import { type CallOut, createCallOut } from "./call-out.ts";
import { generate } from "./generators.ts";
import type { rotateJob } from "./jobs.ts";
import { inNameOf, type Rotator, type Step, withoutReferences } from "./rotate.ts";
import { bindingOfSigning } from "./signing.ts";
import type { PolicyRow, RotationRow, RotationStore } from "./store.ts";
import { faultOf } from "./validators.ts";

export interface RotateHandlerDeps {
  readonly rotations: RotationStore;
  readonly secrets: Pick<SecretStore, "findById" | "lockById" | "versions">;
  readonly rotator: Pick<Rotator, "apply" | "fail">;
  readonly open: OpenValue;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly guard: AddressGuard;
  readonly attemptsMax: number;
}

/**
 * Makes the next value, looks whether it will do, and puts it in its place in one transaction.
 * Idempotent: a rotation that is not pending any more is done; before that nothing is stored, and a call-out is asked under the same id again.
 */
export function createRotateHandler(deps: RotateHandlerDeps): JobHandler<z.infer<typeof rotateJob.input>> {
  const { rotations, secrets, rotator, transact, seal, guard, attemptsMax } = deps;

  const next = async (rotation: RotationRow, { secret, policy }: { secret: SecretRow; policy: PolicyRow }, signal: AbortSignal) => {
    const signingSecret = Buffer.from(seal.open(policy.webhookSecret, bindingOfSigning(secret.id))).toString();
    const callOut: CallOut = createCallOut(guard, { rotationId: rotation.id, secretName: secret.name, signingSecret, signal });
    const value = withoutReferences(await generate(policy.generator, callOut));
    const fault = await faultOf(policy.validators, { value, previous: (versions) => previous(rotation, secret, versions) }, callOut);
    return { value, fault };
  };
  const previous = async (rotation: RotationRow, secret: SecretRow, versions: number): Promise<readonly SecretValue[]> => {
    const rows = (await secrets.versions(secret.id)).filter(({ state }) => state !== "destroyed").slice(0, versions);
    return Promise.all(rows.map((version) => deps.open(inNameOf(rotation), { secret, version })));
  };
  /** Only while it is still pending: another round may have come first. */
  const settle = (id: string, step: (given: Step, unit: Parameters<Parameters<Transact>[0]>[0]) => Promise<void>): Promise<void> =>
    transact(async (unit) => {
      const asked = await rotations.find(id);
      const secret = asked && (await secrets.lockById(asked.secretId, unit.tx));
      const rotation = await rotations.lock(id, unit.tx);
      if (!secret || rotation?.status !== "pending") return;
      await step({ rotation, secret, policy: await rotations.policy(secret.id, unit.tx) }, unit);
    });

  return async ({ rotationId }, { signal, attempt }) => {
    const rotation = await rotations.find(rotationId);
    if (!rotation) return giveUp(`there is no rotation ${rotationId}`);
    if (rotation.status !== "pending") return { rotationId, status: rotation.status };
    const secret = await secrets.findById(rotation.secretId);
    const policy = await rotations.policy(rotation.secretId);
    if (!secret || !policy) {
      await settle(rotationId, (step, unit) => rotator.fail(unit, step, "the policy was removed"));
      return { rotationId, status: "failed" };
    }
    const { value, fault } = await next(rotation, { secret, policy }, signal).catch((error: unknown) => {
      if (signal.aborted || attempt < attemptsMax) throw error;
      return { value: "", fault: reasonOf(error) };
    });
    signal.throwIfAborted();
    await settle(rotationId, (step, unit) => (fault === undefined ? rotator.apply(unit, step, value) : rotator.fail(unit, step, fault)));
    return { rotationId, status: (await rotations.find(rotationId))?.status };
  };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
