alter table tasks
  -- In which round it was warned that the task runs for long, and how often it was paused for that.
  add column warned_round integer,
  add column pauses integer not null default 0;
