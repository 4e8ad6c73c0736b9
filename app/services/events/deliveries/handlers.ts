import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { addressedTo } from "../../../platform/events.ts";
import type { Transact, Unit } from "../../../platform/outbox.ts";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import type { PostAnswer } from "../../../platform/outgoing/post.ts";
import { giveUp, type JobHandler, tryAgainIn } from "../../../platform/queue/job.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { deliverJob } from "../jobs.ts";
import { deliveryDied, subscriptionDisabled } from "../subscriptions/events.ts";
import { openSecrets, validSecrets } from "../subscriptions/secrets.ts";
import type { SubscriptionRow, SubscriptionStore } from "../subscriptions/store.ts";
import { disabledNotice, type SendMail } from "./mails.ts";
import { send } from "./send.ts";
import type { Attempted, DeliveryRow, DeliveryStore } from "./store.ts";

export interface DeliveryHandlerDeps {
  readonly store: DeliveryStore;
  readonly subscriptions: SubscriptionStore;
  readonly transact: Transact;
  readonly guard: AddressGuard;
  readonly seal: Pick<Seal, "open">;
  readonly sendMail: SendMail;
  readonly attemptsMax: number;
  /** A subscription that has only failed for this long is disabled. */
  readonly disableAfterMs: number;
  readonly now: Now;
}

interface Failure {
  readonly error: string;
  readonly responseStatus: number | null;
  /** Says never to send anything there again. */
  readonly isGone: boolean;
  readonly retryAfterMs: number | undefined;
}

const retryAfterMsMax = 3_600_000;
/** A receiver that says "later" for this long has failed. */
const patienceMs = 86_400_000;

/**
 * Sends one delivery and notes what came of it.
 * Idempotent: one that has ended is not sent again; one whose worker died before it could note the answer is, with the same `webhook-id`.
 */
export function createDeliverHandler(deps: DeliveryHandlerDeps): JobHandler<z.infer<typeof deliverJob.input>> {
  const { store, subscriptions, transact, guard, seal, now } = deps;

  const die = async (
    unit: Unit,
    { of, delivery, attempted }: { readonly of: SubscriptionRow; readonly delivery: DeliveryRow; readonly attempted: Attempted },
  ) => {
    if (!(await store.died(delivery.id, { ...attempted, at: now() }, unit.tx))) return;
    const data = { deliveryId: delivery.id, attempts: attempted.attempts, error: attempted.error ?? "" };
    unit.publish(deliveryDied, { subject: of.id, ...addressedTo(of), data });
  };

  const disable = async (unit: Unit, of: SubscriptionRow, reason: string) => {
    const current = await subscriptions.lock(of.id, unit.tx);
    if (!current || current.status === "disabled") return;
    await subscriptions.update(of.id, { status: "disabled", disabledReason: reason }, unit.tx);
    unit.publish(subscriptionDisabled, { subject: of.id, ...addressedTo(of), data: { reason } });
    const owner = await subscriptions.ownerOf(of.id);
    if (owner) await deps.sendMail(unit, disabledNotice(owner, { url: of.url, reason }));
  };

  /** Whether it will be tried again. */
  const fail = (
    of: SubscriptionRow,
    delivery: DeliveryRow,
    { failure, attempted, isLast }: { readonly failure: Failure; readonly attempted: Attempted; readonly isLast: boolean },
  ) =>
    transact(async (unit) => {
      const at = now();
      const failingSince = await subscriptions.noteFailure(of.id, { at, error: failure.error }, unit.tx);
      const failsTooLong = failingSince !== undefined && at.getTime() - failingSince.getTime() > deps.disableAfterMs;
      if (failure.isGone || isLast) await die(unit, { of, delivery, attempted });
      else await store.attempted(delivery.id, attempted, unit.tx);
      if (failure.isGone) await disable(unit, of, "The receiver answered 410: it wants no more.");
      else if (failsTooLong)
        await disable(unit, of, `Every delivery has failed since ${failingSince.toISOString()}. The last one: ${failure.error}`);
    });

  /** Undefined while the subscription takes deliveries; otherwise what has become of this one. */
  const withheld = async (of: SubscriptionRow, delivery: DeliveryRow): Promise<string | undefined> => {
    if (delivery.status !== "pending") return delivery.status;
    if (of.status === "active") return undefined;
    const { attempts } = delivery;
    const attempted = { attempts, responseStatus: null, error: "the subscription is disabled", durationMs: 0 };
    await transact((unit) => (of.status === "paused" ? store.dissolve(delivery.id, unit.tx) : die(unit, { of, delivery, attempted })));
    return of.status;
  };

  const trySend = async (of: SubscriptionRow, delivery: DeliveryRow, signal: AbortSignal) => {
    const items = await store.itemsOf([delivery.id]);
    const startedAt = performance.now();
    const secrets = validSecrets(openSecrets(seal, of), now());
    const outcome = await send({ id: delivery.id, url: of.url, secrets, items, at: now(), signal }, guard).then(failureOf, unreachable);
    signal.throwIfAborted();
    return { outcome, attempts: delivery.attempts + 1, durationMs: Math.round(performance.now() - startedAt) };
  };

  const succeed = (of: SubscriptionRow, delivery: DeliveryRow, attempted: Attempted) =>
    transact(async (unit) => {
      await store.delivered(delivery.id, { ...attempted, at: now() }, unit.tx);
      await subscriptions.noteSuccess(of.id, now(), unit.tx);
    });

  return async ({ deliveryId }, { attempt, signal }) => {
    const delivery = await store.find(deliveryId);
    const of = delivery && (await subscriptions.find(delivery.subscriptionId));
    if (!delivery || !of) return giveUp("the subscription is no more");
    const reason = await withheld(of, delivery);
    if (reason) return { withheld: reason };
    const { outcome, ...sent } = await trySend(of, delivery, signal);
    if (typeof outcome === "number") {
      await succeed(of, delivery, { ...sent, responseStatus: outcome, error: null });
      return { responseStatus: outcome };
    }
    const isLast = attempt >= deps.attemptsMax;
    await fail(of, delivery, {
      failure: outcome,
      attempted: { ...sent, responseStatus: outcome.responseStatus, error: outcome.error },
      isLast,
    });
    const { isGone, retryAfterMs: laterMs, error } = outcome;
    if (isGone) return { gone: true };
    const isYoung = now().getTime() - delivery.createdAt.getTime() < patienceMs;
    if (laterMs !== undefined && isYoung && !isLast) tryAgainIn(laterMs);
    throw new DeliveryFailed(error);
  };
}

/** The receiver did not take it. */
class DeliveryFailed extends Error {
  override readonly name = "DeliveryFailed";
}

/** The status of an answer that says "I have it", or what is wrong with it. */
function failureOf({ status, headers, excerpt }: PostAnswer): number | Failure {
  if (status >= 200 && status < 300) return status;
  const isRedirect = status >= 300 && status < 400;
  const text = excerpt.trim().slice(0, 200);
  const error = isRedirect ? `answered ${status}: redirects are not followed` : `answered ${status}${text ? `: ${text}` : ""}`;
  return {
    error,
    responseStatus: status,
    isGone: status === 410,
    retryAfterMs: [429, 503].includes(status) ? retryAfterMs(headers["retry-after"]) : undefined,
  };
}

function unreachable(error: unknown): Failure {
  const said = error instanceof Error ? error.message : String(error);
  const message = error instanceof Error && error.name === "TimeoutError" ? "did not answer in time" : said;
  return { error: message, responseStatus: null, isGone: false, retryAfterMs: undefined };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function retryAfterMs(given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const ms = /^\d+$/.test(given) ? Number(given) * 1_000 : Date.parse(given) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 1_000), retryAfterMsMax) : undefined;
}
