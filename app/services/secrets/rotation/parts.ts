import type { Running } from "../../../platform/bus/port.ts";
import type { Now } from "../../../platform/clock.ts";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import { createRecordAccess } from "../audit/record.ts";
import { createSecretCore, type SecretParts } from "../core.ts";
import { startRotationClock } from "./due.ts";
import { createRotator } from "./rotate.ts";
import { createRotationStore } from "./store.ts";

/** What a thread has at hand that nobody asks anything of. */
export type RotationParts = Pick<SecretParts, "db" | "seal" | "transact" | "vault" | "log"> & { readonly now: Now };

function openRotation(parts: RotationParts) {
  const nobody = { can: () => false, secretsMax: 0, publicUrl: "", recordAccess: createRecordAccess(parts.transact) };
  const { secretWork } = createSecretCore({ ...parts, ...nobody });
  const rotations = createRotationStore(parts.db);
  const rotator = createRotator({ ...secretWork, rotations, secrets: secretWork.store, now: parts.now });
  return { rotations, secrets: secretWork.store, rotator, open: secretWork.open };
}

/** What the handler of the rotation job takes. */
export function openRotateDeps(parts: RotationParts & { readonly guard: AddressGuard; readonly attemptsMax: number }) {
  return { ...parts, ...openRotation(parts) };
}

export function openRotationClock(parts: RotationParts & { readonly createTask: TaskProducer["create"] }): Running {
  return startRotationClock({ ...parts, ...openRotation(parts) });
}
