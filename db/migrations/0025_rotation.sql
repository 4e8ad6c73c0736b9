-- When and how a secret is given another value.
create table secret_policies (
  secret_id text primary key references secrets (id) on delete cascade,
  every_days integer not null,
  notify_hours_before integer not null,
  strategy text not null check (strategy in ('immediate', 'gradual', 'manual')),
  -- Gradual: how long both versions are valid.
  overlap_seconds integer not null,
  -- Whether the version from before is deleted at the end; it can be brought back.
  retire_old boolean not null,
  -- Gradual: so many errors within so long end the rotation.
  rollback json,
  generator json not null,
  validators json not null,
  -- Sealed: signs the call-outs.
  webhook_secret bytea not null,
  state text not null check (state in ('active', 'rolled_back')),
  next_at timestamptz not null,
  -- The time that was announced, and the time that was told to be due.
  announced_for timestamptz,
  due_told_for timestamptz,
  set_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
create index secret_policies_next on secret_policies (next_at) where state = 'active';

create table secret_rotations (
  id text primary key,
  secret_id text not null references secrets (id) on delete cascade,
  status text not null check (status in ('pending', 'overlapping', 'completed', 'rolled_back', 'failed')),
  why text not null check (why in ('due', 'asked')),
  requested_by text not null,
  from_version integer,
  to_version integer,
  overlap_until timestamptz,
  error text,
  created_at timestamptz not null,
  finished_at timestamptz
);
-- One at a time.
create unique index secret_rotations_open on secret_rotations (secret_id) where status in ('pending', 'overlapping');
create index secret_rotations_secret on secret_rotations (secret_id, id desc);
create index secret_rotations_overlap on secret_rotations (overlap_until) where status = 'overlapping';

-- Whether a version works for those who use it, while two are valid.
create table secret_reports (
  id bigint generated always as identity primary key,
  rotation_id text not null references secret_rotations (id) on delete cascade,
  version integer not null,
  outcome text not null check (outcome in ('ok', 'error')),
  reported_by text not null,
  at timestamptz not null
);
create index secret_reports_rotation on secret_reports (rotation_id, version, at);
