import type { Db } from "../../../../db/client.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Limiter } from "../../../platform/limiter/port.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact } from "../../../platform/outbox.ts";
import { createActivity } from "../sessions/activity.ts";
import type { AuthSettings } from "../settings.ts";
import type { AuthStore } from "../store.ts";
import type { TeamStore } from "../teams/store.ts";
import type { Revocations } from "../tokens/revocations.ts";
import { createKeyAuthority } from "./authority.ts";
import { createCredits } from "./credits.ts";
import { createImportApiKey } from "./import.ts";
import { createMatchesImported } from "./imported.ts";
import { createApiKeyService } from "./service.ts";
import { createApiKeyStore } from "./store.ts";
import { createVerifyApiKey } from "./verify.ts";

export interface OpenApiKeysDeps {
  readonly db: Db;
  readonly users: Pick<AuthStore, "findUser">;
  readonly teams: TeamStore;
  readonly revocations: Pick<Revocations, "isRevoked" | "learn">;
  readonly limiter: Pick<Limiter, "consume">;
  readonly transact: Transact;
  readonly settings: Pick<AuthSettings, "apiKeysMax" | "requestsPerMinute">;
  readonly now: Now;
  readonly log: Logger;
}

/** Puts the parts of API keys together. */
export function openApiKeys({ db, users, teams, revocations, limiter, transact, settings, now, log }: OpenApiKeysDeps) {
  const { apiKeysMax: keysMax, requestsPerMinute } = settings;
  const store = createApiKeyStore(db);
  const activity = createActivity({ store, now });
  const authority = createKeyAuthority({ store, revocations, now });
  const matchesImported = createMatchesImported({ store, limiter });
  return {
    activity,
    authority,
    verify: createVerifyApiKey({ store, matchesImported, revocations, seen: activity.seen, now }),
    credits: createCredits({ store, transact, now, log }),
    service: createApiKeyService({ store, authority, teams, transact, keysMax, requestsPerMinute, now }),
    importKey: createImportApiKey({ store, users, transact, keysMax, now }),
  };
}
