import type { Unit } from "../../platform/outbox.ts";
import type { Seal } from "../../platform/seal.ts";
import type { TaskProducer } from "../tasks/record/create.ts";
import { sendMailJob } from "./jobs.ts";
import { type Mail, sealMail } from "./mail.ts";
import type { DevelopmentMailRow, NotifyStore } from "./store.ts";

export type NotifyService = ReturnType<typeof createNotifyService>;

export interface NotifyDeps {
  readonly store: Pick<NotifyStore, "developmentMails">;
  readonly createTask: TaskProducer["create"];
  readonly seal: Seal;
}

const shownMax = 100;

export function createNotifyService({ store, createTask, seal }: NotifyDeps) {
  return {
    /** Part of the caller's unit of work: the mail is on its way once the unit has committed. */
    sendMail: async (unit: Unit, mail: Mail): Promise<void> => {
      await createTask(unit, { contract: sendMailJob, input: { sealed: sealMail(seal, mail) } });
    },

    /** What the development mailbox holds, the newest first. */
    developmentMails: async () => (await store.developmentMails(shownMax)).map(toView),
  };
}

function toView(row: DevelopmentMailRow) {
  return { id: row.id, to: row.recipient, subject: row.subject, text: row.body, createdAt: row.createdAt.toISOString() };
}
