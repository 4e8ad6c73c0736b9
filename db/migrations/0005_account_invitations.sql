-- Who may sign up where sign-up is by invitation. The token is a row of one_time_tokens.
create table account_invitations (
  id text primary key,
  email text not null,
  name text,
  role text not null check (role in ('user', 'admin')),
  invited_by text not null references users (id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create unique index account_invitations_email_key on account_invitations (lower(email));
create index account_invitations_invited_by_idx on account_invitations (invited_by);
