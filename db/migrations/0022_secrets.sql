-- Secrets of users, teams and the system. Names and labels are not secret; values are only in secret_versions, and there sealed.
create table secrets (
  id text primary key,
  -- A user's or a team's id, or 'system'.
  tenant text not null,
  name text collate "C" not null,
  labels jsonb not null,
  -- The newest ever given. It only goes up, so a value bound to tenant, name and version has one place.
  current_version integer not null,
  max_versions integer not null,
  -- Whatever is done with it needs a second person.
  approval_required boolean not null default false,
  expires_at timestamptz,
  expiry_told_at timestamptz,
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant, name)
);
create index secrets_expiring on secrets (expires_at) where expires_at is not null and expiry_told_at is null;

create table secret_versions (
  id text primary key,
  secret_id text not null references secrets (id) on delete cascade,
  version integer not null,
  state text not null check (state in ('live', 'deleted', 'destroyed')),
  -- Null: a text. Else the names of its fields.
  fields json,
  -- The secrets that it refers to: [{"system": …, "name": …}, …].
  refs json not null,
  -- Which store of values has it, and what that store wants back to find it: the sealed value itself, or where it is.
  store text not null,
  kept bytea,
  created_by text not null,
  created_at timestamptz not null,
  deleted_at timestamptz,
  destroyed_at timestamptz,
  unique (secret_id, version),
  check ((kept is null) = (state = 'destroyed'))
);

-- One-time links. The value is sealed under a key that only the link's token gives.
create table secret_shares (
  id text primary key,
  secret_id text not null references secrets (id) on delete cascade,
  version integer not null,
  token_hash text not null unique,
  sealed bytea,
  created_by text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  redeemed_at timestamptz,
  revoked_at timestamptz
);
create index secret_shares_secret on secret_shares (secret_id, id desc);
create index secret_shares_expiry on secret_shares (expires_at);

-- What somebody wants to do with a secret that takes two.
create table secret_requests (
  id text primary key,
  secret_id text not null references secrets (id) on delete cascade,
  action text not null check (action in ('read', 'write', 'destroy', 'unmark')),
  reason text not null,
  status text not null check (status in ('pending', 'approved', 'denied', 'used', 'expired')),
  requested_by text not null,
  -- So long it may be used once it is approved.
  window_seconds integer not null,
  decided_by text,
  decided_at timestamptz,
  used_at timestamptz,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index secret_requests_secret on secret_requests (secret_id, id desc);
create index secret_requests_open on secret_requests (expires_at) where status in ('pending', 'approved');
