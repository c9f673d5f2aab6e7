-- Tables as one would make them first; :messages is how many there are to be. Conversations have 20, each fiftieth 120.
create table keys (id text primary key, hash text unique not null);
create table agents (id text primary key, body jsonb not null);
create table contacts (id bigint primary key, name text, phone text unique not null, created_at timestamptz default now());
create table conversations (id bigint primary key, agent_id text, contact_id bigint unique, channel text, status text, mode text,
    tags jsonb default '[]', metadata jsonb default '{}', created_at timestamptz default now(), last_message_at timestamptz default now());
create table messages (id bigserial primary key, conversation_id bigint not null, contact_id bigint, agent_id text, direction text,
    author jsonb, type text, text text, status text, created_at timestamptz default now());
create table jobs (id bigserial primary key, message_id bigint not null, created_at timestamptz default now());
insert into contacts (id, name, phone)
    select n, 'Ana', '+1' || (5550000000 + n) from generate_series(0, :messages / 22) n;
insert into conversations (id, agent_id, contact_id, channel, status, mode, last_message_at)
    select n, 'agt_1', n, 'whatsapp', 'open', 'ai', now() - n * interval '1 second' from generate_series(0, :messages / 22) n;
insert into messages (conversation_id, contact_id, agent_id, direction, author, type, text, status)
    select n, n, 'agt_1', case when k % 2 = 0 then 'in' else 'out' end, '{"type": "customer"}', 'text', repeat('When does the shop open? ', 4), 'read'
    from generate_series(0, :messages / 22) n, generate_series(1, case when n % 50 = 0 then 120 else 20 end) k;
create index on conversations (last_message_at);
create index on messages (conversation_id, id);
vacuum analyze;
