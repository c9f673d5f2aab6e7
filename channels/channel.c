/* channel.c: the registry of platforms, and the channel's record: checked, sealed, shown.
 *
 * Invariant: a field that its platform names as sealed is never in the record in the clear and never in what
 * leaves the house. A body is checked whole before anything of it is taken over. */
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"

#include "queue/address.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/option.h"
#include "queue/base/seal_record.h"
#include "queue/events.h"

#define VALUE_MAX    4096
#define QUIET_MAX_MS 6000 /* a burst is waited for no longer */
#define CONTEXT_ROOM (PARTITION_SIZE + STORE_ID_MAX + 2)

/* ---- registry ---- */

/* A channel without a platform: the caller of the API gets the answer in his own call. */
static void api_send(const struct send_call *call, send_done_fn done, void *arg)
{
    struct send_result result = {.outcome = SEND_DELIVERED};

    (void)call;
    done(&result, arg);
}

static const char *const none[] = {NULL};
const struct channel_ops api_ops = {
    .type = "api", .text_max = 65536, .required = none, .optional = none, .sealed = none, .send = api_send};

static const struct channel_ops *const rows[] = {
#define X(ops) &ops,
#include "channels/tbl_channels.h"
#undef X
};

const struct channel_ops *channel_ops(const char *type)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i]->type, type) == 0) {
            return rows[i];
        }
    }
    return NULL;
}

const struct channel_ops *channel_ops_at(unsigned index)
{
    return index < sizeof rows / sizeof *rows ? rows[index] : NULL;
}

const struct channel_ops *channel_sender(const char *part, const char *type)
{
    const struct channel_ops *ops = channel_ops(type);
    bool outside = ops != NULL && ops != &api_ops;

    return outside && partition_mode(part) != MODE_LIVE ? &sandbox_ops : ops;
}

enum err channel_check_message(const char *channel_type, const char *type, const char *text,
                               const json_t *content, const char **field, struct buf *why)
{
    const struct channel_ops *ops = channel_ops(channel_type);

    if (ops != NULL && ops->content_check != NULL) {
        return ops->content_check(type, text, content, field, why);
    }
    if (strcmp(type, "text") != 0) {
        *field = "/type";
        buf_addf(why, "this channel sends text only");
        return ERR_INVALID;
    }
    if (text == NULL || text[0] == '\0') {
        *field = "/text";
        buf_addf(why, "text is required");
        return ERR_INVALID;
    }
    return ERR_OK;
}

/* ---- reading ---- */

enum err channel_get(struct snapshot *snap, const char *part, const char *id, json_t **channel, uint64_t *rev)
{
    return snapshot_get(snap, KIND_CHANNEL, part, id, channel, rev);
}

int64_t channel_quiet_ms(const json_t *channel)
{
    return jx_int(channel, "quiet_time_ms", option_int(OPT_QUIET_TIME));
}

enum err channel_partition(struct snapshot *snap, const char *id, char part[PARTITION_SIZE])
{
    return id_is(id, "chn") ? address_find(snap, id, part) : ERR_NOTFOUND;
}

/* "PARTITION/CHANNEL_ID": what a sealed value is bound to. */
static char *seal_context(const char *part, const json_t *channel)
{
    return xasprintf("%s/%s", part, jx_str_or(channel, "id", ""));
}

enum err channel_secret(const char *part, const json_t *channel, const char *field, struct buf *out)
{
    const char *value = jx_str(jx_obj(jx_obj(channel, "sealed"), field), "value");

    if (value == NULL) {
        return ERR_NOTFOUND;
    }
    char context[CONTEXT_ROOM];
    size_t part_size = strlen(part), id_size = strlen(jx_str_or(channel, "id", ""));
    CHECK(part_size + id_size + 2 <= sizeof context);
    memcpy(context, part, part_size); /* as seal_context; each post of a platform comes through here */
    context[part_size] = '/';
    memcpy(context + part_size + 1, jx_str_or(channel, "id", ""), id_size + 1);
    return sealed_open(context, value, out);
}

/* Each sealed field the platform knows: whether it is set, and its last characters. */
static json_t *credentials_public(const struct channel_ops *ops, const json_t *channel)
{
    json_t *view = json_object();

    for (const char *const *name = ops->sealed; *name != NULL; name++) {
        jx_set(view, *name, seal_record_public(jx_obj(jx_obj(channel, "sealed"), *name)));
    }
    return view;
}

json_t *channel_public(const json_t *channel)
{
    const struct channel_ops *ops = channel_ops(jx_str_or(channel, "type", ""));
    json_t *view = json_copy((json_t *)channel);

    CHECK(view != NULL);
    json_object_del(view, "sealed");
    if (ops != NULL && ops->sealed[0] != NULL) {
        jx_set(view, "credentials", credentials_public(ops, channel));
    }
    if (ops != NULL && ops->verify != NULL) {
        char *path = xasprintf("/hooks/%s/%s", ops->type, jx_str_or(channel, "id", ""));
        jx_set_str(view, "webhook_path", path);
        free(path);
    }
    return view;
}

void channel_event(struct changes *cs, struct snapshot *snap, const char *part, const json_t *channel)
{
    struct event_about about = {.agent_id = jx_str(channel, "agent_id")};
    json_t *data = json_object();

    jx_set(data, "channel", channel_public(channel));
    event_append(cs, snap, part, "channel.updated", &about, data, NULL);
    json_decref(data);
}

/* ---- checking a body ---- */

/* Who checks what, and where the complaint goes. */
struct checking {
    const struct channel_ops *ops;
    const json_t *body;
    const char **field;
    struct buf *why;
};

static enum err refuse(const struct checking *c, const char *field, const char *reason)
{
    *c->field = field;
    buf_addf(c->why, "%s %s", field, reason);
    return ERR_INVALID;
}

static bool listed(const char *const *names, const char *name)
{
    for (; *names != NULL; names++) {
        if (strcmp(*names, name) == 0) {
            return true;
        }
    }
    return false;
}

/* True for text without control characters. */
static bool printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

/* One field of the body, if it is there. required: it must not be unset. */
static enum err field_check(const struct checking *c, const char *name, bool required)
{
    const json_t *value = json_object_get(c->body, name);

    if (value == NULL || (json_is_null(value) && !required)) {
        return ERR_OK;
    }
    const char *text = json_string_value(value);
    if (text == NULL) {
        return refuse(c, name, "must be text");
    }
    size_t len = json_string_length(value);
    if (len == 0 || len != strlen(text)) {
        return refuse(c, name, "must not be empty");
    }
    if (len > VALUE_MAX || !printable(text)) {
        return refuse(c, name, "must be at most 4096 bytes without control characters");
    }
    if (c->ops->field_ok != NULL && !c->ops->field_ok(name, text, c->why)) {
        *c->field = name;
        return ERR_INVALID;
    }
    return ERR_OK;
}

/* The quiet time, if the body has it: null is the option's. */
static enum err quiet_check(const struct checking *c)
{
    const json_t *value = json_object_get(c->body, "quiet_time_ms");
    bool good = value == NULL || json_is_null(value) ||
                (json_is_integer(value) && json_integer_value(value) >= 0 &&
                 json_integer_value(value) <= QUIET_MAX_MS);

    return good ? ERR_OK : refuse(c, "quiet_time_ms", "must be null or a whole number from 0 to 6000");
}

/* All fields of the body. creating: the required ones must be there. */
static enum err body_check(const struct checking *c, bool creating)
{
    enum err rc = field_check(c, "name", false);

    rc = rc == ERR_OK ? quiet_check(c) : rc;
    for (const char *const *name = c->ops->required; rc == ERR_OK && *name != NULL; name++) {
        if (creating && json_object_get(c->body, *name) == NULL) {
            return refuse(c, *name, "is required");
        }
        rc = field_check(c, *name, true);
    }
    for (const char *const *name = c->ops->optional; rc == ERR_OK && *name != NULL; name++) {
        rc = field_check(c, *name, false);
    }
    return rc;
}

/* ---- taking a body over ---- */

/* The sealed form of a secret. */
static enum err sealed_of(const char *part, const json_t *channel, const char *secret, json_t **out)
{
    char *context = seal_context(part, channel);
    enum err rc = seal_record(context, secret, out);

    free(context);
    return rc;
}

/* The channel's object of sealed fields, made if it is missing. */
static json_t *sealed_fields(json_t *channel)
{
    if (jx_obj(channel, "sealed") == NULL) {
        jx_set(channel, "sealed", json_object());
    }
    return jx_obj(channel, "sealed");
}

/* Sets or unsets one sealed field; a replaced X becomes X_previous where the platform has such a field. */
static enum err sealed_take(const struct checking *c, const char *part, json_t *channel, const char *name)
{
    const json_t *value = json_object_get(c->body, name);
    json_t *fields = sealed_fields(channel);
    json_t *sealed = NULL;

    if (json_is_null(value)) {
        json_object_del(fields, name);
        return ERR_OK;
    }
    enum err rc = sealed_of(part, channel, json_string_value(value), &sealed);
    if (rc != ERR_OK) {
        return rc;
    }
    char *previous = xasprintf("%s_previous", name);
    if (listed(c->ops->sealed, previous) && json_object_get(c->body, previous) == NULL &&
        jx_obj(fields, name) != NULL) {
        jx_set(fields, previous, json_incref(jx_obj(fields, name)));
    }
    free(previous);
    jx_set(fields, name, sealed);
    return ERR_OK;
}

/* Takes one field over, if the body has it. */
static enum err field_take(const struct checking *c, const char *part, json_t *channel, const char *name)
{
    json_t *value = json_object_get(c->body, name);

    if (value == NULL) {
        return ERR_OK;
    }
    if (listed(c->ops->sealed, name)) {
        return sealed_take(c, part, channel, name);
    }
    if (json_is_null(value)) {
        json_object_del(channel, name);
    } else {
        jx_set(channel, name, json_incref(value));
    }
    return ERR_OK;
}

static enum err body_take(const struct checking *c, const char *part, json_t *channel)
{
    const char *const *lists[] = {c->ops->required, c->ops->optional};
    enum err rc = field_take(c, part, channel, "name");

    rc = rc == ERR_OK ? field_take(c, part, channel, "quiet_time_ms") : rc;
    for (size_t i = 0; i < 2; i++) {
        for (const char *const *name = lists[i]; rc == ERR_OK && *name != NULL; name++) {
            rc = field_take(c, part, channel, *name);
        }
    }
    return rc;
}

/* The record of a new channel before its platform's fields. */
static json_t *channel_blank(const char *type, const char *agent_id)
{
    json_t *channel = json_object();
    int64_t now = clock_wall_ms();

    jx_set_str(channel, "id", id_new("chn").text);
    jx_set_str(channel, "agent_id", agent_id);
    jx_set_str(channel, "type", type);
    jx_set_str(channel, "status", "active");
    jx_set_time(channel, "created_at", now);
    jx_set_time(channel, "updated_at", now);
    return channel;
}

/* The record and the way from its id to its partition. */
static void channel_add(struct changes *cs, const char *part, const json_t *channel)
{
    const char *id = jx_str(channel, "id");

    changes_expect(cs, KIND_CHANNEL, part, id, 0);
    changes_put(cs, KIND_CHANNEL, part, id, channel);
    address_put(cs, part, id);
}

enum err channel_create(struct changes *cs, const char *part, const char *agent_id, const json_t *body,
                        json_t **channel, const char **field, struct buf *why)
{
    const char *type = jx_str(body, "type");
    struct checking c = {.body = body, .field = field, .why = why};

    if (type == NULL) {
        return refuse(&c, "type", "is required");
    }
    c.ops = channel_ops(type);
    if (c.ops == NULL) {
        return refuse(&c, "type", "is none of the channel types");
    }
    enum err rc = body_check(&c, true);
    if (rc != ERR_OK) {
        return rc;
    }
    *channel = channel_blank(type, agent_id);
    rc = body_take(&c, part, *channel);
    if (rc != ERR_OK) {
        json_decref(*channel);
        *channel = NULL;
        return rc;
    }
    channel_add(cs, part, *channel);
    return ERR_OK;
}

/* What an update may change on every channel. */
static enum err common_check(const struct checking *c)
{
    const json_t *status = json_object_get(c->body, "status");
    const json_t *agent = json_object_get(c->body, "agent_id");
    const char *word = json_string_value(status);
    const char *type = jx_str(c->body, "type");

    if (status != NULL && (word == NULL || (strcmp(word, "active") != 0 && strcmp(word, "paused") != 0))) {
        return refuse(c, "status", "must be active or paused");
    }
    if (agent != NULL && !json_is_null(agent) && !json_is_string(agent)) {
        return refuse(c, "agent_id", "must be an agent's id or null");
    }
    if (type != NULL && strcmp(type, c->ops->type) != 0) {
        return refuse(c, "type", "cannot be changed");
    }
    return ERR_OK;
}

/* Status and agent; new credentials wake a channel that we paused for the old ones. */
static void common_take(const struct checking *c, json_t *channel)
{
    json_t *agent = json_object_get(c->body, "agent_id");
    const char *status = jx_str(c->body, "status");
    bool credentials = false;

    for (const char *const *name = c->ops->required; *name != NULL; name++) {
        credentials = credentials || json_object_get(c->body, *name) != NULL;
    }
    if (status == NULL && credentials && jx_obj(channel, "reason") != NULL) {
        status = "active";
    }
    if (agent != NULL) {
        jx_set(channel, "agent_id", json_incref(agent));
    }
    if (status != NULL) {
        jx_set_str(channel, "status", status);
        json_object_del(channel, "reason");
        pace_release(jx_str_or(channel, "id", "")); /* somebody says that it may go on */
    }
}

enum err channel_update(struct changes *cs, const char *part, json_t *channel, uint64_t rev,
                        const json_t *body, const char **field, struct buf *why)
{
    const char *id = jx_str(channel, "id");
    struct checking c = {
        .ops = channel_ops(jx_str_or(channel, "type", "")), .body = body, .field = field, .why = why};

    CHECK(id != NULL);
    if (c.ops == NULL) {
        return ERR_CORRUPT;
    }
    enum err rc = common_check(&c);
    if (rc == ERR_OK) {
        rc = body_check(&c, false);
    }
    if (rc == ERR_OK) {
        rc = body_take(&c, part, channel);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    common_take(&c, channel);
    jx_set_time(channel, "updated_at", clock_wall_ms());
    changes_expect(cs, KIND_CHANNEL, part, id, rev);
    changes_put(cs, KIND_CHANNEL, part, id, channel);
    return ERR_OK;
}

void channel_delete(struct changes *cs, const char *part, const char *id, uint64_t rev)
{
    changes_expect(cs, KIND_CHANNEL, part, id, rev);
    changes_delete(cs, KIND_CHANNEL, part, id);
    changes_delete(cs, KIND_ADDRESS, PARTITION_GLOBAL, id);
}

/* ---- jobs ---- */

void channels_register(struct workers *workers)
{
    workers_handle(workers, QUEUE_INTAKE, intake_run, NULL);
    workers_handle(workers, QUEUE_SEND, outbox_run, NULL);
    workers_handle(workers, QUEUE_SANDBOX, sandbox_run, NULL);
    workers_handle(workers, QUEUE_RECEIPT, receipt_run, NULL);
    workers_handle(workers, QUEUE_PROBE, probe_run, NULL);
    workers_handle(workers, QUEUE_MEDIA, media_run, NULL);
    workers_handle(workers, QUEUE_TEMPLATE, template_run, NULL);
}
