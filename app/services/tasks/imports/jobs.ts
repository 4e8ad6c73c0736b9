import { defineJob } from "../../../platform/queue/job.ts";
import { importRequest } from "./schema.ts";

/** Makes anew for the task's owner what the document holds. */
export const importUserDataJob = {
  ...defineJob({ name: "tasks.import-user-data", queue: "import-user-data", input: importRequest }),
  queue: "import-user-data",
} as const;
