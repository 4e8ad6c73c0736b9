import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Unit } from "../../../platform/outbox.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import type { KeyAuthority } from "../api-keys/authority.ts";
import { userDeleted } from "../events.ts";
import { eraseUserJob } from "../jobs.ts";
import type { SessionService } from "../sessions/service.ts";
import type { AuthStore } from "../store.ts";

export interface CloseAccountDeps {
  readonly store: Pick<AuthStore, "updateUser">;
  readonly sessions: Pick<SessionService, "leaveAll">;
  readonly keys: Pick<KeyAuthority, "ownerChanged">;
  readonly createTask: TaskProducer["create"];
  readonly now: Now;
}

/** Part of the caller's unit of work. Resolves to the task that erases what belongs to the account. */
export type CloseAccount = (
  unit: Unit,
  userId: string,
  by: { readonly actor?: Actor; readonly origin: RequestOrigin },
) => Promise<{ readonly taskId: string }>;

/** An account that is closed opens to nobody at once; a job erases what belongs to it. */
export function createCloseAccount({ store, sessions, keys, createTask, now }: CloseAccountDeps): CloseAccount {
  return async (unit, userId, by) => {
    const { actor, origin } = by;
    await store.updateUser(userId, { disabledAt: now() }, unit.tx);
    await sessions.leaveAll(unit, { userId, reason: "user_deleted", ...by });
    await keys.ownerChanged(unit, userId, by);
    unit.publish(userDeleted, { subject: userId, ...(actor ? { actorId: actor.userId } : {}), origin, data: {} });
    const task = await createTask(unit, { contract: eraseUserJob, input: { userId }, requestId: origin.requestId });
    return { taskId: task.id };
  };
}
