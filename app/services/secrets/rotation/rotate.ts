import type { Now } from "../../../platform/clock.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { OpenValue } from "../reading/open.ts";
import type { ShareStore } from "../shares/store.ts";
import type { SecretRow, SecretStore } from "../store.ts";
import { addressOf, type SecretCall } from "../tenant.ts";
import type { SecretValue } from "../value.ts";
import type { SecretWriter } from "../write.ts";
import { rotationCompleted, rotationFailed, rotationRolledBack, secretRotated } from "./events.ts";
import type { PolicyRow, RotationRow, RotationStore } from "./store.ts";

export interface RotateDeps {
  readonly rotations: RotationStore;
  readonly secrets: Pick<SecretStore, "findById" | "lockById" | "versions" | "updateVersions">;
  readonly shares: Pick<ShareStore, "endOf">;
  readonly writer: Pick<SecretWriter, "addVersion" | "trim">;
  readonly open: OpenValue;
  readonly now: Now;
}

export type Rotator = ReturnType<typeof createRotator>;

const dayMs = 86_400_000;

/**
 * The steps of a rotation, each part of the caller's transaction: `pending → completed | overlapping | failed`, `overlapping → completed | rolled_back`. Between them
 * nothing is half done, so a copy that dies leaves the value from before or the new one in its place.
 */
export function createRotator({ rotations, secrets, shares, writer, open, now }: RotateDeps) {
  /** It can be brought back. */
  const retire = async (unit: Unit, secret: SecretRow, version: number): Promise<void> => {
    const row = (await secrets.versions(secret.id, unit.tx)).find((it) => it.version === version);
    if (row?.state !== "live") return;
    await secrets.updateVersions(secret.id, { versions: [version], set: { state: "deleted", deletedAt: now() } }, unit.tx);
    await shares.endOf(secret.id, { versions: [version], at: now() }, unit.tx);
  };

  const complete = async (unit: Unit, { rotation, secret, policy }: Step): Promise<void> => {
    const { id, fromVersion, toVersion } = rotation;
    if (policy?.retireOld && fromVersion !== null) await retire(unit, secret, fromVersion);
    await rotations.update(id, { status: "completed", finishedAt: now() }, unit.tx);
    const data = { name: secret.name, rotationId: id, version: toVersion ?? secret.currentVersion };
    unit.publish(rotationCompleted, { subject: secret.id, ...addressOf(secret.tenant), data });
  };

  return {
    complete,

    /** Puts the value in its place; the secret and the rotation are locked. With `gradual` the version from before stays valid for a while. */
    apply: async (unit: Unit, { rotation, secret, policy }: Step, value: SecretValue): Promise<void> => {
      const call = inNameOf(rotation);
      const from = secret.currentVersion;
      const added = await writer.addVersion(unit, call, { secret, value });
      await writer.trim(unit, call, added.secret);
      const at = now();
      const isGradual = policy?.strategy === "gradual";
      const overlapUntil = isGradual ? new Date(at.getTime() + policy.overlapSeconds * 1_000) : null;
      const step = { fromVersion: from, toVersion: added.version.version, overlapUntil };
      await rotations.update(rotation.id, { ...step, ...(isGradual ? { status: "overlapping" } : {}) }, unit.tx);
      unit.publish(secretRotated, {
        subject: secret.id,
        ...addressOf(secret.tenant),
        actorId: rotation.requestedBy,
        data: {
          name: secret.name,
          rotationId: rotation.id,
          from,
          to: added.version.version,
          ...(overlapUntil ? { overlapUntil: overlapUntil.toISOString() } : {}),
        },
      });
      if (!isGradual) await complete(unit, { rotation: { ...rotation, ...step }, secret: added.secret, policy });
    },

    /** The secret keeps its value, and is tried again a day later. */
    fail: async (unit: Unit, { rotation, secret, policy }: Step, error: string): Promise<void> => {
      await rotations.update(rotation.id, { status: "failed", error, finishedAt: now() }, unit.tx);
      const again = new Date(now().getTime() + dayMs);
      if (policy && policy.nextAt > again) await rotations.updatePolicy(secret.id, { nextAt: again }, unit.tx);
      const data = { name: secret.name, rotationId: rotation.id, error };
      unit.publish(rotationFailed, { subject: secret.id, ...addressOf(secret.tenant), data });
    },

    /** The value from before is the newest again, and the one that did not work is deleted. */
    rollBack: async (unit: Unit, { rotation, secret }: Step, errors: number): Promise<void> => {
      const call = inNameOf(rotation);
      const rows = await secrets.versions(secret.id, unit.tx);
      const before = rows.find(({ version }) => version === rotation.fromVersion);
      if (!before) throw new Error(`version ${rotation.fromVersion} of ${secret.id} is not there`);
      const value = await open(call, { secret, version: before });
      const { secret: restored, version } = await writer.addVersion(unit, call, { secret, value });
      if (rotation.toVersion !== null) await retire(unit, restored, rotation.toVersion);
      await rotations.update(rotation.id, { status: "rolled_back", finishedAt: now() }, unit.tx);
      await rotations.updatePolicy(secret.id, { state: "rolled_back", updatedAt: now() }, unit.tx);
      const data = { name: secret.name, rotationId: rotation.id, from: rotation.toVersion ?? 0, version: version.version, errors };
      unit.publish(rotationRolledBack, { subject: secret.id, ...addressOf(secret.tenant), data });
    },
  };
}

export interface Step {
  readonly rotation: RotationRow;
  readonly secret: SecretRow;
  readonly policy: PolicyRow | undefined;
}

/** Whoever set the policy, or asked. Nobody's role is used: what is generated refers to nothing. */
export function inNameOf({ id, requestedBy: userId }: Pick<RotationRow, "id" | "requestedBy">): SecretCall {
  return {
    actor: { userId, role: "user", via: { kind: "session", sessionId: "", version: 0 } },
    origin: { requestId: id, ip: undefined, userAgent: undefined },
  };
}

/** What is generated refers to nothing, whatever it looks like. */
export function withoutReferences(value: SecretValue): SecretValue {
  const withoutThem = (text: string) => text.replaceAll(/(?<!\$)\$\{secret:/g, () => ["$$", "{secret:"].join(""));
  return typeof value === "string"
    ? withoutThem(value)
    : Object.fromEntries(Object.entries(value).map(([name, text]) => [name, withoutThem(text)]));
}
