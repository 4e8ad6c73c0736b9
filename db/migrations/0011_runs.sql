-- Runs and swarms are tasks; their owner may have a million others.
create index tasks_runs_owner_idx on tasks (owner_id, id) where queue = 'run-start';
create index tasks_swarms_owner_idx on tasks (owner_id, id) where queue = 'swarm-execution';
