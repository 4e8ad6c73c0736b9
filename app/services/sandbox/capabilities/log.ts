import { z } from "zod";
import type { Logger } from "../../../platform/logger.ts";
import { type Capability, CapabilityError } from "./broker.ts";

const line = z.object({
  level: z.enum(["debug", "info", "warn", "error"]),
  message: z.string().max(4_096),
  fields: z.record(z.string(), z.unknown()).nullish(),
});

/** Lines in the log of this installation, marked with whose program wrote them. */
export function createLogCapability(log: Logger): Capability {
  return async ({ executionId, ownerId, teamId }, _method, argument) => {
    const parsed = line.safeParse(argument);
    if (!parsed.success) throw new CapabilityError("TypeError", "log takes debug, info, warn or error, a message and an object of fields");
    const { level, message, fields } = parsed.data;
    log[level]({ executionId, ownerId, teamId, guest: fields ?? {} }, `program: ${message}`);
    return null;
  };
}
