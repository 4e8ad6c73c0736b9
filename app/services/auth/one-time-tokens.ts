import { createHash } from "node:crypto";
import type { Now } from "../../platform/clock.ts";
import { randomToken } from "../../platform/ids.ts";
import type { Unit } from "../../platform/outbox.ts";
import type { AuthStore, OneTimeTokenRow } from "./store.ts";

export type OneTimePurpose =
  | "verify_email"
  | "reset_password"
  | "magic_link"
  | "invitation"
  | "oauth_flow"
  | "oauth_sign_in"
  | "passkey_register"
  | "passkey_authenticate";

export type OneTimeTokens = ReturnType<typeof createOneTimeTokens>;

/** Tokens that do one thing, once, for a short time: 256 bits of randomness, of which only the digest is stored (OWASP ASVS 5.0, 6.4 and 6.6). */
export function createOneTimeTokens({ store, now }: { readonly store: AuthStore; readonly now: Now }) {
  return {
    /** Part of the caller's unit of work. A user's earlier token of this purpose stops working. */
    issue: async (
      unit: Pick<Unit, "tx">,
      token: { readonly purpose: OneTimePurpose; readonly userId?: string; readonly data?: unknown; readonly lifetimeSeconds: number },
    ): Promise<string> => {
      const secret = randomToken(32);
      if (token.userId) await store.deleteOneTimeTokens(token.userId, token.purpose, unit.tx);
      await store.insertOneTimeToken(
        {
          hash: hashToken(secret),
          purpose: token.purpose,
          userId: token.userId,
          data: token.data ?? {},
          createdAt: now(),
          expiresAt: new Date(now().getTime() + token.lifetimeSeconds * 1_000),
        },
        unit.tx,
      );
      return secret;
    },

    /**
     * Takes the token for good, if the unit of work succeeds: a unit that throws leaves it as it was. Undefined when it is unknown,
     * used, past its time or meant for something else.
     */
    take: async (unit: Pick<Unit, "tx">, purpose: OneTimePurpose, secret: string): Promise<OneTimeTokenRow | undefined> => {
      const hash = hashToken(secret);
      const row = await store.lockOneTimeToken({ hash, purpose, at: now() }, unit.tx);
      if (row) await store.useOneTimeToken(hash, now(), unit.tx);
      return row;
    },
  };
}

/** Only the digest is stored, so a leaked table opens nothing. For random tokens, never for what people choose. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
