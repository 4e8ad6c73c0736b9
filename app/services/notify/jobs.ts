import { z } from "zod";
import { defineJob } from "../../platform/queue/job.ts";

/** Delivers one mail. The mail is sealed: it may carry a link that opens an account, and jobs are stored. */
export const sendMailJob = defineJob({
  name: "notify.send-mail",
  queue: "email-send",
  input: z.object({ sealed: z.base64() }),
});
