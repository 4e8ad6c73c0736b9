import { and, eq, isNotNull, isNull } from "drizzle-orm";
import type { Queryable } from "../../../../db/client.ts";
import { identities, oneTimeTokens, passkeys, passwordHistory, recoveryCodes, totpCredentials, users } from "../../../../db/schema/auth.ts";
import type { UserRow } from "../store.ts";

export type AddressProofStore = ReturnType<typeof createAddressProofStore>;

/** What opens an account, beside its password. */
export type Credential = "passkeys" | "totp" | "identities";

export function createAddressProofStore() {
  return {
    setVerified: async (userId: string, at: Date, on: Queryable): Promise<UserRow | undefined> => {
      const [row] = await on.update(users).set({ emailVerifiedAt: at }).where(eq(users.id, userId)).returning();
      return row;
    },

    hasSecondFactor: async (userId: string, on: Queryable): Promise<boolean> => {
      const rows = await on
        .select({ userId: totpCredentials.userId })
        .from(totpCredentials)
        .where(and(eq(totpCredentials.userId, userId), isNotNull(totpCredentials.confirmedAt)));
      return rows.length > 0;
    },

    /** The password of now and those from before. */
    dropPassword: async (userId: string, on: Queryable): Promise<void> => {
      await on.update(users).set({ passwordHash: null }).where(eq(users.id, userId));
      await on.delete(passwordHistory).where(eq(passwordHistory.userId, userId));
    },

    /** With the links and challenges that are under way. Returns what there was. */
    dropCredentials: async (userId: string, on: Queryable): Promise<Credential[]> => {
      const keys = await on.delete(passkeys).where(eq(passkeys.userId, userId)).returning({ id: passkeys.id });
      await on.delete(recoveryCodes).where(eq(recoveryCodes.userId, userId));
      const totp = await on.delete(totpCredentials).where(eq(totpCredentials.userId, userId)).returning({ userId: totpCredentials.userId });
      const linked = await on.delete(identities).where(eq(identities.userId, userId)).returning({ subject: identities.subject });
      await on.delete(oneTimeTokens).where(and(eq(oneTimeTokens.userId, userId), isNull(oneTimeTokens.usedAt)));
      const dropped = { passkeys: keys.length, totp: totp.length, identities: linked.length } satisfies Record<Credential, number>;
      return (["passkeys", "totp", "identities"] as const).filter((kind) => dropped[kind] > 0);
    },
  };
}
