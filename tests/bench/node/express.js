// Webhook receiver on Express. Environment: BENCH_SECRET, BENCH_REDIS_PORT. Prints "listening on URL".
'use strict';

const express = require('express');
const receiver = require('./receiver');

const app = express();
app.disable('x-powered-by');
app.disable('etag');

// The signature covers the bytes as received, so the body must stay a Buffer.
app.use(express.raw({ type: '*/*', limit: '4mb' }));

app.post('/hooks/whatsapp/:channel', async (request, response) => {
  if (!receiver.signatureOk(request.body, request.get('x-hub-signature-256'))) {
    return response.status(401).json({ error: 'signature' });
  }
  await receiver.store(request.body);
  response.json({});
});

async function main() {
  await receiver.ready();
  const server = app.listen(0, '127.0.0.1', () => receiver.listening(server.address().port));
}

main();
