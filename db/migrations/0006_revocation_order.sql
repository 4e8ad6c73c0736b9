-- Which transaction left it. Copies read on from the oldest one that was under way when they last looked, so that one that commits late is not missed.
alter table revocations add column xact xid8 not null default pg_current_xact_id();
create index revocations_xact_idx on revocations (xact);
