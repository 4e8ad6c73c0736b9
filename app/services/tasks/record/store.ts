import { type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { Queryable } from "../../../../db/client.ts";
import { taskStatuses } from "../../../../db/schema/tasks.ts";
import { newId } from "../../../platform/ids.ts";
import { type QueueName, queueNames } from "../../../platform/queue/catalogue.ts";
import { type TierSettings, tiers } from "../../../platform/tiers.ts";
import { type TaskEvent, taskChanged } from "../events.ts";
import type { TaskStatus } from "../states.ts";

/** A task as it is accepted. */
export interface NewTask {
  readonly id: string;
  readonly queue: QueueName;
  readonly job: string;
  readonly ownerId: string | undefined;
  readonly teamId: string | undefined;
  readonly groupKey: string;
  readonly weight: number;
  /** Before the owner's tier is taken into account. */
  readonly priority: number;
  readonly ownPriority: number | undefined;
  readonly status: "waiting" | "delayed";
  readonly attemptsMax: number;
  readonly timeoutMs: number | undefined;
  readonly availableAt: Date | undefined;
  readonly dedupeKey: string | undefined;
  readonly requestId: string | undefined;
  readonly createdAt: Date;
  readonly input: unknown;
}

export type TaskEntry = Pick<TaskEvent, "type" | "data">;

/** One step of one task. What is undefined stays as it is. */
export interface TaskMove {
  readonly id: string;
  /** Only in this round; undefined: in whichever it is. */
  readonly round: number | undefined;
  readonly from: readonly TaskStatus[];
  readonly to: TaskStatus;
  /** A new round begins: whoever holds the task can't write any more. */
  readonly again?: boolean;
  /** As if it had never run: no attempts, no error. */
  readonly afresh?: boolean;
  readonly lost?: boolean;
  readonly attempts?: number;
  readonly workerId?: string;
  readonly availableAt?: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly progress?: unknown;
  readonly checkpoint?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly name: string; readonly message: string };
  readonly entries: readonly TaskEntry[];
}

const moved = z.object({
  id: z.string(),
  queue: z.enum(queueNames),
  ownerId: z.string().nullable(),
  teamId: z.string().nullable(),
  status: z.enum(taskStatuses),
  lastSeq: z.number(),
});
export type Moved = z.infer<typeof moved>;

/** The write side of tasks: each statement takes any number of them, so that a busy queue costs few round trips. */
export const taskRecord = {
  /** Returns the ids it took: a task whose dedupe key is held by an unfinished one of its group is left out. */
  insert: async (tasks: readonly NewTask[], on: Queryable): Promise<ReadonlySet<string>> => {
    const scalars = tasks.map(({ input: _input, ...scalar }) => scalar);
    const rows = await on.execute(sql`
      with given as (
        select r.*, (select tier from users where users.id = r."ownerId") as tier
        from rows from (
          json_to_recordset(${JSON.stringify(scalars)}::json) as (id text, queue text, job text, "ownerId" text, "teamId" text, "groupKey" text,
            weight int, priority int, "ownPriority" int, status text, "attemptsMax" int, "timeoutMs" int, "availableAt" timestamptz, "dedupeKey" text,
            "requestId" text, "createdAt" timestamptz),
          ${jsonColumn(tasks.map(({ input }) => input))}
        ) as r (id, queue, job, "ownerId", "teamId", "groupKey", weight, priority, "ownPriority", status, "attemptsMax", "timeoutMs", "availableAt",
          "dedupeKey", "requestId", "createdAt", input)
      ), accepted as (
      insert into tasks (id, queue, job, owner_id, team_id, group_key, weight, priority, own_priority, status, attempts_max, timeout_ms, available_at,
        dedupe_key, request_id, created_at, input)
      select id, queue, job, "ownerId", "teamId", "groupKey", weight * coalesce(${tierIn("weight")}, 1),
        priority + coalesce(${tierIn("priority")}, 0), "ownPriority", status, "attemptsMax", "timeoutMs", "availableAt",
        "dedupeKey", "requestId", "createdAt", input::json
      from given
      on conflict (queue, group_key, dedupe_key) where dedupe_key is not null and finished_at is null do nothing
      returning id, status
      ), written as (
        insert into task_events (task_id, seq, entries)
        select id, 1, json_build_array(json_build_object('type', 'state', 'data', json_build_object('status', status, 'attempts', 0)))
        from accepted where status <> 'waiting'
      )
      select id from accepted`);
    return new Set(
      z
        .array(z.object({ id: z.string() }))
        .parse([...rows])
        .map(({ id }) => id),
    );
  },

  /** Takes the steps that the tasks' states and rounds allow and returns those. The caller tells the bus. */
  move: (moves: readonly TaskMove[], on: Queryable): Promise<Moved[]> => move(moves, on, sql``),

  /** The same; and in the same statement, so that it needs no transaction of its own, the outbox gets what the bus is to be told of each. */
  moveAndTell: (moves: readonly TaskMove[], at: Date, on: Queryable): Promise<Moved[]> =>
    move(
      moves,
      on,
      sql`, told as (
        insert into outbox (payload)
        select json_agg(json_strip_nulls(json_build_object('id', "eventId", 'type', ${taskChanged.type}::text, 'time', ${at.toISOString()}::text,
          'subject', id, 'audience', case when team_id is null then owner_id end, 'tenant', team_id, 'data', json_build_object('queue', queue, 'status', status, 'seq', last_seq))))
        from moved having count(*) > 0
      )`,
    ),
};

/** `also` is one more part of the statement, which sees what has moved. */
async function move(moves: readonly TaskMove[], on: Queryable, also: SQL): Promise<Moved[]> {
  if (moves.length === 0) return [];
  const scalars = moves.map(({ progress: _p, checkpoint: _c, result: _r, error: _e, entries, from, ...scalar }) => ({
    ...scalar,
    from: from.join(),
    count: entries.length,
    eventId: newId("event"),
  }));
  const rows = await on.execute(sql`
      with r as (
        select * from rows from (
          json_to_recordset(${JSON.stringify(scalars)}::json) as (id text, round int, "from" text, "to" text, again boolean, afresh boolean,
            lost boolean, attempts int, "workerId" text, "availableAt" timestamptz, "startedAt" timestamptz, "finishedAt" timestamptz, count int,
            "eventId" text),
          ${jsonColumn(moves.map(({ progress }) => progress))},
          ${jsonColumn(moves.map(({ checkpoint }) => checkpoint))},
          ${jsonColumn(moves.map(({ result }) => result))},
          ${jsonColumn(moves.map(({ error }) => error))},
          ${jsonColumn(moves.map(({ entries }) => entries))}
        ) as r (id, round, "from", "to", again, afresh, lost, attempts, worker_id, available_at, started_at, finished_at, count,
          "eventId", progress, checkpoint, result, error, entries)
      ), moved as (
        update tasks t set
          status = r."to",
          round = t.round + case when r.again then 1 else 0 end,
          losses = case when r.afresh then 0 else t.losses + case when r.lost then 1 else 0 end end,
          attempts = case when r.afresh then 0 else coalesce(r.attempts, t.attempts) end,
          worker_id = case when r."to" = 'active' then coalesce(r.worker_id, t.worker_id) end,
          available_at = r.available_at,
          started_at = case when r.afresh then null else coalesce(r.started_at, t.started_at) end,
          finished_at = r.finished_at,
          progress = coalesce(nullif(r.progress, '')::json, t.progress),
          checkpoint = coalesce(nullif(r.checkpoint, '')::json, t.checkpoint),
          result = coalesce(nullif(r.result, '')::json, t.result),
          error = case when r.afresh then null else coalesce(nullif(r.error, '')::json, t.error) end,
          last_seq = t.last_seq + r.count
        from r
        where t.id = r.id and t.id = any(array(select id from r)) and (r.round is null or t.round = r.round) and t.status = any(string_to_array(r."from", ','))
        returning t.id, t.queue, t.owner_id, t.team_id, t.status, t.last_seq, r.count, r.entries, r."eventId"
      ), written as (
        insert into task_events (task_id, seq, entries)
        select id, last_seq - count + 1, entries::json from moved where count > 0
      )${also}
      select id, queue, owner_id as "ownerId", team_id as "teamId", status, last_seq as "lastSeq" from moved`);
  return z.array(moved).parse([...rows]);
}

/** What a tier means, in terms of the column `tier`; null for work of the system. */
function tierIn(setting: keyof TierSettings) {
  const meanings = Object.entries(tiers).map(([tier, settings]) => sql`when ${tier}::text then ${settings[setting]}::int`);
  return sql`case tier ${sql.join(meanings, sql` `)} end`;
}

/**
 * A column of JSON texts, empty for undefined. Not part of the recordset beside it, because PostgreSQL refuses some of what JSON may hold (NUL, lone
 * surrogates) when it takes a document apart; joined by a control character, which JSON text has only in escaped form (RFC 8259 §7).
 */
function jsonColumn(values: readonly unknown[]) {
  const texts = values.map((value) => (value === undefined ? "" : JSON.stringify(value)));
  return sql`unnest(string_to_array(${texts.join("\u001f")}, chr(31)))`;
}
