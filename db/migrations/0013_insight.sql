-- How long the first in line has waited, without looking at all that wait.
drop index tasks_open_idx;
create index tasks_open_idx on tasks (queue, status, created_at) where finished_at is null;
