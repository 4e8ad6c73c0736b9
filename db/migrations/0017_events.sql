-- An event is kept as the one JSON document that its publisher made; `id` is what tells repeats, which need not be the event's own id.
alter table bus_events add column event text;
update bus_events set event = left(json_strip_nulls(json_build_object('id', id, 'type', type, 'subject', subject, 'audience', audience,
  'requestId', request_id, 'time', to_char(time at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')))::text, -1) || ',"data":' || data::text || '}';
alter table bus_events alter column event set not null,
  drop column subject, drop column audience, drop column request_id, drop column time, drop column data;
create index bus_events_stored_at on bus_events using brin (stored_at);

-- A durable group reads the log from its cursor, whichever store the log is in: one copy at a time, by a lease.
alter table bus_groups alter column cursor type text using cursor || '-0';
alter table bus_groups
  -- The event that a careful reader has in hand, and how often it had it: one that ends its reader each time is put aside.
  add column trying text,
  add column tries integer not null default 0,
  add column patterns text[] not null default '{}',
  add column handled bigint not null default 0,
  add column failed bigint not null default 0,
  -- Events a second, averaged over the last minute, as of `reported_at`.
  add column rate double precision not null default 0,
  add column latency_ms double precision,
  add column last_error text,
  add column reported_at timestamptz;

-- What a group could not handle. The event is kept whole: the log forgets it.
create table event_dead_letters (
  id text primary key,
  group_name text not null,
  event_id text not null,
  type text not null,
  event text not null,
  attempts integer not null,
  error text not null,
  created_at timestamptz not null default now(),
  -- Somebody wants it tried again.
  redrive_at timestamptz
);
create index event_dead_letters_group on event_dead_letters (group_name, id desc);
create index event_dead_letters_redrive on event_dead_letters (group_name, redrive_at) where redrive_at is not null;

-- Which events a group's handler has taken effect for, so that a second delivery has none.
create table event_effects (
  group_name text not null,
  event_id text not null,
  at timestamptz not null default now(),
  primary key (group_name, event_id)
);
create index event_effects_at on event_effects using brin (at);

-- The types that administrators register, each version with its schema.
create table event_types (
  type text not null,
  version integer not null,
  schema json not null,
  description text not null,
  audience text not null check (audience in ('owner', 'admins', 'everybody')),
  retention_hours integer,
  length_max integer,
  created_by text,
  created_at timestamptz not null default now(),
  primary key (type, version)
);

-- How far events of a type are gone although younger ones of others are kept.
create table event_sweeps (
  type text primary key,
  through text not null
);
