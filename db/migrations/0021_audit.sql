-- The trail is chained after it is written: those who write never wait for each other. `tx` puts entries in an order in which none appears late.
alter table audit_log
  add column outcome text not null default 'success' check (outcome in ('success', 'refused', 'failed')),
  -- Whose it is: entries are shown to whom their event is addressed.
  add column audience text,
  add column tenant text,
  add column tx xid8 not null default pg_current_xact_id();
create index audit_log_tx_idx on audit_log (tx, id);
create index audit_log_audience_idx on audit_log (audience, id) where audience is not null;
create index audit_log_tenant_idx on audit_log (tenant, id) where tenant is not null;

create table audit_chain (
  seq bigint primary key,
  entry_id text not null unique,
  tx xid8 not null,
  -- SHA-256 over the hash before and the entry.
  hash bytea not null
);

create table audit_keys (
  -- Fingerprint of the public key.
  id text primary key,
  -- As a JWK.
  public_key json not null,
  -- Sealed.
  private_key bytea not null,
  created_at timestamptz not null
);

create table audit_checkpoints (
  seq bigint primary key,
  hash bytea not null,
  at timestamptz not null,
  key_id text not null references audit_keys (id),
  signature bytea not null
);

create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is append-only';
end
$$;
create trigger audit_log_append_only before update or delete or truncate on audit_log
  for each statement execute function audit_is_append_only();
create trigger audit_chain_append_only before update or delete or truncate on audit_chain
  for each statement execute function audit_is_append_only();
create trigger audit_checkpoints_append_only before update or delete or truncate on audit_checkpoints
  for each statement execute function audit_is_append_only();

-- What is usual for whoever reads secrets.
create table access_profiles (
  actor_id text primary key,
  profile json not null,
  updated_at timestamptz not null
);

-- How far the trail has been pushed to a collector.
create table audit_push (
  only_row boolean primary key default true check (only_row),
  seq bigint not null default 0,
  failing_since timestamptz,
  told_at timestamptz
);
insert into audit_push default values;
