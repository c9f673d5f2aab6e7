/* model.c: the table of generators. */
#include <string.h>

#include "agent/model/model.h"

#include "agent/model/call.h"

struct model_row {
    const char *name;
    bool local;
    struct model_call *(*start)(const struct model_config *config, const struct model_request *request,
                                struct httpc *http, struct arena *arena, model_event_fn fn, void *arg);
};

/* Says the extract at once. */
static struct model_call *extractive_start(const struct model_config *config,
                                           const struct model_request *request, struct httpc *http,
                                           struct arena *arena, model_event_fn fn, void *arg)
{
    const char *text = model_extract(request, arena);
    struct model_event event = {.kind = MODEL_TEXT, .request_id = "", .model = "", .retry_ms = -1};

    (void)config;
    (void)http;
    if (text != NULL) {
        event.text = text;
        event.size = strlen(text);
        fn(&event, arg);
    }
    event.kind = MODEL_END;
    event.text = NULL;
    event.size = 0;
    event.class = text != NULL ? MODEL_OK : MODEL_EMPTY;
    fn(&event, arg);
    return NULL;
}

static struct model_call *openai_start(const struct model_config *config, const struct model_request *request,
                                       struct httpc *http, struct arena *arena, model_event_fn fn, void *arg)
{
    (void)arena;
    return call_start(&openai_wire, config, request, http, fn, arg);
}

static struct model_call *anthropic_start(const struct model_config *config,
                                          const struct model_request *request, struct httpc *http,
                                          struct arena *arena, model_event_fn fn, void *arg)
{
    (void)arena;
    return call_start(&anthropic_wire, config, request, http, fn, arg);
}

static const struct model_row rows[] = {
    {"extractive", true, extractive_start},
    {"openai", false, openai_start},
    {"anthropic", false, anthropic_start},
};

static const struct model_row *row_of(const char *provider)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, provider) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

bool model_known(const char *provider)
{
    return row_of(provider) != NULL;
}

bool model_is_local(const char *provider)
{
    const struct model_row *row = row_of(provider);

    return row == NULL || row->local;
}

struct model_call *model_start(const struct model_config *config, const struct model_request *request,
                               struct httpc *http, struct arena *arena, model_event_fn fn, void *arg)
{
    const struct model_row *row = row_of(config->provider);

    if (row == NULL) {
        struct model_event end = {
            .kind = MODEL_END, .class = MODEL_CONFIG, .retry_ms = -1, .request_id = "", .model = ""};
        fn(&end, arg);
        return NULL;
    }
    return row->start(config, request, http, arena, fn, arg);
}

/* Only adapters that wait give a handle out, and that is one. */
void model_cancel(struct model_call *call)
{
    if (call != NULL) {
        call_cancel(call);
    }
}
