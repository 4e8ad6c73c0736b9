import type { z } from "zod";
import type { RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import { Problem } from "../../../platform/errors.ts";
import { loginFailed, passkeyCloned } from "../events.ts";
import type { LogIn, TransactLogIn } from "../log-in.ts";
import type { SignedIn } from "../schema.ts";
import type { AuthStore } from "../store.ts";
import type { Ceremonies } from "./ceremonies.ts";
import type { Challenges } from "./challenges.ts";
import type { authenticateRequest } from "./schema.ts";
import type { PasskeyRow, PasskeyStore } from "./store.ts";

export interface AuthenticateDeps {
  readonly users: Pick<AuthStore, "lockUser">;
  readonly store: PasskeyStore;
  readonly ceremonies: Pick<Ceremonies, "authenticationOptions" | "verifyAuthentication">;
  readonly challenges: Challenges;
  readonly logIn: Pick<LogIn, "open">;
  readonly transact: TransactLogIn;
  readonly now: Now;
}

/** The log-in by passkey. Everything that is wrong with one is `invalid_credentials`. */
export function createAuthenticate({ users, store, ceremonies, challenges, logIn, transact, now }: AuthenticateDeps) {
  const recordFailure = ({ userId }: PasskeyRow, origin: RequestOrigin) =>
    transact(async (unit) => unit.publish(loginFailed, { subject: userId, audience: userId, origin, data: { reason: "wrong_passkey" } }));

  const recordClone = ({ id, userId }: PasskeyRow, origin: RequestOrigin) =>
    transact(async (unit) => unit.publish(passkeyCloned, { subject: userId, audience: userId, origin, data: { passkeyId: id } }));

  return {
    begin: async () => {
      const options = await ceremonies.authenticationOptions();
      return { options, challengeToken: await challenges.issue(options.challenge) };
    },

    logIn: async ({ challengeToken, response }: z.infer<typeof authenticateRequest>, origin: RequestOrigin): Promise<SignedIn> => {
      const challenge = await challenges.take(challengeToken);
      const passkey = challenge === undefined ? undefined : await store.findByCredential(response.id);
      if (challenge === undefined || !passkey) throw new Problem("invalid_credentials");
      const shown = await ceremonies.verifyAuthentication(response, { challenge, passkey });
      if (!shown) {
        await recordFailure(passkey, origin);
        throw new Problem("invalid_credentials");
      }
      return transact(async (unit) => {
        // The account first, as whoever removes a passkey does: else the two could wait for each other.
        const user = await users.lockUser(passkey.userId, unit.tx);
        const current = await store.lock(passkey.id, unit.tx);
        if (!(user && current)) throw new Problem("invalid_credentials");
        if (isBehind(shown.counter, current.counter)) {
          unit.afterRollback(() => recordClone(passkey, origin));
          throw new Problem("invalid_credentials");
        }
        await store.use(passkey.id, { ...shown, lastUsedAt: now() }, unit.tx);
        return logIn.open(unit, { user, method: "hwk", origin });
      });
    },
  };
}

/** An authenticator that counts never shows a number again: two of them have the key (WebAuthn Level 3 §6.1.1). Many always show 0. */
function isBehind(shown: number, stored: number): boolean {
  return (shown > 0 || stored > 0) && shown <= stored;
}
