-- Services outside that users connect to, as administrators define them.
create table integrations (
  id text primary key,
  name text not null unique,
  display_name text not null,
  -- Found by its issuer, or by its addresses.
  issuer text,
  authorization_url text,
  token_url text,
  revocation_url text,
  client_id text not null,
  -- Sealed.
  client_secret bytea not null,
  client_auth text not null check (client_auth in ('basic', 'post')),
  scopes json not null,
  extra_parameters json not null,
  enabled boolean not null,
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  check ((issuer is not null) or (authorization_url is not null and token_url is not null))
);

create table connections (
  id text primary key,
  -- A user's or a team's id.
  tenant text not null,
  integration_id text not null references integrations (id) on delete cascade,
  status text not null check (status in ('active', 'needs_reauthorization')),
  scopes json not null,
  -- Sealed: access and refresh token.
  tokens bytea not null,
  expires_at timestamptz,
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (tenant, integration_id)
);
create index connections_integration on connections (integration_id);

-- Authorizations that are on their way: the digest of the state, and of what the browser keeps.
create table connection_flows (
  state_hash text primary key,
  browser_hash text not null,
  integration_id text not null,
  tenant text not null,
  user_id text not null,
  expires_at timestamptz not null
);
create index connection_flows_expiry on connection_flows (expires_at);
