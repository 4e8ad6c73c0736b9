import { type SQL, sql } from "drizzle-orm";
import type { Db } from "../../../../db/client.ts";

export type ComplianceStore = ReturnType<typeof createComplianceStore>;

export interface Period {
  readonly from: Date;
  readonly to: Date;
}

/** Of one owner, or of all. */
export type Of = string | undefined;

interface Named {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly at: string;
}

const listMax = 100;
/** What gives something secret out. */
const accesses = sql`l.action in ('secret.read', 'external_key.used')`;

/** The figures of a report, as the database has them. */
export function createComplianceStore(db: Db) {
  return {
    secrets: (of: Of) =>
      db
        .execute<{ total: number; expired: number; withoutPolicy: number; withoutExpiry: number; takeTwo: number; versions: number }>(sql`
        select count(*)::int as total, count(*) filter (where s.expires_at <= now())::int as expired,
          count(*) filter (where p.secret_id is null)::int as "withoutPolicy", count(*) filter (where s.expires_at is null)::int as "withoutExpiry",
          count(*) filter (where s.approval_required)::int as "takeTwo",
          (select count(*)::int from secret_versions v join secrets o on o.id = v.secret_id where v.state = 'live' and ${isOf(of, sql`o.tenant`)}) as versions
        from secrets s left join secret_policies p on p.secret_id = s.id where ${isOf(of, sql`s.tenant`)}`)
        .then(onlyRow),

    externalKeys: (of: Of) =>
      db
        .execute<{ service: string; status: string; count: number }>(sql`
        select k.service, k.status, count(*)::int as count from external_keys k where ${isOf(of, sql`k.tenant`)} group by 1, 2 order by 1, 2`)
        .then((rows) => [...rows]),

    access: (of: Of, period: Period) =>
      db
        .execute<{ total: number; refused: number; failed: number; actors: number; secrets: number }>(sql`
        select count(*)::int as total, count(*) filter (where l.outcome = 'refused')::int as refused,
          count(*) filter (where l.outcome = 'failed')::int as failed, count(distinct l.actor_id)::int as actors,
          count(distinct l.subject)::int as secrets
        from audit_log l where ${accesses} and ${within(period)} and ${isAbout(of)}`)
        .then(onlyRow),

    readers: (of: Of, period: Period) =>
      db
        .execute<{ actor: string | null; count: number }>(sql`
        select l.actor_id as actor, count(*)::int as count from audit_log l where ${accesses} and ${within(period)} and ${isAbout(of)}
        group by 1 order by 2 desc, 1 limit 10`)
        .then((rows) => [...rows]),

    rotations: (of: Of, period: Period) =>
      db
        .execute<{ completed: number; failed: number; rolledBack: number }>(sql`
        select count(*) filter (where r.status = 'completed')::int as completed, count(*) filter (where r.status = 'failed')::int as failed,
          count(*) filter (where r.status = 'rolled_back')::int as "rolledBack"
        from secret_rotations r join secrets s on s.id = r.secret_id
        where r.finished_at >= ${iso(period.from)}::timestamptz and r.finished_at < ${iso(period.to)}::timestamptz and ${isOf(of, sql`s.tenant`)}`)
        .then(onlyRow),

    policies: (of: Of) =>
      db
        .execute<{ total: number; onTime: number; resting: number }>(sql`
        select count(*)::int as total, count(*) filter (where p.state = 'active' and p.next_at > now())::int as "onTime",
          count(*) filter (where p.state = 'rolled_back')::int as resting
        from secret_policies p join secrets s on s.id = p.secret_id where ${isOf(of, sql`s.tenant`)}`)
        .then(onlyRow),

    overdue: (of: Of) =>
      db
        .execute<Named & Record<string, unknown>>(sql`
        select s.id, s.name, s.tenant, ${rfc3339(sql`p.next_at`)} as at from secret_policies p join secrets s on s.id = p.secret_id
        where p.state = 'active' and p.next_at <= now() and ${isOf(of, sql`s.tenant`)} order by p.next_at limit ${listMax}`)
        .then((rows) => [...rows]),

    expiring: (of: Of, days: number) =>
      db
        .execute<Named & Record<string, unknown>>(sql`
        select s.id, s.name, s.tenant, ${rfc3339(sql`s.expires_at`)} as at from secrets s
        where s.expires_at > now() and s.expires_at <= now() + make_interval(days => ${days}) and ${isOf(of, sql`s.tenant`)}
        order by s.expires_at limit ${listMax}`)
        .then((rows) => [...rows]),

    unusual: (of: Of, period: Period) =>
      db
        .execute<{ at: string; action: string; actor: string | null; subject: string | null; data: unknown }>(sql`
        select ${rfc3339(sql`l.at`)} as at, l.action, l.actor_id as actor, l.subject, l.data from audit_log l
        where l.action in ('security.unusual_access', 'security.secret_tampered', 'security.share_reused') and ${within(period)} and ${isAbout(of)}
        order by l.at desc limit ${listMax}`)
        .then((rows) => [...rows]),

    keys: () =>
      db
        .execute<{ inForceDays: number; usable: number }>(sql`
        select coalesce(extract(epoch from now() - max(in_force_from) filter (where in_force_from <= now())) / 86400, 0)::int as "inForceDays",
          count(*) filter (where disabled_at is null)::int as usable from key_encryption_keys`)
        .then(onlyRow),
  };
}

function onlyRow<Row>(rows: Iterable<Row>): Row {
  for (const row of rows) return row;
  throw new Error("the query returned no row");
}

function isOf(of: Of, tenant: SQL): SQL {
  return of === undefined ? sql`true` : sql`${tenant} = ${of}`;
}

/** Entries are about whom their event is addressed to. */
function isAbout(of: Of): SQL {
  return of === undefined ? sql`true` : sql`coalesce(l.tenant, l.audience) = ${of}`;
}

function within({ from, to }: Period): SQL {
  return sql`l.at >= ${iso(from)}::timestamptz and l.at < ${iso(to)}::timestamptz`;
}

function iso(at: Date): string {
  return at.toISOString();
}

function rfc3339(column: SQL): SQL {
  return sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}
