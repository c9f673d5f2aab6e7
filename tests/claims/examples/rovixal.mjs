// The request of Rovixal's page by fetch, and the stream it names. Needs BASE, KEY.
const { BASE, KEY } = process.env;
const asked = {
  method: 'POST',
  headers: { 'X-API-Key': KEY, 'Content-Type': 'application/json' },
  body: JSON.stringify({ message: 'How can I change my password?' })
};

const whole = await fetch(`${BASE}/v1/messages`, asked);
const stream = await fetch(`${BASE}/v1/messages/stream`, asked);
let pieces = 0;
for await (const piece of stream.body) pieces += piece.length > 0;
console.log(JSON.stringify({ status: whole.status, body: await whole.json(), streamType: stream.headers.get('content-type'), pieces }));
