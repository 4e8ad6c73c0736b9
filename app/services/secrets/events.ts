import { z } from "zod";
import { eventsOf } from "../../platform/events.ts";

const event = eventsOf("secrets");
const name = z.string();
const version = z.number().int();
const versions = z.array(version);
const about = "The subject is the secret.";

export const secretCreated = event({
  type: "secret.created",
  description: `A secret is there, with its first version. ${about}`,
  audited: true,
  data: z.object({ name, version }),
});

export const secretUpdated = event({
  type: "secret.updated",
  description: `A secret has another version, or its labels, expiry, limits or approval were changed; the names of the fields that were given. ${about}`,
  audited: true,
  data: z.object({ name, version, changed: z.array(z.string()) }),
});

export const secretDeleted = event({
  type: "secret.deleted",
  description: `Versions of a secret are given out no more; they can be brought back. ${about}`,
  audited: true,
  data: z.object({ name, versions }),
});

export const secretRestored = event({
  type: "secret.restored",
  description: `Deleted versions of a secret are back. ${about}`,
  audited: true,
  data: z.object({ name, versions }),
});

export const secretDestroyed = event({
  type: "secret.destroyed",
  description: `Values of a secret are gone for good: somebody destroyed them, or newer versions took their place. ${about}`,
  audited: true,
  data: z.object({ name, versions, why: z.enum(["asked", "max_versions"]) }),
});

export const secretRolledBack = event({
  type: "secret.rolled_back",
  description: `A secret has a new version with the value of an older one. ${about}`,
  audited: true,
  data: z.object({ name, version, from: version }),
});

/** How a value came to be given out: asked for, put into another secret's or into a link, got by a link, or used by a part of the program. */
export const readAs = ["value", "reference", "share", "redemption", "machine"] as const;

export const secretRead = event({
  type: "secret.read",
  description: `A secret's value was given out; with an \`outcome\` it was not, because it does not open, or takes a second person. ${about}`,
  audited: true,
  data: z.object({
    name,
    version,
    as: z.enum(readAs),
    outcome: z.enum(["failed", "refused"]).optional(),
    usedBy: z.object({ service: z.string(), subject: z.string() }).optional(),
  }),
});

export const secretExpired = event({
  type: "secret.expired",
  description: `A secret is past its time: it is given out no more. ${about}`,
  audited: true,
  data: z.object({ name, expiresAt: z.iso.datetime() }),
});

export const secretTampered = event({
  type: "security.secret_tampered",
  description: `A stored value does not open: it was altered, put in another's place, or sealed with a key that is gone. ${about}`,
  audience: "admins",
  audited: true,
  outcome: "failed",
  data: z.object({ tenant: z.string(), name, version }),
});

export const staleValueGiven = event({
  type: "secret.stale_value_given",
  description:
    "Vault is out of reach, and a value was given that is due to be read again; told at most once a minute for each. The subject is the secret.",
  audience: "admins",
  audited: true,
  data: z.object({ ageMs: z.number().int() }),
});
