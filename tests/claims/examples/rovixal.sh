# The two requests that Rovixal's page shows without a client: settings of the chat, a report of a period. Needs BASE, KEY.
set -euo pipefail
curl -sS --fail-with-body -w '\n%{http_code}\n' -X PATCH "$BASE/v1/settings/chat" -H "X-API-Key: $KEY" -H 'Content-Type: application/json' -d '{
  "tone": "FRIENDLY",
  "responseStyle": "CONCISE",
  "fallbackBehavior": "SUGGEST_TOPICS",
  "confidenceThreshold": 0.75,
  "conversationStarters": [
    "Where do I begin?",
    "What is new?"
  ]
}'
curl -sS --fail-with-body -w '\n%{http_code}\n' -H "X-API-Key: $KEY" \
    "$BASE/v1/analytics/top-questions?startDate=2025-01-01&endDate=2025-01-31&limit=10"
