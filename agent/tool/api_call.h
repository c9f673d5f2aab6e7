/* api_call.h: one call of somebody's HTTP API in the middle of a conversation: by a flow's step, a model's
 * tool, an integration.
 *
 * spec: {"method"?: "GET|POST|PUT|PATCH|DELETE", "url", "headers"?: {}, "body"?: text or JSON, "timeout_ms"?
 * (100 to 30000, default 10000), "save"?: {name: "/json/pointer"}}. Texts may hold {{name}} and {{a.b}} out
 * of vars, and {{secret.NAME}}: a sealed KIND_SECRET of the partition, which is opened only here, and only in
 * headers, url and body; it never reaches vars, traces or logs. In a URL values are percent-encoded, in a
 * JSON body they are JSON text; the host part takes no variables. Private addresses are refused unless
 * allowed; redirects are not followed; the answer is read up to 256 KiB. Thread: the loop of the httpc. */
#ifndef CHASQUI_AGENT_TOOL_API_CALL_H
#define CHASQUI_AGENT_TOOL_API_CALL_H

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct httpc;

struct api_call_result {
    bool ok;             /* answered with 2xx, and all of save was found */
    long status;         /* 0: no answer */
    const char *why;     /* plain words if not ok; without secrets */
    const json_t *saved; /* object: what "save" took */
    const json_t *body;  /* the answer as JSON, a string if it is none */
    int64_t took_ms;
};
typedef void (*api_call_fn)(const struct api_call_result *result, void *arg);

struct api_call;
/* Checks a spec as a caller gave it. */
enum err api_call_check(const json_t *spec, const char **field, struct buf *why) MUST_CHECK;
/* Begins. fn is called exactly once, maybe before this returns (NULL then); the handle is good until then. Not
 * called: after api_call_cancel, and when the workers stop with the call under way. */
struct api_call *api_call_start(struct httpc *http, struct store *store, const char *part, const json_t *spec,
                                const json_t *vars, api_call_fn fn, void *arg);
/* fn is not called afterwards. */
void api_call_cancel(struct api_call *call);
/* text with its {{names}} filled, for messages: values as they are, what is missing becomes "". */
void api_call_fill(const char *text, const json_t *vars, struct buf *out);

#endif
