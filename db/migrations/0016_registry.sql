-- What each task that the thread runs has in use, by the task's id.
alter table workers add column uses json not null default '{}';
