-- Webhooks: who wants which events sent where.
create table event_subscriptions (
  id text primary key,
  owner_id text not null,
  -- Null: it is the owner's own.
  team_id text,
  -- Made by an administrator, who sees everything; it does as long as the owner is one.
  as_admin boolean not null,
  url text not null,
  patterns text[] not null,
  description text not null default '',
  concurrency integer not null,
  batch_size integer not null,
  batch_wait_ms integer not null,
  status text not null check (status in ('active', 'paused', 'disabled')),
  disabled_reason text,
  -- Sealed: the signing secrets, the newest first.
  secrets bytea not null,
  -- Events up to here are older than the subscription.
  from_cursor text not null,
  -- When the deliveries began to fail without one that succeeded since.
  failing_since timestamptz,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index event_subscriptions_owner on event_subscriptions (owner_id, id desc);
create index event_subscriptions_team on event_subscriptions (team_id, id desc) where team_id is not null;

-- One request to a subscriber, with one event or a batch, until it is answered.
create table event_deliveries (
  id text primary key,
  subscription_id text not null references event_subscriptions (id) on delete cascade,
  status text not null check (status in ('pending', 'delivered', 'dead')),
  task_id text,
  attempts integer not null default 0,
  response_status integer,
  error text,
  -- Of the last attempt.
  duration_ms integer,
  created_at timestamptz not null default now(),
  ended_at timestamptz
);
create index event_deliveries_subscription on event_deliveries (subscription_id, id desc);
create index event_deliveries_pending on event_deliveries (task_id) where status = 'pending';
create index event_deliveries_ended on event_deliveries (ended_at) where ended_at is not null;

-- The events of deliveries. `run` is empty, or the replay that an event comes from; so an event is collected once for each.
create table event_delivery_items (
  subscription_id text not null references event_subscriptions (id) on delete cascade,
  run text not null default '',
  cursor text not null,
  event_id text not null,
  type text not null,
  -- As CloudEvents JSON; forgotten once it is delivered.
  event text,
  -- By which deliveries at once are divided.
  lane integer not null,
  stored_at timestamptz not null,
  -- Null: waits for its company, or for the end of a pause.
  delivery_id text references event_deliveries (id) on delete cascade,
  created_at timestamptz not null default now(),
  primary key (subscription_id, run, cursor)
);
create index event_delivery_items_delivery on event_delivery_items (delivery_id);
create index event_delivery_items_waiting on event_delivery_items (subscription_id, created_at) where delivery_id is null;
