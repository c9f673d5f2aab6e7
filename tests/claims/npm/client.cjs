// Clients that others wrote, unchanged, against one server: they know its document and its key, no more. BASE, KEY, AGENT.
'use strict';

const { OpenAPIClientAxios } = require('openapi-client-axios');

async function byDocument({ BASE, KEY, AGENT }) {
  const api = new OpenAPIClientAxios({
    definition: `${BASE}/openapi.json`,
    axiosConfigDefaults: { baseURL: BASE, headers: { Authorization: `Bearer ${KEY}` }, proxy: false }
  });
  const client = await api.init();
  const names = Object.fromEntries(api.getOperations().map((o) => [`${o.method} ${o.path}`, o.operationId]));
  const call = (what, params, body) => client[names[what]](params, body).then((answer) => [answer.status, answer.data]);
  const [listed, agents] = await call('get /api/v1/agents');
  const [created, document] = await call('post /api/v1/agents/{agent}/knowledge', { agent: AGENT },
    { title: 'Hours', content: 'We open at nine.', doc_type: 'text' });
  const [sent, message] = await call('post /api/v1/agents/{agent}/messages', { agent: AGENT }, { to: '+14155559876', type: 'text', text: 'Hi' });
  return { statuses: [listed, created, sent], agent: agents.results[0].id, document: document.id, message: message.message_id,
    operations: api.getOperations().length };
}

async function byFetch({ BASE, KEY }) {
  const { default: createClient } = await import('openapi-fetch');
  const client = createClient({ baseUrl: BASE, headers: { Authorization: `Bearer ${KEY}` } });
  const first = await client.POST('/v1/messages', { body: { message: 'When do you open?' } });
  const talk = first.data.data.conversationId;
  const messages = await client.GET('/v1/conversations/{conversation}/messages', { params: { path: { conversation: talk }, query: { pageSize: 1 } } });
  const nothing = await client.GET('/v1/bots/{bot}', { params: { path: { bot: 'agt_none' } } });
  return { statuses: [first.response.status, messages.response.status, nothing.response.status], total: messages.data.meta.total,
    error: nothing.error.error.code };
}

// One delivery on standard input: {"secret", "headers", "body"}; a changed body must not pass.
function verified({ secret, headers, body }) {
  const { Webhook } = require('standardwebhooks');
  const hook = new Webhook(secret);
  const event = hook.verify(body, headers);
  try {
    hook.verify(body + ' ', headers);
    return { type: event.type, forged: true };
  } catch {
    return { type: event.type, forged: false };
  }
}

async function main() {
  let input = '';
  for await (const piece of process.stdin) input += piece;
  console.log(JSON.stringify({ document: await byDocument(process.env), fetch: await byFetch(process.env), webhook: verified(JSON.parse(input)) }));
}

main().catch((error) => {
  console.error(error.response ? JSON.stringify(error.response.data) : error);
  process.exit(1);
});
