-- Fixed windows that survive a restart; a row is worth nothing once it has expired.
create table limiter_windows (
  policy text not null,
  key text not null,
  used bigint not null,
  expires_at timestamptz not null,
  primary key (policy, key)
);
create index limiter_windows_expires_at_idx on limiter_windows (expires_at);
