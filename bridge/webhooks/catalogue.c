/* catalogue.c: schemas and examples of events, drawn from the same rows. */
#include "bridge/webhooks/catalogue.h"

#include <string.h>

#include "queue/base/error.h"
#include "queue/events.h"

static const struct field {
    const char *object, *name, *types;
    bool required;
    const char *example;
} fields[] = {
#define FIELD(object, name, types, required, example) {object, name, types, required, example},
#include "bridge/webhooks/tbl_event_data.h"
#undef FIELD
};
static const struct member {
    const char *event, *name, *object;
    bool required;
} members[] = {
#define DATA(event, name, object, required) {event, name, object, required},
#include "bridge/webhooks/tbl_event_data.h"
#undef DATA
};
/* What stands around data. */
static const struct field frame[] = {
    {"", "sequence", "integer", true, "7"},
    {"", "id", "string", true, "\"evt_01K5A7Q2V4N8M6T3R9Y1W0XZEV\""},
    {"", "type", "string", true, NULL},
    {"", "created_at", "string", true, "\"2026-05-10T14:22:01Z\""},
    {"", "timestamp", "string", true, "\"2026-05-10T14:22:01Z\""},
    {"", "api_version", "string", true, "\"" EVENT_API_VERSION "\""},
    {"", "livemode", "boolean", true, "true"},
    {"", "agent_id", "string|null", true, "\"agt_01K5A7Q2V4N8M6T3R9Y1W0XZAA\""},
    {"", "conversation_id", "string", false, "\"cnv_01K5A7Q2V4N8M6T3R9Y1W0XZBC\""},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    CHECK(value != NULL);
    return value;
}

/* {"type": "string"} or {"type": ["string", "null"]}. */
static json_t *types_schema(const char *types)
{
    json_t *out = json_object(), *list = json_array();
    while (*types != '\0') {
        size_t len = strcspn(types, "|");
        jx_push(list, json_stringn(types, len));
        types += len + (types[len] == '|');
    }
    jx_set(out, "type",
           json_array_size(list) == 1 ? json_incref(json_array_get(list, 0)) : json_incref(list));
    json_decref(list);
    return out;
}

/* An object's schema without properties; they and the names of the required ones are borrowed out. */
static json_t *object_schema(json_t **properties, json_t **required)
{
    json_t *out = json_object();
    *properties = json_object();
    *required = json_array();
    jx_set_str(out, "type", "object");
    jx_set(out, "required", *required);
    jx_set(out, "properties", *properties);
    return out;
}

/* One field of an object. */
static void add_field(json_t *properties, json_t *required, const struct field *field)
{
    jx_set(properties, field->name, types_schema(field->types));
    if (field->required) {
        jx_push(required, json_string(field->name));
    }
}

static json_t *named_schema(const char *object)
{
    json_t *properties, *required, *out = object_schema(&properties, &required);
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (strcmp(fields[i].object, object) == 0) {
            add_field(properties, required, &fields[i]);
        }
    }
    return out;
}

static json_t *named_example(const char *object)
{
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT(fields); i++) {
        if (strcmp(fields[i].object, object) == 0) {
            jx_set(out, fields[i].name, parse(fields[i].example));
        }
    }
    return out;
}

/* True if a row of members speaks of the type. */
static bool is_about(const struct member *member, const char *type)
{
    size_t len = strlen(member->event);
    bool family = len > 2 && strcmp(member->event + len - 2, ".*") == 0;
    return family ? strncmp(member->event, type, len - 1) == 0 : strcmp(member->event, type) == 0;
}

/* The schema of data. */
static json_t *data_schema(const char *type)
{
    json_t *properties, *required, *out = object_schema(&properties, &required);
    for (size_t i = 0; i < COUNT(members); i++) {
        if (!is_about(&members[i], type)) {
            continue;
        }
        bool text = members[i].object[0] == '\0';
        jx_set(properties, members[i].name,
               text ? types_schema("string|null") : named_schema(members[i].object));
        if (members[i].required) {
            jx_push(required, json_string(members[i].name));
        }
    }
    return out;
}

static json_t *data_example(const char *type)
{
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT(members); i++) {
        if (is_about(&members[i], type)) {
            bool text = members[i].object[0] == '\0';
            jx_set(out, members[i].name, text ? json_string("...") : named_example(members[i].object));
        }
    }
    return out;
}

json_t *catalogue_schema(const char *type)
{
    json_t *properties, *required, *names = json_array(), *out = object_schema(&properties, &required);
    jx_set_str(out, "$schema", "https://json-schema.org/draft/2020-12/schema");
    jx_set_str(out, "title", type);
    for (size_t i = 0; i < COUNT(frame); i++) {
        add_field(properties, required, &frame[i]);
    }
    jx_push(names, json_string(type));
    for (unsigned i = 0; i < event_row_count; i++) {
        if (strcmp(event_rows[i].type, type) == 0 && event_rows[i].alias[0] != '\0') {
            jx_push(names, json_string(event_rows[i].alias));
        }
    }
    json_t *name = json_object();
    jx_set(name, "enum", names);
    jx_set(properties, "type", name);
    jx_set(properties, "data", data_schema(type));
    jx_push(required, json_string("data"));
    return out;
}

json_t *catalogue_example(const char *type)
{
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT(frame); i++) {
        jx_set(out, frame[i].name, frame[i].example != NULL ? parse(frame[i].example) : json_string(type));
    }
    jx_set(out, "data", data_example(type));
    return out;
}
