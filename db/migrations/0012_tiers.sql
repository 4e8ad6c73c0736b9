alter table users add column tier text not null default 'free';
-- What its client gave; `priority` is what follows from that, the queue, its urgency and its owner's tier.
alter table tasks add column own_priority integer;
