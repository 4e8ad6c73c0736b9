-- `next_run_at` is null while a schedule waits for nothing: paused, or past its end.
create table schedules (
  id text primary key,
  owner_id text not null,
  team_id text,
  name text,
  queue text not null,
  input json not null,
  cron text,
  every_ms bigint check (every_ms >= 1000),
  timezone text not null default 'UTC',
  missed text not null default 'once' check (missed in ('skip', 'once', 'all')),
  paused boolean not null default false,
  starts_at timestamptz,
  ends_at timestamptz,
  anchor_at timestamptz not null,
  next_run_at timestamptz,
  last_tick_at timestamptz,
  last_run_at timestamptz,
  last_task_id text,
  last_error text,
  created_at timestamptz not null default now(),
  check ((cron is null) <> (every_ms is null))
);
create index schedules_owner_id_idx on schedules (owner_id, id);
create index schedules_team_id_idx on schedules (team_id, id) where team_id is not null;
create index schedules_due_idx on schedules (next_run_at) where next_run_at is not null;

-- One row per tick that ran: whatever goes wrong, no tick gets a second task.
create table schedule_ticks (
  schedule_id text not null references schedules (id) on delete cascade,
  tick_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (schedule_id, tick_at)
);
create index schedule_ticks_created_at_idx on schedule_ticks (created_at);
