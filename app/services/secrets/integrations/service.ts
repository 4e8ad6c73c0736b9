import type { z } from "zod";
import type { Now } from "../../../platform/clock.ts";
import { defined } from "../../../platform/defined.ts";
import { Problem } from "../../../platform/errors.ts";
import { newId } from "../../../platform/ids.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import type { SecretCall } from "../tenant.ts";
import { integrationCreated, integrationDeleted, integrationUpdated } from "./events.ts";
import { bindingOfClientSecret, redirectUriOf } from "./names.ts";
import type { createIntegrationRequest, IntegrationView, updateIntegrationRequest } from "./schema.ts";
import type { IntegrationRow, IntegrationStore } from "./store.ts";

export type IntegrationService = ReturnType<typeof createIntegrationService>;

export interface IntegrationDeps {
  readonly store: IntegrationStore;
  readonly seal: Seal;
  readonly transact: Transact;
  readonly publicUrl: string;
  readonly now: Now;
}

/** What administrators may do with the services that users connect to. The routes ask who it is. */
export function createIntegrationService({ store, seal, transact, publicUrl, now }: IntegrationDeps) {
  const found = async (id: string): Promise<IntegrationRow> => {
    const row = await store.find(id);
    if (!row) throw new Problem("not_found", { detail: `There is no integration ${id}.` });
    return row;
  };
  const sealed = (id: string, secret: string) => seal.seal(Buffer.from(secret), bindingOfClientSecret(id));
  const toView = (row: IntegrationRow): IntegrationView => {
    const { id, name, displayName, clientId, clientAuth, scopes, extraParameters, enabled, createdAt, updatedAt } = row;
    return {
      ...{ id, name, displayName, ...addressesOf(row), clientId, clientAuth, enabled },
      scopes: [...scopes],
      extraParameters: { ...extraParameters },
      redirectUri: redirectUriOf(publicUrl, name),
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
    };
  };

  return {
    create: ({ actor, origin }: SecretCall, given: z.infer<typeof createIntegrationRequest>): Promise<IntegrationView> =>
      transact(async (unit) => {
        const id = newId("integration");
        const at = now();
        const { clientSecret, issuer = null, authorizationUrl = null, tokenUrl = null, revocationUrl = null, ...others } = given;
        const row = await store.insert(
          {
            ...{ id, issuer, authorizationUrl, tokenUrl, revocationUrl, ...others },
            displayName: given.displayName ?? given.name,
            clientSecret: sealed(id, clientSecret),
            createdBy: actor.userId,
            createdAt: at,
            updatedAt: at,
          },
          unit.tx,
        );
        if (!row) throw new Problem("conflict", { detail: `There is an integration ${given.name} already.` });
        unit.publish(integrationCreated, { subject: id, actorId: actor.userId, origin, data: { name: row.name } });
        return toView(row);
      }),

    list: async (): Promise<{ readonly data: IntegrationView[] }> => ({ data: (await store.list()).map(toView) }),

    get: async (id: string): Promise<IntegrationView> => toView(await found(id)),

    /** Counts at once, also for connections that there are. */
    update: async (
      { actor, origin }: SecretCall,
      id: string,
      changes: z.infer<typeof updateIntegrationRequest>,
    ): Promise<IntegrationView> => {
      const before = await found(id);
      const { clientSecret, ...set } = changes;
      return transact(async (unit) => {
        const secret = clientSecret === undefined ? {} : { clientSecret: sealed(id, clientSecret) };
        const row = (await store.update(id, { ...defined(set), ...secret, updatedAt: now() }, unit.tx)) ?? before;
        unit.publish(integrationUpdated, {
          ...{ subject: id, actorId: actor.userId, origin },
          data: { name: row.name, changed: Object.keys(changes) },
        });
        return toView(row);
      });
    },

    /** With all connections to it; what the service outside has given stays valid there. */
    delete: async ({ actor, origin }: SecretCall, id: string): Promise<void> => {
      const { name } = await found(id);
      await transact(async (unit) => {
        const connections = await store.delete(id, unit.tx);
        unit.publish(integrationDeleted, { subject: id, actorId: actor.userId, origin, data: { name, connections } });
      });
    },
  };
}

function addressesOf({ issuer, authorizationUrl, tokenUrl, revocationUrl }: IntegrationRow) {
  return {
    ...(issuer === null ? {} : { issuer }),
    ...(authorizationUrl === null ? {} : { authorizationUrl }),
    ...(tokenUrl === null ? {} : { tokenUrl }),
    ...(revocationUrl === null ? {} : { revocationUrl }),
  };
}
