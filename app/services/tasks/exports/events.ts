import { z } from "zod";
import { defineEvent } from "../../../platform/events.ts";

/** The subject of both is the export. A copy of everything leaves: that is for the audit log. */
export const exportRequested = defineEvent({ type: "export.requested", audited: true, data: z.object({ taskId: z.string() }) });
export const exportDownloaded = defineEvent({ type: "export.downloaded", audited: true, data: z.object({}) });
