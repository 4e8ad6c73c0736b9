-- What a task needs to wait for its turn: the queue holds few jobs at a time, the rest wait here.
alter table tasks
  add column group_key text not null default 'system',
  add column weight integer not null default 1,
  add column priority integer not null default 500,
  add column attempts_max integer not null default 1,
  add column losses integer not null default 0,
  add column round integer not null default 0,
  add column timeout_ms integer,
  add column available_at timestamptz,
  add column dedupe_key text,
  add column request_id text,
  add column checkpoint json,
  add column worker_id text;
drop index tasks_unfinished_idx;
create index tasks_ready_idx on tasks (queue, group_key, priority, id) where status = 'waiting';
create index tasks_due_idx on tasks (available_at) where status = 'delayed';
create index tasks_active_idx on tasks (worker_id) where status = 'active';
create unique index tasks_dedupe_key on tasks (queue, group_key, dedupe_key) where dedupe_key is not null and finished_at is null;
create index tasks_queue_idx on tasks (queue, id);
create index tasks_dead_idx on tasks (queue, id) where status = 'dead';

-- Several entries a row: what is written together is kept together. Entry 1 of a task is its beginning and stands in the task itself.
alter table task_events drop constraint task_events_task_id_fkey;
alter table task_events add column entries json;
update task_events set entries = json_build_array(json_build_object('type', type, 'data', data));
delete from task_events where seq = 1 and type = 'state';
alter table task_events alter column entries set not null, drop column type, drop column data;

-- The threads that work the queues, as they report themselves.
create table workers (
  id text primary key,
  node text not null,
  thread text not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

alter table tasks alter column last_seq set default 1;

create table queues (
  name text primary key,
  paused_at timestamptz
);

-- A task is its own message to its queue; the outbox holds events, several a row.
update outbox set payload = json_build_array(payload) where kind = 'event';
delete from outbox where kind = 'job';
alter table outbox drop column kind;

create index tasks_open_idx on tasks (queue, status) where finished_at is null;
create index tasks_ended_idx on tasks (queue, finished_at) where finished_at is not null;
