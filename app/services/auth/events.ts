import { z } from "zod";
import { defineEvent } from "../../platform/events.ts";

/** The subject is the user. */
export const userSignedUp = defineEvent({ type: "user.signed_up", data: z.object({ role: z.enum(["user", "admin"]) }) });

/** The subject is the session. */
export const sessionOpened = defineEvent({ type: "session.opened", data: z.object({ userId: z.string(), ip: z.string().nullable() }) });

/** The subject is the session. `reuse`: an old refresh token came back, so somebody else may hold a copy (RFC 9700 §4.14.2). */
export const sessionRevoked = defineEvent({
  type: "session.revoked",
  data: z.object({ userId: z.string(), reason: z.enum(["logout", "reuse"]) }),
});
