import type { SecretRow } from "../store.ts";
import type { PolicyView, RotationView } from "./schema.ts";
import type { PolicyRow, RotationRow } from "./store.ts";

export function toRotationView({
  id,
  status,
  why,
  fromVersion,
  toVersion,
  overlapUntil,
  error,
  createdAt,
  finishedAt,
}: RotationRow): RotationView {
  return {
    ...{ id, status, why },
    ...(fromVersion === null ? {} : { from: fromVersion }),
    ...(toVersion === null ? {} : { to: toVersion }),
    ...(overlapUntil ? { overlapUntil: overlapUntil.toISOString() } : {}),
    ...(error === null ? {} : { error }),
    createdAt: createdAt.toISOString(),
    ...(finishedAt ? { finishedAt: finishedAt.toISOString() } : {}),
  };
}

export function toPolicyView(
  policy: PolicyRow,
  { secret, open, at }: { secret: SecretRow; open: RotationRow | undefined; at: Date },
): PolicyView {
  const { everyDays, notifyHoursBefore, strategy, overlapSeconds, retireOld, rollback, generator, validators, state, nextAt } = policy;
  const both = open?.status === "overlapping" && open.fromVersion !== null ? [open.fromVersion] : [];
  return {
    ...{ everyDays, notifyHoursBefore, strategy, overlapSeconds, retireOld, generator, state },
    ...(rollback ? { rollback } : {}),
    validators: [...validators],
    nextAt: nextAt.toISOString(),
    overdue: nextAt < at && open?.status !== "pending",
    validVersions: [...both, secret.currentVersion],
  };
}
