import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import { newSigningSecret } from "../../../platform/outgoing/signing-secret.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import type { UseApproval } from "../approvals/service.ts";
import { about, missing } from "../conditions.ts";
import type { SecretRow, SecretStore } from "../store.ts";
import type { SecretCall, Whose } from "../tenant.ts";
import type { TenantWork } from "../tenant-work.ts";
import { policyRemoved, policySet } from "./events.ts";
import { rotateJob } from "./jobs.ts";
import type { Rotator } from "./rotate.ts";
import type { PolicyView, policyRequest, RotationView, reportRequest, rotateRequest } from "./schema.ts";
import { bindingOfSigning } from "./signing.ts";
import type { PolicyRow, RotationRow, RotationStore } from "./store.ts";
import { toPolicyView, toRotationView } from "./view.ts";

export type RotationService = ReturnType<typeof createRotationService>;

export interface RotationServiceDeps {
  readonly rotations: RotationStore;
  readonly secrets: Pick<SecretStore, "find" | "lock">;
  readonly rotator: Pick<Rotator, "apply" | "rollBack">;
  readonly tenants: TenantWork;
  readonly useApproval: UseApproval;
  readonly createTask: TaskProducer["create"];
  readonly transact: Transact;
  readonly seal: Seal;
  readonly now: Now;
}

type Named = Whose & { readonly name: string };

const dayMs = 86_400_000;
const listMax = 100;

/** What a client may do with the rotation of a secret. */
export function createRotationService(deps: RotationServiceDeps) {
  const { rotations, secrets, rotator, tenants, useApproval, createTask, seal, now } = deps;

  const found = async (call: Pick<SecretCall, "actor">, { name, ...whose }: Named): Promise<SecretRow> => {
    const tenant = await tenants.tenantFor(call, whose, "secrets:read");
    const secret = await secrets.find({ tenant, name });
    if (!secret) throw missing(name);
    return secret;
  };
  const changing = <T>(call: SecretCall, { name, ...whose }: Named, work: (unit: Unit, secret: SecretRow) => Promise<T>): Promise<T> =>
    tenants.writing(call, whose, async (unit, tenant) => {
      const secret = await secrets.lock({ tenant, name }, unit.tx);
      if (!secret) throw missing(name);
      return work(unit, secret);
    });
  const policyOf = async (secret: SecretRow): Promise<PolicyRow> => {
    const policy = await rotations.policy(secret.id);
    if (!policy) throw new Problem("not_found", { detail: `${secret.name} has no rotation policy.` });
    return policy;
  };
  const begin = async (unit: Unit, call: SecretCall, secret: SecretRow): Promise<RotationRow> => {
    const row = await rotations.insert(
      newRotation({ secretId: secret.id, why: "asked", requestedBy: call.actor.userId, at: now() }),
      unit.tx,
    );
    if (!row) throw new Problem("conflict", { detail: `A rotation of ${secret.name} is under way already.` });
    return row;
  };

  return {
    /** The time to the next rotation begins anew, and so does a policy that was rolled back. */
    setPolicy: (
      call: SecretCall,
      named: Named,
      given: z.infer<typeof policyRequest>,
    ): Promise<{ policy: PolicyView; webhookSecret: string }> =>
      changing(call, named, async (unit, secret) => {
        await useApproval(unit, call, { secret, action: "write" });
        const before = await rotations.policy(secret.id, unit.tx);
        const at = now();
        const signing = before ? Buffer.from(seal.open(before.webhookSecret, bindingOfSigning(secret.id))).toString() : newSigningSecret();
        const policy = await rotations.setPolicy(
          {
            secretId: secret.id,
            ...given,
            rollback: given.rollback ?? null,
            webhookSecret: before?.webhookSecret ?? seal.seal(Buffer.from(signing), bindingOfSigning(secret.id)),
            state: "active",
            nextAt: new Date(at.getTime() + given.everyDays * dayMs),
            announcedFor: null,
            dueToldFor: null,
            setBy: call.actor.userId,
            createdAt: at,
            updatedAt: at,
          },
          unit.tx,
        );
        const { everyDays, strategy } = given;
        unit.publish(policySet, { ...about(secret, call), data: { name: secret.name, everyDays, strategy } });
        return { policy: toPolicyView(policy, { secret, open: await rotations.openOf(secret.id, unit.tx), at }), webhookSecret: signing };
      }),

    policy: async (call: Pick<SecretCall, "actor">, named: Named): Promise<PolicyView> => {
      const secret = await found(call, named);
      return toPolicyView(await policyOf(secret), { secret, open: await rotations.openOf(secret.id), at: now() });
    },

    removePolicy: (call: SecretCall, named: Named): Promise<void> =>
      changing(call, named, async (unit, secret) => {
        await useApproval(unit, call, { secret, action: "write" });
        await rotations.deletePolicy(secret.id, unit.tx);
        unit.publish(policyRemoved, { ...about(secret, call), data: { name: secret.name } });
      }),

    /** With a value at once; without one as a task, by the policy's generator. */
    rotate: (
      call: SecretCall,
      named: Named,
      { value }: z.infer<typeof rotateRequest>,
    ): Promise<{ rotation: RotationView; taskId?: string }> =>
      changing(call, named, async (unit, secret) => {
        await useApproval(unit, call, { secret, action: "write" });
        const policy = await rotations.policy(secret.id, unit.tx);
        if (!policy && value === undefined)
          throw new Problem("conflict", { detail: `${secret.name} has no rotation policy that says how a value is made: give one.` });
        const rotation = await begin(unit, call, secret);
        if (policy) await rotations.updatePolicy(secret.id, { nextAt: new Date(now().getTime() + policy.everyDays * dayMs) }, unit.tx);
        if (value === undefined) {
          const input = { rotationId: rotation.id };
          const task = await createTask(unit, { contract: rotateJob, input, requestId: call.origin.requestId });
          return { rotation: toRotationView(rotation), taskId: task.id };
        }
        await rotator.apply(unit, { rotation, secret, policy }, value);
        return { rotation: toRotationView((await rotations.lock(rotation.id, unit.tx)) ?? rotation) };
      }),

    rotations: async (call: Pick<SecretCall, "actor">, named: Named): Promise<{ data: RotationView[] }> => {
      const secret = await found(call, named);
      return { data: (await rotations.list(secret.id, listMax)).map(toRotationView) };
    },

    /** Whoever uses the secret says whether a version works. Enough errors of the new one bring the old one back. */
    report: async (
      call: SecretCall,
      named: Named,
      { version, outcome }: z.infer<typeof reportRequest>,
    ): Promise<{ rolledBack: boolean }> => {
      const { id, tenant, name } = await found(call, named);
      return deps.transact(async (unit) => {
        const secret = await secrets.lock({ tenant, name }, unit.tx);
        const open = await rotations.openOf(id, unit.tx);
        if (!secret || open?.status !== "overlapping") return { rolledBack: false };
        const rotation = (await rotations.lock(open.id, unit.tx)) ?? open;
        const at = now();
        await rotations.report({ rotationId: rotation.id, version, outcome, reportedBy: call.actor.userId, at }, unit.tx);
        const policy = await rotations.policy(id, unit.tx);
        if (!policy?.rollback || version !== rotation.toVersion) return { rolledBack: false };
        const since = new Date(at.getTime() - policy.rollback.withinSeconds * 1_000);
        const errors = await rotations.errorsSince(rotation.id, { version, since }, unit.tx);
        if (errors < policy.rollback.errors) return { rolledBack: false };
        await rotator.rollBack(unit, { rotation, secret, policy }, errors);
        return { rolledBack: true };
      });
    },
  };
}

export function newRotation({
  secretId,
  why,
  requestedBy,
  at,
}: {
  secretId: string;
  why: RotationRow["why"];
  requestedBy: string;
  at: Date;
}): RotationRow {
  return {
    ...{ id: newId("rotation"), secretId, why, requestedBy, status: "pending", createdAt: at },
    ...{ fromVersion: null, toVersion: null, overlapUntil: null, error: null, finishedAt: null },
  };
}
