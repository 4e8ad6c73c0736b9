import type { Now } from "../../platform/clock.ts";
import type { Chore } from "../../platform/housekeeping.ts";
import type { Transact } from "../../platform/outbox.ts";
import { approvalExpired } from "./approvals/events.ts";
import type { RequestStore } from "./approvals/store.ts";
import { secretExpired } from "./events.ts";
import type { ShareStore } from "./shares/store.ts";
import type { SecretStore } from "./store.ts";
import { addressOf } from "./tenant.ts";

export interface SecretChoresDeps {
  readonly store: Pick<SecretStore, "lockExpired" | "update" | "deleteOrphaned">;
  readonly requests: Pick<RequestStore, "lockExpired" | "update" | "forget">;
  readonly shares: Pick<ShareStore, "emptyExpired" | "forget">;
  readonly transact: Transact;
  readonly now: Now;
}

const dayMs = 86_400_000;

/** What becomes of secrets as time goes by. Each thing is told once, by whichever copy comes to it. */
export function secretChores({ store, requests, shares, transact, now }: SecretChoresDeps): readonly Chore[] {
  return [
    {
      name: "tell of secrets that have expired",
      run: () =>
        transact(async (unit) => {
          const rows = await store.lockExpired(now(), unit.tx);
          for (const { id, name, tenant, expiresAt } of rows) {
            await store.update(id, { expiryToldAt: now() }, unit.tx);
            if (expiresAt)
              unit.publish(secretExpired, { subject: id, ...addressOf(tenant), data: { name, expiresAt: expiresAt.toISOString() } });
          }
          return rows.length;
        }),
    },
    {
      name: "end requests that nobody decided or used",
      run: () =>
        transact(async (unit) => {
          const rows = await requests.lockExpired(now(), unit.tx);
          for (const { request, secret } of rows) {
            await requests.update(request.id, { status: "expired" }, unit.tx);
            const data = { name: secret.name, requestId: request.id, action: request.action, requestedBy: request.requestedBy };
            unit.publish(approvalExpired, { subject: secret.id, ...addressOf(secret.tenant), data });
          }
          return rows.length;
        }),
    },
    {
      name: "forget one-time links",
      run: async () => {
        await shares.emptyExpired(now());
        return shares.forget(new Date(now().getTime() - 30 * dayMs));
      },
    },
    { name: "forget requests", run: () => requests.forget(new Date(now().getTime() - 90 * dayMs)) },
    { name: "forget secrets of teams that are no more", run: store.deleteOrphaned },
  ];
}
