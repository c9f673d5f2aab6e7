// The same four calls on Express and PostgreSQL, as one would write them first. Environment: PGHOST, PGUSER, PGDATABASE.
// Prints "listening on URL".
'use strict';

const crypto = require('node:crypto');
const express = require('express');
const { Pool } = require('pg');

const pool = new Pool({ max: 10 });
const app = express();
app.use(express.json());

const wrap = (handler) => (request, response, next) => handler(request, response).catch(next);
const missing = (response) => response.status(404).json({ error: { code: 'NOT_FOUND', status: 404 } });

const hashed = (text) => crypto.createHash('sha256').update(text).digest('hex');

app.use((request, response, next) => {
  const key = (request.get('authorization') || '').slice(7);
  pool.query('select id from keys where hash = $1', [hashed(key)])
    .then((found) => (found.rowCount ? next() : response.status(401).json({ error: { code: 'UNAUTHORIZED', status: 401 } })))
    .catch(next);
});

app.get('/api/v1/agents/:agent/', wrap(async (request, response) => {
  const found = await pool.query('select body from agents where id = $1', [request.params.agent]);
  return found.rowCount ? response.json(found.rows[0].body) : missing(response);
}));

app.get('/api/v1/conversations/', wrap(async (request, response) => {
  const size = Number(request.query.page_size || 20);
  const count = await pool.query('select count(*) from conversations');
  const page = await pool.query('select * from conversations order by last_message_at desc limit $1', [size]);
  response.json({ count: Number(count.rows[0].count), next: null, previous: null, results: page.rows });
}));

app.get('/api/v1/conversations/:conversation/messages/', wrap(async (request, response) => {
  const id = request.params.conversation;
  const size = Number(request.query.page_size || 20);
  const count = await pool.query('select count(*) from messages where conversation_id = $1', [id]);
  const page = await pool.query('select * from messages where conversation_id = $1 order by id limit $2', [id, size]);
  response.json({ count: Number(count.rows[0].count), next: null, previous: null, results: page.rows });
}));

app.post('/api/v1/agents/:agent/messages/', wrap(async (request, response) => {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const talk = await client.query(
      'update conversations set last_message_at = now() where contact_id = (select id from contacts where phone = $1) returning id, contact_id',
      [request.body.to]);
    const made = await client.query(
      `insert into messages (conversation_id, contact_id, agent_id, direction, author, type, text, status)
       values ($1, $2, $3, 'out', '{"type": "human"}', $4, $5, 'queued') returning id, created_at`,
      [talk.rows[0].id, talk.rows[0].contact_id, request.params.agent, request.body.type, request.body.text]);
    await client.query('insert into jobs (message_id) values ($1)', [made.rows[0].id]);
    await client.query('commit');
    response.status(201).json({ message_id: 'msg_' + made.rows[0].id, status: 'queued', to: request.body.to, queued_at: made.rows[0].created_at });
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}));

const server = app.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
