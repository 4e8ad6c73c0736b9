-- How long the first in line has waited, without looking at all that wait.
create index tasks_waiting_since_idx on tasks (queue, created_at) where status = 'waiting';
