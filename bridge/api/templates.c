/* templates.c: message templates over REST. Reading shows what was last synced or told; changes are jobs, so
 * they survive a platform that is down: the event template.updated tells how they ended. */
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "channels/channel.h"
#include "channels/template.h"

/* The channel whose templates are meant: the one named, else the agent's oldest that has templates. NULL: the
 * call has ended. */
static json_t *channel_of(struct call *c)
{
    struct store_page page;
    json_t *found = NULL, *agent = call_agent(c, NULL);
    const char *wanted = jx_str(c->body, "channel_id");
    wanted = wanted != NULL ? wanted : call_query(c, "channel_id");
    struct page_query query = {.kind = KIND_CHANNEL,
                               .part = c->part,
                               .index = INDEX_CHANNEL_BY_AGENT,
                               .match = {jx_str_or(agent, "id", "-")},
                               .limit = 100};
    if (agent == NULL) {
        return NULL;
    }
    enum err rc = snapshot_page(c->snap, &query, &page);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return NULL;
    }
    for (size_t i = 0; i < page.count && found == NULL; i++) {
        const struct channel_ops *ops = channel_ops(jx_str_or(page.rows[i].body, "type", ""));
        bool fits = wanted == NULL || strcmp(page.rows[i].id, wanted) == 0;
        if (fits && ops != NULL && ops->template_call != NULL) {
            found = call_keep(c, json_incref(page.rows[i].body));
        }
    }
    store_page_free(&page);
    if (found == NULL) {
        call_fail(c, API_NO_CHANNEL, "channel_id", NULL);
    }
    return found;
}

static json_t *show(const json_t *template)
{
    return json_incref((json_t *)template);
}

/* Whether the channel has a template in any language that the query finds. */
static bool any(struct call *c, const struct page_query *query)
{
    struct page_query first = *query;
    struct store_page page = {0};
    first.limit = 1;
    bool found = snapshot_page(call_snap(c), &first, &page) == ERR_OK && page.count > 0;
    store_page_free(&page);
    return found;
}

/* The templates of the channel; name NULL: all. A name that has none is not there. */
static void list(struct call *c, const char *name)
{
    json_t *channel = channel_of(c);
    if (channel == NULL) {
        return;
    }
    struct list_spec spec = {.query = {.kind = KIND_TEMPLATE,
                                       .part = c->part,
                                       .index = INDEX_TEMPLATE_CHANNEL,
                                       .match = {jx_str(channel, "id"), name}},
                             .show = show,
                             .total = -1};
    if (name != NULL && !any(c, &spec.query)) {
        call_fail(c, API_NOT_FOUND, NULL, NULL);
        return;
    }
    list_reply(c, &spec);
}

void templates_list(struct call *c)
{
    list(c, NULL);
}

void templates_show(struct call *c)
{
    list(c, call_param(c, "name"));
}

/* Ends a call whose work is a job now. */
static void accepted(struct call *c, const char *action, const char *object)
{
    json_t *answer = json_object();
    jx_set_str(answer, "status", "queued");
    call_audit(c, action, object);
    call_commit(c, 202, answer);
}

void templates_sync(struct call *c)
{
    json_t *channel = channel_of(c);
    if (channel != NULL) {
        template_sync(call_changes(c), c->part, channel);
        accepted(c, "templates.synced", jx_str(channel, "id"));
    }
}

void templates_delete(struct call *c)
{
    json_t *channel = channel_of(c);
    if (channel != NULL) {
        template_delete(call_changes(c), c->part, channel, call_param(c, "name"));
        accepted(c, "template.deleted", call_param(c, "name"));
    }
}

void templates_create(struct call *c)
{
    const char *field = NULL;
    json_t *record = NULL, *channel = channel_of(c);
    if (channel == NULL) {
        return;
    }
    if (template_create(call_changes(c), c->part, channel, c->body, &field, &record) != ERR_OK) {
        call_fail(c, API_BAD_FIELD, field, "%s is missing or wrong.", field);
        return;
    }
    call_audit(c, "template.created", jx_str(record, "name"));
    call_commit(c, 201, record);
}
