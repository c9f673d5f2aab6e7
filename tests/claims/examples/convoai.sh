# The requests of ConvoAI's page: who am I, agents, knowledge, a message, a webhook. Needs BASE, KEY, AGENT, APP.
set -euo pipefail
ask=(curl -sS --fail-with-body -H "Authorization: Bearer $KEY" -w '\n%{http_code}\n')
json=(-H "Content-Type: application/json")

"${ask[@]}" "${json[@]}" "$BASE/api/v1/agents/"
"${ask[@]}" "$BASE/api/v1/me/"
"${ask[@]}" "$BASE/api/v1/agents/"
"${ask[@]}" -X POST "${json[@]}" "$BASE/api/v1/agents/$AGENT/knowledge/" -d '{
    "title": "Summer 2026 price list",
    "content": "Summer plans cost 49 dollars a month or more. Ask for an enterprise quote.",
    "doc_type": "text"
  }'
"${ask[@]}" -X POST "${json[@]}" "$BASE/api/v1/agents/$AGENT/messages/" -d '{
    "to": "+14155559876",
    "type": "text",
    "text": "Hello! We have your order. Write here if there is anything you need."
  }'
"${ask[@]}" -X POST "${json[@]}" "$BASE/api/v1/agents/$AGENT/webhooks/" -d '{
    "url": "'"$APP"'",
    "events": ["lead.qualified", "appointment.booked", "handoff.triggered"],
    "secret": "whsec_your_signing_secret"
  }'
