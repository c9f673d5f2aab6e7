/* post.c: Zapier's catch hooks and any HTTP API: an event is posted, as it is or as the config says. */
#include <stdlib.h>
#include <string.h>

#include "bridge/integrations/run.h"

#define HEADERS_MAX (64u << 10)

static void posted(struct run *run, const struct api_call_result *result)
{
    if (result->ok) {
        run_done(run, NULL);
    } else {
        run_fail(run, result->why != NULL ? result->why : "refused", true);
    }
}

/* The sealed headers, new reference; an empty object if there are none. */
static json_t *headers_of(struct run *run)
{
    struct buf text;
    json_t *headers = NULL;
    buf_init(&text, HEADERS_MAX);
    if (integration_secret(run->integration, run->part, "headers", &text) != ERR_OK ||
        jx_parse_lenient(text.data, text.len, &headers) != ERR_OK || !json_is_object(headers)) {
        json_decref(headers);
        headers = json_object();
    }
    buf_fini(&text);
    return headers;
}

void post_run(struct run *run)
{
    const json_t *body = json_object_get(jx_obj(run->integration, "config"), "body");
    json_t *spec = json_object(), *headers = headers_of(run);
    jx_set(run->vars, "event", json_incref(run->event));
    jx_set_str(spec, "method", integration_text(run->integration, "method", "POST"));
    if (run_secret(run, "webhook_url", "webhook_url")) {
        jx_set_str(spec, "url", jx_str(run->vars, "webhook_url"));
        json_object_del(run->vars, "webhook_url");
    } else {
        jx_set_str(spec, "url", integration_text(run->integration, "url", ""));
    }
    if (run_secret(run, "token", "token")) {
        jx_set_str(headers, "Authorization", "Bearer {{token}}");
    }
    if (json_object_get(headers, "Content-Type") == NULL) {
        jx_set_str(headers, "Content-Type", "application/json");
    }
    jx_set(spec, "headers", headers);
    jx_set(spec, "body", body != NULL ? json_deep_copy(body) : json_string("{{event}}"));
    if (jx_str(spec, "url")[0] ==
        '\0') { /* Zapier without a catch hook: its REST hooks are webhook endpoints */
        json_decref(spec);
        run_done(run, NULL);
        return;
    }
    run_call(run, spec, posted);
}
