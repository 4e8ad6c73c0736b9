-- What an execution was asked for besides its code, and what came of it.
alter table executions
  add column language text,
  add column deterministic boolean not null default false,
  add column priority integer not null default 0,
  add column capabilities json,
  add column debug_options json,
  add column debug json,
  -- Its receipt is to be signed and entered in the audit log.
  add column audit boolean not null default false,
  add column receipt_signature text,
  -- What it asked of its host, and how that went.
  add column calls json not null default '[]';
create index executions_finished on executions (finished_at) where finished_at is not null;
create index executions_created on executions (created_at);

-- What programs keep between runs, for their owner or team.
create table sandbox_values (
  tenant text not null,
  key text not null,
  -- JSON, as text: it may hold an escaped NUL.
  value text not null,
  bytes integer not null,
  expires_at timestamptz,
  updated_at timestamptz not null default now(),
  primary key (tenant, key)
);
create index sandbox_values_expiry on sandbox_values (expires_at) where expires_at is not null;
