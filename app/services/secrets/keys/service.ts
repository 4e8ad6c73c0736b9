import type { Actor, RequestOrigin } from "../../../platform/actor.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Keyring } from "../../../platform/keys/keyring.ts";
import type { KekRow, KekStore } from "../../../platform/keys/store.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { TaskProducer } from "../../tasks/record/create.ts";
import { keyRotated } from "./events.ts";
import { rewrapJob } from "./jobs.ts";
import type { KeyView } from "./schema.ts";
import type { SealedStore } from "./store.ts";

export type KeyService = ReturnType<typeof createKeyService>;

export interface KeyServiceDeps {
  readonly keyring: Pick<Keyring, "rotate">;
  readonly keks: Pick<KekStore, "all">;
  readonly store: Pick<SealedStore, "uses">;
  readonly transact: Transact;
  readonly createTask: TaskProducer["create"];
  readonly now: Now;
}

/** What administrators may do with key-encryption keys. The routes ask who it is. */
export function createKeyService({ keyring, keks, store, transact, createTask, now }: KeyServiceDeps) {
  return {
    list: async (): Promise<{ readonly data: KeyView[] }> => {
      const [rows, uses] = await Promise.all([keks.all(), store.uses()]);
      return { data: rows.map((row) => ({ ...toView(row, rows, now()), uses: uses.get(row.version) ?? 0 })) };
    },

    /** Makes a key and the task that moves everything to it; both or neither. While one is coming, that is the answer. */
    rotate: ({ actor, origin }: { readonly actor: Actor; readonly origin: RequestOrigin }) =>
      transact(async (unit) => {
        const { row, isNew } = await keyring.rotate(unit.tx);
        const { version, inForceFrom } = row;
        const input = { version };
        const task = await createTask(unit, {
          contract: rewrapJob,
          input,
          dedupeKey: `rewrap-${version}`,
          delayMs: Math.max(1, inForceFrom.getTime() - now().getTime()),
          requestId: origin.requestId,
        });
        if (isNew)
          unit.publish(keyRotated, {
            subject: String(version),
            actorId: actor.userId,
            origin,
            data: { version, inForceFrom: inForceFrom.toISOString() },
          });
        return { key: toView(row, await keks.all(unit.tx), now()), taskId: task.id };
      }),
  };
}

function toView(row: KekRow, all: readonly KekRow[], at: Date): Omit<KeyView, "uses"> {
  const { version, rootKeyId, createdAt, inForceFrom, disabledAt } = row;
  const inForce = all.findLast((it) => it.inForceFrom <= at);
  const state = disabledAt ? "disabled" : inForceFrom > at ? "coming" : version === inForce?.version ? "in_force" : "older";
  return {
    ...{ version, state, rootKeyId },
    createdAt: createdAt.toISOString(),
    inForceFrom: inForceFrom.toISOString(),
    ...(disabledAt ? { disabledAt: disabledAt.toISOString() } : {}),
  };
}
