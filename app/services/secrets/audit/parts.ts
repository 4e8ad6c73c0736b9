import type { Db } from "../../../../db/client.ts";
import type { AccountData } from "../../../platform/account-data.ts";
import type { Now } from "../../../platform/clock.ts";
import type { Chore } from "../../../platform/housekeeping.ts";
import type { Logger } from "../../../platform/logger.ts";
import type { Transact } from "../../../platform/outbox.ts";
import type { Seal } from "../../../platform/seal.ts";
import { auditAccountData } from "./account-data.ts";
import { createProfileStore } from "./anomalies/store.ts";
import { createAnomalyWatch } from "./anomalies/watch.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { type Collector, startAuditPush } from "./push/push.ts";
import { createPushStore } from "./push/store.ts";
import { createRecordAccess } from "./record.ts";
import { startSequencer } from "./sequencer.ts";
import { type AuditServiceDeps, createAuditService } from "./service.ts";
import { createAuditStore } from "./store.ts";

export interface AuditParts extends Pick<AuditServiceDeps, "teamsOf"> {
  readonly db: Db;
  readonly transact: Transact;
  readonly seal: Seal;
  readonly now: Now;
}

/** The service behind the routes of the trail, and what writes into it by itself. */
export function createAuditServices({ db, transact, seal, teamsOf, now }: AuditParts) {
  const store = createAuditStore(db);
  const checkpoints = createCheckpoints({ store, transact, seal, now });
  return { audit: createAuditService({ store, checkpoints, teamsOf, transact, now }), recordAccess: createRecordAccess(transact) };
}

export function openAuditAccountData(db: Db): AccountData {
  return auditAccountData(createProfileStore(db));
}

const profileDays = 400;

export function openAuditChores(db: Db): readonly Chore[] {
  return [{ name: "forget how people read secrets", run: () => createProfileStore(db).forget(profileDays) }];
}

export interface AuditKeepers extends Omit<AuditParts, "teamsOf"> {
  readonly collector: Collector | undefined;
  readonly leads: () => boolean;
  readonly log: Logger;
}

/** What the leading copy does with the trail: chains it, vouches for it, watches it, and sends it on. */
export function startAuditKeepers({ db, transact, seal, collector, leads, now, log }: AuditKeepers): { stop(): Promise<void> } {
  const store = createAuditStore(db);
  const checkpoints = createCheckpoints({ store, transact, seal, now });
  const onChained = createAnomalyWatch(createProfileStore(db));
  const running = [
    startSequencer({ store, checkpoints, onChained, transact, leads, log }),
    ...(collector ? [startAuditPush({ collector, audit: store, store: createPushStore(db), transact, leads, now, log })] : []),
  ];
  return {
    stop: async () => {
      await Promise.all(running.map((it) => it.stop()));
    },
  };
}
