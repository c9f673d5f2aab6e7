# The request of Nexvio's page. Needs BASE, KEY.
set -euo pipefail
curl -sS --fail-with-body -w '\n%{http_code}\n' "$BASE/v1/bots" \
    -H "Authorization: Bearer $KEY"
