import type { Db } from "../../../../db/client.ts";
import type { AccountData } from "../../../platform/account-data.ts";
import type { Chore } from "../../../platform/housekeeping.ts";
import type { AddressGuard } from "../../../platform/outgoing/address-guard.ts";
import { createGuardedFetch } from "../../../platform/outgoing/guarded-fetch.ts";
import { createIntegrationService } from "../integrations/service.ts";
import { createIntegrationStore } from "../integrations/store.ts";
import { connectionAccountData } from "./account-data.ts";
import type { Provider } from "./provider.ts";
import { type ConnectionDeps, createConnectionService } from "./service.ts";
import { createConnectionStore } from "./store.ts";

export interface ConnectionParts extends Omit<ConnectionDeps, "store" | "integrations" | "provider"> {
  readonly db: Db;
  /** Where integrations may be. */
  readonly integrationGuard: AddressGuard;
}

const timeoutMs = 10_000;

/** The services behind the routes of integrations and connections. */
export function createConnectionServices(parts: ConnectionParts) {
  const integrations = createIntegrationStore(parts.db);
  return {
    integrations: createIntegrationService({ ...parts, store: integrations }),
    connections: createConnectionService({
      ...parts,
      integrations,
      store: createConnectionStore(parts.db),
      provider: openLater(() => openProvider(parts)),
    }),
  };
}

/** Loads the library that speaks OAuth, which most starts need not soon. */
async function openProvider({ seal, integrationGuard, now }: ConnectionParts): Promise<Provider> {
  const [{ createOpenClient }, { createProvider }] = await Promise.all([import("../integrations/client.ts"), import("./provider.ts")]);
  return createProvider({ openClient: createOpenClient({ seal, fetch: createGuardedFetch(integrationGuard, timeoutMs) }), now });
}

function openLater(open: () => Promise<Provider>): Provider {
  let opened: Promise<Provider> | undefined;
  const provider = () => {
    opened ??= open();
    return opened;
  };
  return {
    authorizationUrl: async (...given) => (await provider()).authorizationUrl(...given),
    exchange: async (...given) => (await provider()).exchange(...given),
    refresh: async (...given) => (await provider()).refresh(...given),
    revoke: async (...given) => (await provider()).revoke(...given),
  };
}

export function openConnectionAccountData(db: Db): AccountData {
  return connectionAccountData(createConnectionStore(db));
}

export function openConnectionChores(db: Db): readonly Chore[] {
  return [{ name: "forget connections that nobody finished", run: () => createConnectionStore(db).forget(new Date()) }];
}
