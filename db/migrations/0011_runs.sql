-- Runs and swarms are tasks; their owner may have a million others.
create index tasks_runs_owner_idx on tasks (owner_id, id) where queue = 'run-start';
create index tasks_swarms_owner_idx on tasks (owner_id, id) where queue = 'swarm-execution';

-- What somebody has asked to have of all that is kept about them; sealed, and gone when it expires.
create table data_exports (
  id text primary key,
  owner_id text not null references users (id) on delete cascade,
  task_id text not null unique,
  document bytea,
  bytes integer,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  expires_at timestamptz not null
);
create index data_exports_owner_id_idx on data_exports (owner_id, id);
create index data_exports_expires_at_idx on data_exports (expires_at);
