import type { EventContract } from "../platform/events.ts";
import * as apiKeyEvents from "./auth/api-keys/events.ts";
import * as authEvents from "./auth/events.ts";
import * as teamEvents from "./auth/teams/events.ts";
import * as eventEvents from "./events/events.ts";
import * as outsideEvents from "./events/outside-events.ts";
import * as subscriptionEvents from "./events/subscriptions/events.ts";
import * as sandboxEvents from "./sandbox/events.ts";
import * as secretApprovalEvents from "./secrets/approvals/events.ts";
import * as auditEvents from "./secrets/audit/events.ts";
import * as connectionEvents from "./secrets/connections/events.ts";
import * as secretEvents from "./secrets/events.ts";
import * as externalKeyEvents from "./secrets/external-keys/events.ts";
import * as integrationEvents from "./secrets/integrations/events.ts";
import * as keyEvents from "./secrets/keys/events.ts";
import * as rotationEvents from "./secrets/rotation/events.ts";
import * as secretShareEvents from "./secrets/shares/events.ts";
import * as systemEvents from "./system-events.ts";
import * as taskEvents from "./tasks/events.ts";
import * as exportEvents from "./tasks/exports/events.ts";
import * as scheduleEvents from "./tasks/schedules/events.ts";

const modules: readonly Readonly<Record<string, unknown>>[] = [
  systemEvents,
  authEvents,
  apiKeyEvents,
  teamEvents,
  taskEvents,
  scheduleEvents,
  exportEvents,
  sandboxEvents,
  secretEvents,
  secretShareEvents,
  secretApprovalEvents,
  keyEvents,
  externalKeyEvents,
  rotationEvents,
  integrationEvents,
  connectionEvents,
  auditEvents,
  eventEvents,
  subscriptionEvents,
  outsideEvents,
];

/** Every type of event that the program knows by itself, by name: what `eventsOf` has made in the services' `events.ts`. */
export const eventCatalogue: ReadonlyMap<string, EventContract> = new Map(
  modules
    .flatMap((module) => Object.values(module))
    .filter(isContract)
    .toSorted((a, b) => a.type.localeCompare(b.type))
    .map((contract) => [contract.type, contract]),
);

function isContract(value: unknown): value is EventContract {
  return typeof value === "object" && value !== null && "published" in value && "owner" in value;
}
