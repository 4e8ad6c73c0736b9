import type { z } from "zod";
import type { Now } from "../../platform/clock.ts";
import { giveUp, type JobHandler } from "../../platform/queue/job.ts";
import type { Seal } from "../../platform/seal.ts";
import type { sendMailJob } from "./jobs.ts";
import { openMail } from "./mail.ts";
import type { NotifyStore } from "./store.ts";

export interface NotifyHandlerDeps {
  readonly store: Pick<NotifyStore, "insertDevelopmentMail">;
  readonly seal: Seal;
  /** Whether mail is shown at /dev/mail. */
  readonly developmentMailbox: boolean;
  readonly now: Now;
}

/**
 * Delivers a mail to the development mailbox.
 * Idempotent: the mail has the id of its task, and the mailbox keeps one of each.
 */
export function createSendMailHandler(deps: NotifyHandlerDeps): JobHandler<z.infer<typeof sendMailJob.input>> {
  return async ({ sealed }, { taskId }) => {
    if (!deps.developmentMailbox) return giveUp("No mail provider is configured, and KEELSON_DEV_MAILBOX is off.");
    const { to, subject, text } = openMail(deps.seal, sealed);
    await deps.store.insertDevelopmentMail({ id: taskId, recipient: to, subject, body: text, createdAt: deps.now() });
    return {};
  };
}
