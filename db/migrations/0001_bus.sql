-- The event bus without Redis: an append-only log. A cursor is a `seq`.
create table bus_events (
  seq bigint generated always as identity primary key,
  id text not null unique,
  type text not null,
  subject text,
  audience text,
  request_id text,
  time timestamptz not null,
  data json not null,
  -- Retention counts from here: `time` is whatever the publisher says.
  stored_at timestamptz not null default clock_timestamp()
);

-- Readers go by `seq > cursor`, so an event may never become visible after one with a higher number. Statement triggers run
-- before the first number is drawn, and the lock is held until the transaction has become visible.
create function bus_events_in_order() returns trigger language plpgsql as $$
begin
  perform pg_advisory_xact_lock(7165102);
  return null;
end
$$;
create trigger bus_events_in_order before insert on bus_events
  for each statement execute function bus_events_in_order();

-- Only wakes readers: what there is to read, they read from the table.
create function bus_events_wake() returns trigger language plpgsql as $$
begin
  perform pg_notify('keelson_bus', '');
  return null;
end
$$;
create trigger bus_events_wake after insert on bus_events
  for each statement execute function bus_events_wake();

-- The highest number that retention removed, in one row: it outlives the events.
create table bus_trimmed (
  only_row boolean primary key default true check (only_row),
  through bigint not null default 0
);
insert into bus_trimmed default values;

-- A durable group: how far it has come, and which copy works for it until when.
create table bus_groups (
  name text primary key,
  cursor bigint not null,
  owner text,
  leased_until timestamptz not null default '-infinity',
  created_at timestamptz not null default now()
);
