/* integration.c: the record of an integration: its fields by the table, its secrets sealed. */
#include "bridge/integrations/integration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/option.h"
#include "queue/base/seal_record.h"
#include "queue/events.h"

#define TEXT_MAX       4096
#define NAME_MAX_BYTES 200

enum config_kind { CONFIG_TEXT, CONFIG_URL, CONFIG_SECRET, CONFIG_SECRET_URL, CONFIG_HEADERS, CONFIG_ANY };

static const struct config_row {
    const char *type, *field;
    enum config_kind kind;
} rows[] = {
#define X(type, field, kind) {type, field, kind},
#include "bridge/integrations/tbl_integrations.h"
#undef X
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* One body under way. */
struct taking {
    json_t *integration;
    const char *part, **field;
    struct buf *why;
};

bool integration_type_known(const char *type)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].type, type) == 0) {
            return true;
        }
    }
    return false;
}

static const struct config_row *row_of(const char *type, const char *field)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].type, type) == 0 && strcmp(rows[i].field, field) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

static enum err refuse(const struct taking *t, const char *field, const char *why)
{
    static _Thread_local char named[120];
    snprintf(named, sizeof(named), "%s", field);
    *t->field = named;
    buf_adds(t->why, why);
    return ERR_INVALID;
}

static enum err refuse_config(const struct taking *t, const char *field, const char *why)
{
    char path[120];
    snprintf(path, sizeof(path), "config/%s", field);
    return refuse(t, path, why);
}

/* "PARTITION/INTEGRATION_ID": what a sealed value is bound to. */
static char *context_of(const char *part, const json_t *integration)
{
    return xasprintf("%s/%s", part, jx_str_or(integration, "id", ""));
}

/* True if the text is an address that a call may go to. */
static bool url_fits(const char *url)
{
    bool plain = option_bool(OPT_ALLOW_PRIVATE) || option_text(OPT_ALLOW_CIDRS)[0] != '\0';
    bool scheme = strncmp(url, "https://", 8) == 0 || (plain && strncmp(url, "http://", 7) == 0);
    return scheme && strpbrk(url, "{} \t\r\n\"<>\\#") == NULL;
}

/* Seals a secret into the record. */
static enum err seal_field(const struct taking *t, const char *field, const char *secret)
{
    char *context = context_of(t->part, t->integration);
    json_t *sealed = NULL;
    enum err rc = seal_record(context, secret, &sealed);
    if (rc == ERR_OK) {
        jx_set(jx_obj(t->integration, "sealed"), field, sealed);
    }
    free(context);
    return rc;
}

/* A text of the config by its kind. */
static enum err take_text(const struct taking *t, const struct config_row *row, const json_t *value)
{
    const char *text = json_string_value(value);
    bool url = row->kind == CONFIG_URL || row->kind == CONFIG_SECRET_URL;
    if (text == NULL || text[0] == '\0' || strlen(text) > TEXT_MAX) {
        return refuse_config(t, row->field, "must be text of 1 to 4096 bytes");
    }
    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            return refuse_config(t, row->field, "must not hold control characters");
        }
    }
    if (url && !url_fits(text)) {
        return refuse_config(t, row->field, "must be an https address");
    }
    if (row->kind == CONFIG_SECRET || row->kind == CONFIG_SECRET_URL) {
        return seal_field(t, row->field, text);
    }
    jx_set(jx_obj(t->integration, "config"), row->field, json_incref((json_t *)value));
    return ERR_OK;
}

/* One field of the config. */
static enum err take_field(const struct taking *t, const char *name, json_t *value)
{
    const struct config_row *row = row_of(jx_str_or(t->integration, "type", ""), name);
    if (row == NULL) {
        return refuse_config(t, name, "is not a field of this type");
    }
    if (json_is_null(value)) {
        json_object_del(jx_obj(t->integration, "config"), name);
        json_object_del(jx_obj(t->integration, "sealed"), name);
        return ERR_OK;
    }
    if (row->kind == CONFIG_ANY) {
        jx_set(jx_obj(t->integration, "config"), name, json_incref(value));
        return ERR_OK;
    }
    if (row->kind != CONFIG_HEADERS) {
        return take_text(t, row, value);
    }
    if (!json_is_object(value)) {
        return refuse_config(t, name, "must be an object of texts");
    }
    char *text = jx_text(value);
    enum err rc =
        strlen(text) <= TEXT_MAX ? seal_field(t, name, text) : refuse_config(t, name, "is too large");
    free(text);
    return rc;
}

/* What each type cannot do without. */
static enum err check_whole(const struct taking *t)
{
    const json_t *i = t->integration;
    const char *type = jx_str_or(i, "type", "");
    bool token = integration_has(i, "token");
    if (strcmp(type, "slack") == 0 && !integration_has(i, "webhook_url") &&
        !((token || integration_has(i, "bot_token")) && integration_has(i, "channel"))) {
        return refuse_config(t, "webhook_url", "is required, or bot_token and channel");
    }
    if (strcmp(type, "zoom") == 0 && !token &&
        !(integration_has(i, "account_id") && integration_has(i, "client_id") &&
          integration_has(i, "client_secret"))) {
        return refuse_config(t, "account_id", "is required with client_id and client_secret");
    }
    if (strcmp(type, "http") == 0 && !integration_has(i, "url") && !integration_has(i, "webhook_url")) {
        return refuse_config(t, "url", "is required");
    }
    return ERR_OK;
}

/* The list of events. */
static enum err take_events(const struct taking *t, const json_t *events)
{
    size_t i;
    json_t *item;
    if (!json_is_array(events)) {
        return refuse(t, "events", "must be a list of event types");
    }
    json_array_foreach (events, i, item) {
        if (!json_is_string(item) || !event_subscription_valid(json_string_value(item))) {
            return refuse(t, "events", "holds a name that is no event type");
        }
    }
    jx_set(t->integration, "events", json_incref((json_t *)events));
    return ERR_OK;
}

/* Gives the record what every record has. */
static void complete(json_t *integration)
{
    static const char *const objects[] = {"config", "sealed"};
    for (size_t i = 0; i < 2; i++) {
        json_t *old = jx_obj(integration, objects[i]);
        jx_set(integration, objects[i], old != NULL ? json_deep_copy(old) : json_object());
    }
    if (jx_arr(integration, "events") == NULL) {
        jx_set(integration, "events", json_array());
    }
    if (json_object_get(integration, "enabled") == NULL) {
        jx_set_bool(integration, "enabled", true);
    }
}

enum err integration_take(json_t *integration, const char *part, const json_t *body, const char **field,
                          struct buf *why)
{
    struct taking t = {integration, part, field, why};
    const char *key;
    json_t *value;
    enum err rc = ERR_OK;
    complete(integration);
    if (json_object_get(body, "name") != NULL) {
        jx_set(integration, "name", json_incref(json_object_get(body, "name")));
    }
    if (json_is_boolean(json_object_get(body, "enabled"))) {
        jx_set(integration, "enabled", json_incref(json_object_get(body, "enabled")));
    }
    if (json_object_get(body, "events") != NULL) {
        rc = take_events(&t, json_object_get(body, "events"));
    }
    json_object_foreach (jx_obj(body, "config"), key, value) {
        rc = rc == ERR_OK ? take_field(&t, key, value) : rc;
    }
    jx_set_time(integration, "updated_at", clock_wall_ms());
    return rc == ERR_OK ? check_whole(&t) : rc;
}

enum err integration_secret(const json_t *integration, const char *part, const char *field, struct buf *out)
{
    const char *value = jx_str(jx_obj(jx_obj(integration, "sealed"), field), "value");
    if (value == NULL) {
        return ERR_NOTFOUND;
    }
    char *context = context_of(part, integration);
    enum err rc = unseal(context, value, out);
    free(context);
    return rc;
}

const char *integration_text(const json_t *integration, const char *field, const char *fallback)
{
    return jx_str_or(jx_obj(integration, "config"), field, fallback);
}

bool integration_has(const json_t *integration, const char *field)
{
    return json_object_get(jx_obj(integration, "config"), field) != NULL ||
           json_object_get(jx_obj(integration, "sealed"), field) != NULL;
}

json_t *integration_public(const json_t *integration)
{
    const char *field;
    json_t *row, *out = json_copy((json_t *)integration), *secrets = json_object();
    json_object_foreach (jx_obj(integration, "sealed"), field, row) {
        jx_set(secrets, field, seal_record_public(row));
    }
    json_object_del(out, "sealed");
    jx_set(out, "credentials", secrets);
    jx_set_str(out, "status", jx_bool(integration, "enabled", true) ? "active" : "disabled");
    return out;
}

bool integration_wants(const json_t *integration, const char *type)
{
    static const char *const inbox[] = {"handoff.triggered", "message.received", "handoff.resolved"};
    const char *kind = jx_str_or(integration, "type", "");
    const json_t *events = jx_arr(integration, "events");
    if (!jx_bool(integration, "enabled", true)) {
        return false;
    }
    if (strcmp(kind, "zoom") == 0) {
        return strcmp(type, "appointment.booked") == 0 || strcmp(type, "appointment.cancelled") == 0;
    }
    for (size_t i = 0; slack_is_inbox(integration) && i < sizeof(inbox) / sizeof(inbox[0]); i++) {
        if (strcmp(inbox[i], type) == 0) {
            return true;
        }
    }
    if (json_array_size(events) == 0) {
        return strcmp(type, "handoff.triggered") == 0 ||
               (strcmp(kind, "slack") != 0 && strcmp(type, "lead.created") == 0);
    }
    return event_subscribed(events, type);
}
