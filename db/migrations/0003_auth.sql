alter table users alter column password_hash drop not null;
alter table users
  add column email_verified_at timestamptz,
  add column disabled_at timestamptz,
  add column password_changed_at timestamptz;

-- A session has one active user at a time. `version` grows with each change of its authority: older access tokens are refused.
alter table sessions rename column user_id to active_user_id;
alter table sessions
  add column version integer not null default 0,
  add column device text not null default 'Unknown device',
  add column bound_network text,
  add column revoked_reason text;
create table session_users (
  session_id text not null references sessions (id) on delete cascade,
  user_id text not null references users (id) on delete cascade,
  methods json not null,
  authenticated_at timestamptz not null default now(),
  primary key (session_id, user_id)
);
create index session_users_user_id_idx on session_users (user_id);
insert into session_users (session_id, user_id, methods, authenticated_at)
  select id, active_user_id, '["pwd"]', created_at from sessions;

alter table refresh_tokens add column answer bytea;

-- What each copy must refuse until the access tokens in question have expired.
create table revocations (
  id bigint generated always as identity primary key,
  session_id text not null,
  min_version integer,
  at timestamptz not null default clock_timestamp()
);
create index revocations_at_idx on revocations (at);

alter table signing_keys
  add column algorithm text not null default 'EdDSA',
  add column private_key bytea,
  add column signs_from timestamptz not null default now();

create table one_time_tokens (
  hash text primary key,
  purpose text not null,
  user_id text references users (id) on delete cascade,
  data json not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz
);
create index one_time_tokens_user_id_idx on one_time_tokens (user_id, purpose);
create index one_time_tokens_expires_at_idx on one_time_tokens (expires_at);

create table password_history (
  user_id text not null references users (id) on delete cascade,
  hash text not null,
  created_at timestamptz not null default now(),
  primary key (user_id, hash)
);

create table login_failures (
  key text primary key,
  failures integer not null,
  last_failed_at timestamptz not null,
  blocked_until timestamptz
);
create index login_failures_last_failed_at_idx on login_failures (last_failed_at);

create table totp_credentials (
  user_id text primary key references users (id) on delete cascade,
  secret bytea not null,
  confirmed_at timestamptz,
  last_step bigint not null default 0,
  created_at timestamptz not null default now()
);
create table recovery_codes (
  user_id text not null references users (id) on delete cascade,
  hash text not null,
  used_at timestamptz,
  primary key (user_id, hash)
);

create table passkeys (
  id text primary key,
  user_id text not null references users (id) on delete cascade,
  credential_id text not null unique,
  public_key bytea not null,
  counter bigint not null,
  transports json not null default '[]',
  name text not null,
  backed_up boolean not null,
  created_at timestamptz not null default now(),
  last_used_at timestamptz
);
create index passkeys_user_id_idx on passkeys (user_id);

create table identities (
  provider text not null,
  subject text not null,
  user_id text not null references users (id) on delete cascade,
  email text,
  created_at timestamptz not null default now(),
  primary key (provider, subject)
);
create index identities_user_id_idx on identities (user_id);

create table teams (
  id text primary key,
  name text not null,
  created_at timestamptz not null default now()
);
create table team_members (
  team_id text not null references teams (id) on delete cascade,
  user_id text not null references users (id) on delete cascade,
  role text not null check (role in ('owner', 'admin', 'member', 'viewer')),
  created_at timestamptz not null default now(),
  primary key (team_id, user_id)
);
create index team_members_user_id_idx on team_members (user_id);
create table team_invitations (
  id text primary key,
  team_id text not null references teams (id) on delete cascade,
  email text not null,
  role text not null check (role in ('admin', 'member', 'viewer')),
  invited_by text not null references users (id) on delete cascade,
  token_hash text not null unique,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create unique index team_invitations_email_key on team_invitations (team_id, lower(email));

create table api_keys (
  id text primary key,
  owner_id text not null references users (id) on delete cascade,
  team_id text references teams (id) on delete cascade,
  name text not null,
  secret_hash text not null,
  previous_hash text,
  previous_until timestamptz,
  scopes json not null,
  rate_limit integer,
  credit_limit_soft numeric,
  credit_limit_hard numeric,
  credits_used numeric not null default 0,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index api_keys_owner_id_idx on api_keys (owner_id, id);
create index api_keys_team_id_idx on api_keys (team_id, id);

-- Written with the change itself. The audit service will chain and export what is here.
create table audit_log (
  id text primary key,
  at timestamptz not null,
  action text not null,
  actor_id text,
  subject text,
  request_id text,
  ip text,
  data json not null
);
create index audit_log_at_idx on audit_log (at);
create index audit_log_actor_id_idx on audit_log (actor_id, at);

-- Mail that nothing is configured to deliver: development shows it at /dev/mail.
create table development_mails (
  id text primary key,
  recipient text not null,
  subject text not null,
  body text not null,
  created_at timestamptz not null default now()
);
