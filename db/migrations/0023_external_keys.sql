-- Keys of services outside that users and teams bring with them.
create table external_keys (
  id text primary key,
  -- A user's or a team's id, or 'system'.
  tenant text not null,
  service text not null,
  name text not null,
  -- Sealed.
  key bytea not null,
  -- Its last characters.
  hint text not null,
  status text not null check (status in ('unverified', 'valid', 'invalid')),
  checked_at timestamptz,
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant, service, name)
);
