import { Webhook } from "standardwebhooks";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import { type PostAnswer, post } from "../../../platform/outgoing/post.ts";
import type { DeliveryItem } from "./store.ts";

export interface Message {
  readonly id: string;
  readonly url: string;
  /** All of them sign: receivers take whichever they know. */
  readonly secrets: readonly string[];
  readonly items: readonly DeliveryItem[];
  readonly at: Date;
  readonly signal: AbortSignal;
}

/** Longer than this no receiver is waited for; less than the queue gives an attempt, so that what went wrong can be noted. */
const answerMsMax = 10_000;

/** Sends one event as a CloudEvent, or several as a batch of them, signed by the Standard Webhooks scheme. The id stays the same however often it is sent. */
export function send({ id, url, secrets, items, at, signal }: Message, guard: AddressGuard): Promise<PostAnswer> {
  const events = items.map(({ event }) => event ?? "null");
  const isBatch = events.length > 1;
  const body = isBatch ? `[${events.join(",")}]` : (events[0] ?? "null");
  const headers = {
    "content-type": isBatch ? "application/cloudevents-batch+json" : "application/cloudevents+json",
    "user-agent": "Keelson",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
    "webhook-signature": secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(" "),
  };
  return post({ url, headers, body, signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]) }, guard);
}
