// What both Node receivers do: check the signature of the raw body, then put that body on a durable BullMQ queue.
// Redis runs with `appendfsync always`, so that an added job is on disk when the promise resolves; Redis itself
// syncs once for all commands of one turn of its loop, the same group commit that Chasqui does.
// No worker runs: nobody takes the jobs, which is in Node's favour.
'use strict';

const { createHmac, timingSafeEqual } = require('node:crypto');
const { Queue } = require('bullmq');

const secret = process.env.BENCH_SECRET;
const queue = new Queue('hooks', { connection: { host: '127.0.0.1', port: Number(process.env.BENCH_REDIS_PORT) } });

function signatureOk(body, header) {
  if (typeof header !== 'string' || !header.startsWith('sha256=')) return false;
  const theirs = Buffer.from(header.slice(7), 'hex');
  const ours = createHmac('sha256', secret).update(body).digest();
  return theirs.length === ours.length && timingSafeEqual(ours, theirs);
}

// Resolves when the body is durable.
function store(body) {
  return queue.add('hook', { received: Date.now(), body: body.toString() });
}

function listening(port) {
  console.log(`listening on http://127.0.0.1:${port}`);
}

process.on('SIGTERM', () => process.exit(0));

module.exports = { signatureOk, store, listening, ready: () => queue.waitUntilReady() };
