-- How many jobs of each queue the thread would run at once right now.
alter table workers add column concurrency json not null default '{}';
