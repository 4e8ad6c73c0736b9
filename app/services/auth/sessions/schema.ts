import { z } from "@hono/zod-openapi";
import { storableText } from "../../../platform/text.ts";
import { anyPassword, session, totp, user } from "../schema.ts";

export const refreshRequest = z
  .strictObject({ refreshToken: z.string().max(256).optional().openapi({ description: "Left out when it is in the cookie" }) })
  .openapi("RefreshRequest");
export const addUserRequest = z
  .strictObject({ email: storableText(254), password: anyPassword, totp: totp.optional() })
  .openapi("AddUserRequest");
export const switchUserRequest = z.strictObject({ userId: z.string().max(64) }).openapi("SwitchUserRequest");

export const sessionAnswer = z
  .object({ session, activeUserId: z.string(), users: z.array(user.pick({ id: true, email: true, name: true, role: true })) })
  .openapi("SessionAnswer");
export const sessionList = z
  .object({ data: z.array(session.extend({ current: z.boolean() })), nextCursor: z.null() })
  .openapi("SessionList");
