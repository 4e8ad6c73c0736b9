import type { z } from "zod";
import { type Actor, ownershipOf, type RequestOrigin } from "../../../platform/actor.ts";
import type { Bus } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import { defined } from "../../../platform/defined.ts";
import { Problem } from "../../../platform/errors.ts";
import { addressedTo } from "../../../platform/events.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import { newSigningSecret } from "../../../platform/outgoing/signing-secret.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { Can } from "../../auth/can.ts";
import { faultOf } from "../schema.ts";
import { subscriptionCreated, subscriptionDeleted, subscriptionSecretRotated, subscriptionUpdated } from "./events.ts";
import type { createSubscriptionRequest, pageQuery, updateSubscriptionRequest } from "./schema.ts";
import { openSecrets, sealSecrets } from "./secrets.ts";
import type { SubscriptionRow, SubscriptionStore } from "./store.ts";
import { type SubscriptionView, toSubscriptionView } from "./view.ts";

export type SubscriptionService = ReturnType<typeof createSubscriptionService>;

export interface SubscriptionDeps {
  readonly store: SubscriptionStore;
  readonly bus: Pick<Bus, "head">;
  readonly transact: Transact;
  readonly can: Can;
  readonly guard: Pick<AddressGuard, "forbidden">;
  readonly seal: Seal;
  /** So many subscriptions one user may make. */
  readonly subscriptionsMax: number;
  readonly now: Now;
}

export interface SubscriptionCall {
  readonly actor: Actor;
  readonly origin: RequestOrigin;
}

type Changes = z.infer<typeof updateSubscriptionRequest>;

/** Secrets that still sign beside the newest. */
const secretsMax = 5;

/** What a client may do with subscriptions. Somebody else's does not exist for it; administrators see all. */
export function createSubscriptionService(deps: SubscriptionDeps) {
  const { store, bus, transact, can, guard, seal, now } = deps;

  const assertSeen = async (actor: Actor, id: string, row: SubscriptionRow | undefined): Promise<SubscriptionRow> => {
    if (!row || !(await can(actor, "events:read", row))) throw new Problem("not_found", { detail: `There is no subscription ${id}.` });
    return row;
  };
  const locked = async (unit: Unit, actor: Actor, id: string): Promise<SubscriptionRow> => {
    const row = await assertSeen(actor, id, await store.lock(id, unit.tx));
    if (!(await can(actor, "events:write", row)))
      throw new Problem("forbidden", { detail: "You may see this subscription, not change it." });
    return row;
  };
  const assertAddress = async (url: string | undefined): Promise<void> => {
    if (url === undefined) return;
    const { hostname } = new URL(url);
    const [address] = await guard.forbidden(hostname);
    if (address)
      throw new Problem("forbidden_address", {
        detail: `${hostname} is not a public address.`,
        errors: [
          {
            pointer: "/url",
            detail: address === hostname ? "is not a public address" : `leads to ${address}, which is not a public address`,
          },
        ],
      });
  };

  return {
    /** It gets what is published from now on. The secret is shown this once. */
    create: async (
      { actor, origin }: SubscriptionCall,
      given: z.infer<typeof createSubscriptionRequest>,
    ): Promise<{ readonly subscription: SubscriptionView; readonly secret: string }> => {
      assertPatterns(given.pattern);
      await assertAddress(given.url);
      const owner = ownershipOf(actor);
      if (!(await can(actor, "events:write", owner))) throw new Problem("forbidden", { detail: "Viewers of a team make nothing for it." });
      const secret = newSigningSecret();
      const fromCursor = await bus.head();
      const row = await transact(async (unit) => {
        if ((await store.lockAndCount(actor.userId, unit.tx)) >= deps.subscriptionsMax)
          throw new Problem("conflict", { detail: `You have ${deps.subscriptionsMax} subscriptions, which is as many as you may.` });
        const id = newId("subscription");
        const inserted = await store.insert(
          {
            id,
            ...owner,
            asAdmin: actor.role === "admin",
            ...columnsOf(given),
            url: given.url,
            patterns: given.pattern,
            description: given.description,
            concurrency: given.concurrency,
            status: "active",
            secrets: sealSecrets(seal, id, [{ secret }]),
            fromCursor,
          },
          unit.tx,
        );
        const data = { host: new URL(given.url).host, patterns: given.pattern };
        unit.publish(subscriptionCreated, { ...addressOf(inserted, { actor, origin }), data });
        return inserted;
      });
      return { subscription: toSubscriptionView(row), secret };
    },

    /** Throws `Problem` (`not_found`) unless the actor may see it. */
    seen: async (actor: Actor, id: string): Promise<SubscriptionRow> => assertSeen(actor, id, await store.find(id)),

    locked,

    get: async (actor: Actor, id: string): Promise<SubscriptionView> =>
      toSubscriptionView(await assertSeen(actor, id, await store.find(id))),

    list: async (actor: Actor, query: z.infer<typeof pageQuery>): Promise<{ data: SubscriptionView[]; nextCursor: string | null }> => {
      const rows = await store.list({
        ...(actor.role === "admin" ? {} : ownershipOf(actor)),
        ...(query.cursor ? { before: query.cursor } : {}),
        limit: query.limit + 1,
      });
      const page = rows.slice(0, query.limit);
      return { data: page.map(toSubscriptionView), nextCursor: rows.length > query.limit ? (page.at(-1)?.id ?? null) : null };
    },

    /** What comes while it is paused waits; one that was disabled begins anew with what is published from now on. */
    update: async (call: SubscriptionCall, id: string, changes: Changes): Promise<SubscriptionView> => {
      if (changes.pattern) assertPatterns(changes.pattern);
      await assertAddress(changes.url);
      const head = await bus.head();
      return transact(async (unit) => {
        const before = await locked(unit, call.actor, id);
        const { url, description, concurrency, status, pattern: patterns } = changes;
        const enabled =
          before.status === "disabled" && status === "active" ? { fromCursor: head, disabledReason: null, failingSince: null } : {};
        const set = defined({ url, description, concurrency, status, patterns });
        const row = await store.update(id, { ...set, ...(changes.batch === undefined ? {} : columnsOf(changes)), ...enabled }, unit.tx);
        unit.publish(subscriptionUpdated, { ...addressOf(row, call), data: { changed: Object.keys(changes), status: row.status } });
        return toSubscriptionView(row);
      });
    },

    delete: (call: SubscriptionCall, id: string): Promise<void> =>
      transact(async (unit) => {
        const row = await locked(unit, call.actor, id);
        await store.delete(id, unit.tx);
        unit.publish(subscriptionDeleted, { ...addressOf(row, call), data: { host: new URL(row.url).host } });
      }),

    /** The new secret signs at once, and so does the old one until its time is over: receivers take either. */
    rotateSecret: (
      call: SubscriptionCall,
      id: string,
      overlapSeconds: number,
    ): Promise<{ readonly secret: string; readonly previousExpiresAt: string }> =>
      transact(async (unit) => {
        const row = await locked(unit, call.actor, id);
        const secret = newSigningSecret();
        const previousExpiresAt = new Date(now().getTime() + overlapSeconds * 1_000).toISOString();
        const [current, ...older] = openSecrets(seal, row);
        const living = older.filter(({ expiresAt }) => expiresAt !== undefined && Date.parse(expiresAt) > now().getTime());
        const previous = current && overlapSeconds > 0 ? [{ ...current, expiresAt: previousExpiresAt }, ...living] : living;
        await store.update(id, { secrets: sealSecrets(seal, id, [{ secret }, ...previous].slice(0, secretsMax)) }, unit.tx);
        unit.publish(subscriptionSecretRotated, { ...addressOf(row, call), data: { overlapSeconds } });
        return { secret, previousExpiresAt };
      }),
  };
}

function assertPatterns(patterns: readonly string[]): void {
  const fault = faultOf(patterns);
  if (fault) throw new Problem("invalid_pattern", { detail: fault });
}

function columnsOf({ batch }: Pick<Changes, "batch">): Pick<SubscriptionRow, "batchSize" | "batchWaitMs"> {
  return { batchSize: batch?.size ?? 1, batchWaitMs: batch?.waitMs ?? 0 };
}

function addressOf(row: Pick<SubscriptionRow, "id" | "ownerId" | "teamId">, { actor, origin }: SubscriptionCall) {
  return { subject: row.id, ...addressedTo(row), actorId: actor.userId, origin };
}
