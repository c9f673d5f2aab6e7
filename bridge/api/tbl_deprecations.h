/* tbl_deprecations.h: routes that are kept for old callers and will go.
 * DEPRECATED(method, "path as in tbl_routes.h", "deprecated since", "answers until at least", "what to use instead").
 * Dates are UTC. A route answers for 12 months at least after it was marked; answers tell of it by Deprecation (RFC 9745)
 * and Sunset (RFC 8594), the API's document by "deprecated". */
DEPRECATED("POST", "/conversations/{conversation}/escalate/", "2026-11-01", "2028-01-01", "POST /conversations/{conversation}/handoff/")
