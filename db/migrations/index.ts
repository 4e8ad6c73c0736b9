import core from "./0000_core.sql" with { type: "text" };
import bus from "./0001_bus.sql" with { type: "text" };
import limiter from "./0002_limiter.sql" with { type: "text" };
import auth from "./0003_auth.sql" with { type: "text" };
import keysAndTeams from "./0004_keys_and_teams.sql" with { type: "text" };
import accountInvitations from "./0005_account_invitations.sql" with { type: "text" };
import revocationOrder from "./0006_revocation_order.sql" with { type: "text" };
import queues from "./0007_queues.sql" with { type: "text" };
import schedules from "./0008_schedules.sql" with { type: "text" };
import runs from "./0011_runs.sql" with { type: "text" };
import tiers from "./0012_tiers.sql" with { type: "text" };
import insight from "./0013_insight.sql" with { type: "text" };
import scaling from "./0014_scaling.sql" with { type: "text" };
import longRunning from "./0015_long_running.sql" with { type: "text" };
import registry from "./0016_registry.sql" with { type: "text" };
import events from "./0017_events.sql" with { type: "text" };
import subscriptions from "./0018_subscriptions.sql" with { type: "text" };
import sandbox from "./0019_sandbox.sql" with { type: "text" };
import keys from "./0020_keys.sql" with { type: "text" };
import audit from "./0021_audit.sql" with { type: "text" };
import secrets from "./0022_secrets.sql" with { type: "text" };
import externalKeys from "./0023_external_keys.sql" with { type: "text" };
import rotation from "./0025_rotation.sql" with { type: "text" };
import connections from "./0026_connections.sql" with { type: "text" };

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** In the order they are applied. Append only: an applied migration never changes. They are part of the program, so one file carries them. */
export const migrations: readonly Migration[] = [
  { name: "0000_core", sql: core },
  { name: "0001_bus", sql: bus },
  { name: "0002_limiter", sql: limiter },
  { name: "0003_auth", sql: auth },
  { name: "0004_keys_and_teams", sql: keysAndTeams },
  { name: "0005_account_invitations", sql: accountInvitations },
  { name: "0006_revocation_order", sql: revocationOrder },
  { name: "0007_queues", sql: queues },
  { name: "0008_schedules", sql: schedules },
  { name: "0011_runs", sql: runs },
  { name: "0012_tiers", sql: tiers },
  { name: "0013_insight", sql: insight },
  { name: "0014_scaling", sql: scaling },
  { name: "0015_long_running", sql: longRunning },
  { name: "0016_registry", sql: registry },
  { name: "0017_events", sql: events },
  { name: "0018_subscriptions", sql: subscriptions },
  { name: "0019_sandbox", sql: sandbox },
  { name: "0020_keys", sql: keys },
  { name: "0021_audit", sql: audit },
  { name: "0022_secrets", sql: secrets },
  { name: "0023_external_keys", sql: externalKeys },
  { name: "0025_rotation", sql: rotation },
  { name: "0026_connections", sql: connections },
];
