// Webhook receiver on fastify. Environment: BENCH_SECRET, BENCH_REDIS_PORT. Prints "listening on URL".
'use strict';

const receiver = require('./receiver');
const app = require('fastify')({ logger: false, bodyLimit: 4 * 1024 * 1024 });

// The signature covers the bytes as received, so the body must stay a Buffer.
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));

app.post('/hooks/whatsapp/:channel', async (request, reply) => {
  if (!receiver.signatureOk(request.body, request.headers['x-hub-signature-256'])) {
    return reply.code(401).send({ error: 'signature' });
  }
  await receiver.store(request.body);
  return reply.send({});
});

async function main() {
  await receiver.ready();
  await app.listen({ host: '127.0.0.1', port: 0 });
  receiver.listening(app.server.address().port);
}

main();
