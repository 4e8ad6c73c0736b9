create table users (
  id text primary key,
  email text not null,
  name text,
  role text not null default 'user' check (role in ('user', 'admin')),
  password_hash text not null,
  created_at timestamptz not null default now()
);
create unique index users_email_key on users (lower(email));

create table sessions (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  ip text,
  user_agent text,
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index sessions_user_id_idx on sessions (user_id);

create table refresh_tokens (
  hash text primary key,
  session_id text not null references sessions (id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index refresh_tokens_session_id_idx on refresh_tokens (session_id);

create table signing_keys (
  kid text primary key,
  public_jwk jsonb not null,
  created_at timestamptz not null default now()
);

create table setup_tokens (
  hash text primary key,
  created_at timestamptz not null default now(),
  used_at timestamptz
);

create table tasks (
  id text primary key,
  queue text not null,
  job text not null,
  owner_id text,
  status text not null check (status in ('waiting', 'delayed', 'active', 'paused', 'completed', 'failed', 'cancelled', 'dead')),
  input json not null,
  progress json,
  attempts integer not null default 0,
  result json,
  error json,
  last_seq integer not null default 0,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz
);
create index tasks_owner_id_idx on tasks (owner_id, id);
create index tasks_unfinished_idx on tasks (queue, status) where finished_at is null;

create table task_events (
  task_id text not null references tasks (id) on delete cascade,
  seq integer not null,
  type text not null check (type in ('state', 'progress', 'log', 'result')),
  data json not null,
  at timestamptz not null default now(),
  primary key (task_id, seq)
);

create table executions (
  id text primary key,
  owner_id text not null references users (id) on delete cascade,
  task_id text,
  status text not null check (status in ('queued', 'succeeded', 'failed', 'timeout', 'out_of_memory', 'killed')),
  code text not null,
  input json,
  timeout_ms integer not null,
  memory_bytes bigint not null,
  seed text,
  output json,
  error json,
  logs json not null default '[]',
  receipt json,
  created_at timestamptz not null default now(),
  finished_at timestamptz
);
create index executions_owner_id_idx on executions (owner_id, id);

create table outbox (
  id bigint generated always as identity primary key,
  kind text not null check (kind in ('event', 'job')),
  payload json not null,
  created_at timestamptz not null default now()
);

create table idempotency_keys (
  scope text not null,
  key text not null,
  fingerprint text not null,
  locked_until timestamptz,
  status integer,
  content_type text,
  body bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  primary key (scope, key)
);
create index idempotency_keys_expires_at_idx on idempotency_keys (expires_at);
