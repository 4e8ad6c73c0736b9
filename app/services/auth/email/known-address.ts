import type { Limiter, LimitPolicy } from "../../../platform/limiter/port.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { knownAddressNotice, type SendMail } from "../mails.ts";
import type { UserRow } from "../store.ts";

/** However often somebody tries, the owner is told once in this time. */
const once: LimitPolicy = { name: "known-address", limit: 1, windowSeconds: 600, durable: true };

export interface TellOwnerDeps {
  readonly limiter: Pick<Limiter, "consume">;
  readonly transact: Transact;
  readonly sendMail: SendMail;
}

export type TellOwner = (user: UserRow) => Promise<void>;

/** Tells the owner of an address that somebody tried to sign up with it. */
export function createTellOwner({ limiter, transact, sendMail }: TellOwnerDeps): TellOwner {
  return async (user) => {
    if (user.disabledAt) return;
    const { allowed } = await limiter.consume(once, user.id);
    if (allowed) await transact((unit) => sendMail(unit, knownAddressNotice(user)));
  };
}
