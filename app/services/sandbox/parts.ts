import type { Db } from "../../../db/client.ts";
import type { Now } from "../../platform/clock.ts";
import type { Logger } from "../../platform/logger.ts";
import type { AddressGuard } from "../../platform/outgoing/address-guard.ts";
import { createBroker } from "./capabilities/broker.ts";
import type { ReadSecret } from "./capabilities/egress-secrets.ts";
import { createFetchCapability } from "./capabilities/fetch.ts";
import { createKvCapability } from "./capabilities/kv.ts";
import { createLogCapability } from "./capabilities/log.ts";
import { createPublishCapability, type PublishAs } from "./capabilities/publish.ts";
import { createSandboxInsight, type SandboxInsightDeps } from "./insight/service.ts";
import { createSandboxInsightStore } from "./insight/store.ts";
import { createSandboxService, type SandboxDeps } from "./service.ts";
import { createExecutionStore } from "./store.ts";
import { createValueStore } from "./values/store.ts";

export interface SandboxParts extends Omit<SandboxDeps, "store" | "answer">, Pick<SandboxInsightDeps, "cells"> {
  readonly db: Db;
  /** Where programs may send requests, if they are granted that. */
  readonly guard: AddressGuard;
  readonly publish: PublishAs;
  readonly readSecret: ReadSecret;
  readonly log: Logger;
  readonly now: Now;
}

/** The services behind the routes of the sandbox, and what answers programs. */
export function createSandboxServices(parts: SandboxParts) {
  const { db, guard, publish, log, now, cells } = parts;
  const capabilities = {
    fetch: createFetchCapability(guard, parts.readSecret),
    kv: createKvCapability({ store: createValueStore(db), now }),
    events: createPublishCapability(publish),
    log: createLogCapability(log),
  };
  const answer = createBroker(capabilities, (details, message) => log.warn(details, message));
  const sandbox = createSandboxService({ ...parts, store: createExecutionStore(db), answer });
  const sandboxInsight = createSandboxInsight({ store: createSandboxInsightStore(db), cells, now });
  return { sandbox, sandboxInsight, sandboxHost: { answer, sign: parts.sign } };
}
