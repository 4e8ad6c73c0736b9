import type { z } from "zod";
import type { AccountData } from "../../platform/account-data.ts";
import type { Transact } from "../../platform/outbox.ts";
import { giveUp, type JobHandler } from "../../platform/queue/job.ts";
import { userErased } from "./events.ts";
import type { eraseUserJob } from "./jobs.ts";
import type { AuthStore } from "./store.ts";
import type { LeaveTeams } from "./teams/leave-all.ts";

export interface AuthHandlerDeps {
  readonly store: Pick<AuthStore, "findUser">;
  readonly leaveTeams: LeaveTeams;
  /** What each service keeps of an account; the account itself comes last. */
  readonly accountData: readonly AccountData[];
  readonly transact: Transact;
}

/**
 * Erases everything of a closed account, or nothing. No team goes on without an owner: an administrator may have enabled the account in between.
 * Idempotent: what is gone already is no error.
 */
export function createEraseUserHandler({
  store,
  leaveTeams,
  accountData,
  transact,
}: AuthHandlerDeps): JobHandler<z.infer<typeof eraseUserJob.input>> {
  return async ({ userId }) => {
    const user = await store.findUser(userId);
    if (user && !user.disabledAt) return giveUp(`${userId} is in use again`);
    await transact(async (unit) => {
      await leaveTeams(unit, userId);
      for (const { erase } of accountData) await erase(userId, unit.tx);
      if (user) unit.publish(userErased, { subject: userId, data: {} });
    });
    return {};
  };
}
