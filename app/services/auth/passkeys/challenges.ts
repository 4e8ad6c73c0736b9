import { z } from "zod";
import type { Transact } from "../../../platform/outbox.ts";
import type { OneTimeTokens } from "../one-time-tokens.ts";

/** How long the browser leaves people to find their authenticator, and how long a challenge is good for. */
export const ceremonySeconds = 300;

export type Challenges = ReturnType<typeof createChallenges>;

const kept = z.object({ challenge: z.string() });

/** What authenticators have to sign. One is good for one try, right or wrong, and either to log in or to register for the user it was made for. */
export function createChallenges({ oneTimeTokens, transact }: { readonly oneTimeTokens: OneTimeTokens; readonly transact: Transact }) {
  return {
    /** Without a user it is for a log-in. */
    issue: (challenge: string, userId?: string): Promise<string> =>
      transact((unit) =>
        oneTimeTokens.issue(unit, {
          purpose: userId === undefined ? "passkey_authenticate" : "passkey_register",
          ...(userId === undefined ? {} : { userId }),
          data: { challenge },
          lifetimeSeconds: ceremonySeconds,
        }),
      ),

    /** In a transaction of its own, so that what fails afterwards does not make it good again. */
    take: async (token: string, userId?: string): Promise<string | undefined> => {
      const purpose = userId === undefined ? "passkey_authenticate" : "passkey_register";
      const row = await transact((unit) => oneTimeTokens.take(unit, purpose, token));
      return row && row.userId === (userId ?? null) ? kept.parse(row.data).challenge : undefined;
    },
  };
}
