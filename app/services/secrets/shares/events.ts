import { z } from "zod";
import { eventsOf } from "../../../platform/events.ts";

const event = eventsOf("secrets");
const data = z.object({ name: z.string(), version: z.number().int(), shareId: z.string() });

export const secretShared = event({
  type: "secret.shared",
  description: "A one-time link to a secret's value was made. The subject is the secret.",
  audited: true,
  data: data.extend({ expiresAt: z.iso.datetime() }),
});

export const shareRedeemed = event({
  type: "secret.share_redeemed",
  description: "Somebody has used a one-time link and has the value. The subject is the secret.",
  audited: true,
  data,
});

export const shareRevoked = event({
  type: "secret.share_revoked",
  description: "A one-time link was taken back before anybody used it. The subject is the secret.",
  audited: true,
  data,
});

export const shareReused = event({
  type: "security.share_reused",
  description: "A one-time link that had been used came again: somebody else may have a copy of it. The subject is the secret.",
  audited: true,
  outcome: "refused",
  data,
});
