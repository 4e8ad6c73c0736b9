import { createHash } from "node:crypto";
import { Problem } from "../../../platform/errors.ts";
import type { Limiter, LimitPolicy } from "../../../platform/limiter/port.ts";

/** One mail of a team to an address in this time, whatever became of the invitation before. */
const perAddress: LimitPolicy = { name: "invitation-address", limit: 1, windowSeconds: 60, durable: true };
/** Of one user in all their teams, so that nobody has us write to half the world. */
const perUser: LimitPolicy = { name: "invitations", limit: 50, windowSeconds: 86_400, durable: true };

interface Invitation {
  readonly by: string;
  readonly teamId: string;
  readonly email: string;
}

export type LimitInvitations = ReturnType<typeof createLimitInvitations>;

/** Counts a mail that is about to be sent. Throws `Problem` (`rate_limited`). Not for inside of a transaction: counting takes a connection of its own. */
export function createLimitInvitations(limiter: Pick<Limiter, "consume">) {
  return async ({ by, teamId, email }: Invitation): Promise<void> => {
    const address = createHash("sha256").update(email.toLowerCase()).digest("base64url");
    await take(perAddress, `${teamId} ${address}`, "The last mail of the team to this address was sent less than a minute ago.");
    await take(perUser, by, `You have sent ${perUser.limit} invitations within a day.`);
  };

  async function take(policy: LimitPolicy, key: string, detail: string): Promise<void> {
    const { allowed, resetSeconds } = await limiter.consume(policy, key);
    if (!allowed) throw new Problem("rate_limited", { detail, retryAfterSeconds: Math.max(1, resetSeconds) });
  }
}
