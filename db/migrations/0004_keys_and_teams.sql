alter table api_keys
  add column version integer not null default 0,
  add column credit_limit_reached_at timestamptz;

create unique index team_members_owner_key on team_members (team_id) where role = 'owner';

-- What a team's key makes belongs to the team. Those of a team that is gone are nobody's but the administrators'.
alter table tasks add column team_id text;
alter table executions add column team_id text;
create index tasks_team_id_idx on tasks (team_id, id) where team_id is not null;
create index executions_team_id_idx on executions (team_id, id) where team_id is not null;
