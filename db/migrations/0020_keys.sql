-- The keys that encrypt data keys. Each is wrapped by the root key, which is not in the database.
create table key_encryption_keys (
  version integer primary key,
  root_key_id text not null,
  wrapped bytea not null,
  created_at timestamptz not null,
  -- Known to every copy by then, and from then on the one to encrypt with.
  in_force_from timestamptz not null,
  -- Nothing was sealed with it any more.
  disabled_at timestamptz
);
