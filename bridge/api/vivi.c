/* vivi.c: the surface /channelsApi/{channel}: one API channel, its own key, its own document and test window.
 */
#include <string.h>

#include "agent/agent.h"
#include "bridge/api/call.h"
#include "bridge/api/docs.h"
#include "bridge/api/openapi.h"
#include "bridge/api/talk.h"
#include "channels/channel.h"

/* The path's channel and the agent behind it. False: the call has ended. */
static bool find(struct call *c, struct talk_speaker *s)
{
    memset(s, 0, sizeof(*s));
    s->channel = call_find(c, KIND_CHANNEL, call_param(c, "channel"), NULL);
    if (s->channel == NULL) {
        return false;
    }
    if (strcmp(jx_str_or(s->channel, "type", ""), "api") != 0) {
        call_fail(c, API_IMPOSSIBLE, NULL,
                  "This channel's platform speaks for its customers; only an API channel is called.");
        return false;
    }
    const char *agent_id = jx_str(s->channel, "agent_id");
    if (agent_id == NULL || agent_get(c->snap, c->part, agent_id, &s->agent, NULL) != ERR_OK) {
        call_fail(c, API_UNASSIGNED, NULL,
                  "The channel is assigned to no agent; assign it with PATCH {\"agent_id\"}.");
        return false;
    }
    call_keep(c, s->agent);
    return true;
}

void vivi_invoke(struct call *c)
{
    struct talk_speaker s;
    if (find(c, &s)) {
        talk_on_channel(c, &s, TALK_OBJECT);
    }
}

void vivi_stream(struct call *c)
{
    struct talk_speaker s;
    if (find(c, &s)) {
        talk_on_channel(c, &s, TALK_STREAM);
    }
}

void vivi_batch(struct call *c)
{
    struct talk_speaker s;
    if (find(c, &s)) {
        talk_batch(c, &s);
    }
}

void vivi_files(struct call *c)
{
    struct talk_speaker s;
    if (find(c, &s)) {
        files_upload(c);
    }
}

/* True if the path names an API channel of any account. False: the call has ended with 404. */
static bool is_there(struct call *c)
{
    char part[PARTITION_SIZE];
    json_t *channel = NULL;
    enum err rc = call_snap(c) != NULL ? channel_at_door(c->snap, call_param(c, "channel"), part, &channel)
                                       : ERR_CLOSED;
    bool there = rc == ERR_OK && strcmp(jx_str_or(channel, "type", ""), "api") == 0;
    json_decref(channel);
    if (!there && rc != ERR_CLOSED) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such channel.");
    }
    return there;
}

/* Takes the parameter {channel} out of an operation and names the channel's own key. */
static void narrow(json_t *operation)
{
    json_t *parameters = jx_arr(operation, "parameters"), *security = jx_arr(operation, "security");
    for (size_t i = json_array_size(parameters); i > 0; i--) {
        if (strcmp(jx_str_or(json_array_get(parameters, i - 1), "name", ""), "channel") == 0) {
            json_array_remove(parameters, i - 1);
        }
    }
    if (json_array_size(security) > 0) {
        jx_set(operation, "security", json_pack("[{s:[]}]", "channelKey"));
    }
}

/* The document of one channel: its paths as they are called. */
static json_t *document_of(struct call *c, const char *channel)
{
    static const char mark[] = "{channel}";
    json_t *out = openapi_document(c->api->app->public_url, "API channel", ON_VIVI), *paths = json_object(),
           *item, *operation;
    const char *path, *method;
    json_object_foreach (jx_obj(out, "paths"), path, item) {
        const char *at = strstr(path, mark);
        json_object_foreach (item, method, operation) {
            narrow(operation);
        }
        jx_set(paths,
               arena_printf(c->arena, "%.*s%s%s", (int)(at - path), path, channel, at + sizeof(mark) - 1),
               json_incref(item));
    }
    jx_set(out, "paths", paths);
    jx_set(jx_obj(out, "components"), "securitySchemes",
           json_pack("{s:{s:s, s:s, s:s, s:s}}", "channelKey", "type", "apiKey", "in", "header", "name",
                     "vivi-api-key", "description", "The channel's own key"));
    return out;
}

void vivi_openapi(struct call *c)
{
    if (is_there(c)) {
        c->bare = true;
        call_reply(c, 200, document_of(c, call_param(c, "channel")));
    }
}

void vivi_docs(struct call *c)
{
    if (is_there(c)) {
        docs_window(c);
    }
}

void talk_batch_invoke(struct call *c)
{
    struct talk_speaker s = {.agent = call_agent(c, NULL)};
    if (s.agent != NULL && talk_find_channel(c, &s)) {
        talk_batch(c, &s);
    }
}
