import { z } from "@hono/zod-openapi";
import { tierNames } from "../../../platform/tiers.ts";
import { user } from "../schema.ts";

export const userId = z.string().max(64).openapi({ example: "usr_0199f0a8c7d87d1b9c5f2f6d4b7a1e3c" });
const tier = z.enum(tierNames);
const managedUser = user.extend({ disabled: z.boolean(), tier }).openapi("ManagedUser");
export const managedUserAnswer = z.object({ user: managedUser });
export const userQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), cursor: userId.optional() });
export const userPage = z.object({ data: z.array(managedUser), nextCursor: z.string().nullable() }).openapi("UserPage");
export const updateUserRequest = z
  .strictObject({ role: z.enum(["user", "admin"]).optional(), disabled: z.boolean().optional(), tier: tier.optional() })
  .refine((change) => Object.keys(change).length > 0, { error: "nothing to change" })
  .openapi("UpdateUserRequest");
