/* schema.c: what check.c checks, as a JSON Schema that is published. */
#include <string.h>

#include "agent/flow/fields.h"
#include "agent/tool/api_call_int.h"

#define ID_PATTERN   "^[A-Za-z0-9_-]{1,64}$"
#define NAME_PATTERN "^[A-Za-z_][A-Za-z0-9_]{0,63}$"

const struct flow_trigger_row flow_trigger_rows[] = {
    {"keyword", "keywords", true, "one of the words stands in the message"},
    {"intent", "examples", true, "the message is like one of the example utterances"},
    {"event", "event", false, "something happened to a conversation of the agent"},
    {"first_contact", NULL, false, "the first message of a contact to this agent"},
    {"button", "buttons", true, "a button or list row with one of these ids was pressed"},
    {"schedule", "cron", false,
     "at set times, in each open conversation that has the tag and whose contact has not opted out"},
};
const size_t flow_trigger_count = sizeof flow_trigger_rows / sizeof *flow_trigger_rows;

const char *const flow_events[] = {"conversation.started",  "lead.created",
                                   "lead.qualified",        "appointment.booked",
                                   "appointment.cancelled", "appointment.reminder",
                                   "handoff.resolved",      "feedback.received",
                                   "window.closing",        NULL};

const struct flow_trigger_row *flow_trigger_row(const char *name)
{
    for (size_t i = 0; i < flow_trigger_count; i++) {
        if (strcmp(flow_trigger_rows[i].name, name) == 0) {
            return &flow_trigger_rows[i];
        }
    }
    return NULL;
}

bool flow_event_ok(const char *event)
{
    for (size_t i = 0; flow_events[i] != NULL; i++) {
        if (strcmp(flow_events[i], event) == 0) {
            return true;
        }
    }
    return false;
}

bool flow_name_ok(const char *name)
{
    return api_call_save_name(name);
}

static json_t *typed(const char *type)
{
    json_t *schema = json_object();

    jx_set_str(schema, "type", type);
    return schema;
}

static json_t *text_schema(size_t max)
{
    json_t *schema = typed("string");

    jx_set_int(schema, "minLength", 1);
    if (max > 0) {
        jx_set_int(schema, "maxLength", (int64_t)max);
    }
    return schema;
}

static json_t *pattern_schema(const char *pattern)
{
    json_t *schema = typed("string");

    jx_set_str(schema, "pattern", pattern);
    return schema;
}

static json_t *list_schema(json_t *items, size_t min, size_t max)
{
    json_t *schema = typed("array");

    jx_set(schema, "items", items);
    jx_set_int(schema, "minItems", (int64_t)min);
    jx_set_int(schema, "maxItems", (int64_t)max);
    return schema;
}

static json_t *reference(const char *name)
{
    json_t *schema = json_object();

    jx_set_str(schema, "$ref", name);
    return schema;
}

/* An object of these properties and no others; steals properties. required: names, NULL ends. */
static json_t *closed(json_t *properties, const char *const *required)
{
    json_t *schema = typed("object"), *names = json_array();

    for (; *required != NULL; required++) {
        jx_push(names, json_string(*required));
    }
    jx_set(schema, "properties", properties);
    jx_set(schema, "required", names);
    jx_set_bool(schema, "additionalProperties", false);
    return schema;
}

static json_t *option_schema(bool is_button)
{
    static const char *const required[] = {"title", NULL};
    json_t *properties = json_object();

    jx_set(properties, "id", pattern_schema(ID_PATTERN));
    jx_set(properties, "title", text_schema(is_button ? 20 : 24));
    if (!is_button) {
        jx_set(properties, "description", text_schema(72));
    }
    jx_set(properties, "next", pattern_schema(ID_PATTERN));
    return closed(properties, required);
}

static json_t *case_schema(void)
{
    static const char *const required[] = {"if", "next", NULL};
    json_t *properties = json_object();

    jx_set(properties, "if", reference("#/$defs/condition"));
    jx_set(properties, "next", pattern_schema(ID_PATTERN));
    return closed(properties, required);
}

static json_t *int_schema(size_t max)
{
    json_t *schema = typed("integer");

    jx_set_int(schema, "minimum", 0);
    jx_set_int(schema, "maximum", (int64_t)max);
    return schema;
}

/* The schema of one field of a step. */
static json_t *field_schema(const struct flow_field *row)
{
    switch (row->type) {
    case FLD_TEXT:
    case FLD_LINE:
        return text_schema(row->max);
    case FLD_ID:
    case FLD_STEP:
        return pattern_schema(ID_PATTERN);
    case FLD_NAME:
        return pattern_schema(NAME_PATTERN);
    case FLD_INT:
        return int_schema(row->max);
    case FLD_OBJECT:
    case FLD_VALUES:
        return typed("object");
    case FLD_TAGS:
        return list_schema(text_schema(100), 1, row->max);
    case FLD_RULE:
        return reference("#/$defs/validation");
    case FLD_CASES:
        return list_schema(case_schema(), 1, row->max);
    case FLD_OPTIONS:
        return list_schema(option_schema(row->max == 3), 1, row->max);
    default:
        return json_object();
    }
}

/* One type of step. */
static json_t *step_schema(enum flow_step_type type)
{
    static const char *const none[] = {NULL};
    json_t *properties = json_object(), *schema, *required = json_array(), *kind = json_object();

    jx_set_str(kind, "const", flow_step_name(type));
    jx_set(properties, "type", kind);
    jx_push(required, json_string("type"));
    for (size_t i = 0; i < flow_field_count; i++) {
        const struct flow_field *row = &flow_fields[i];
        if (row->step != type && row->step != FLOW_EVERY) {
            continue;
        }
        json_t *field = field_schema(row);
        jx_set_str(field, "description", row->text);
        jx_set(properties, row->name, field);
        if ((row->flags & FLOW_REQUIRED) != 0) {
            jx_push(required, json_string(row->name));
        }
    }
    schema = closed(properties, none);
    jx_set(schema, "required", required);
    return schema;
}

static json_t *trigger_schema(const struct flow_trigger_row *row)
{
    static const char *const plain[] = {"type", NULL};
    const char *const needs[] = {"type", row->needs, NULL};
    json_t *properties = json_object(), *kind = json_object();

    jx_set_str(kind, "const", row->name);
    jx_set(properties, "type", kind);
    if (strcmp(row->name, "event") == 0) {
        json_t *events = json_array(), *field = typed("string");
        for (size_t i = 0; flow_events[i] != NULL; i++) {
            jx_push(events, json_string(flow_events[i]));
        }
        jx_set(field, "enum", events);
        jx_set(properties, row->needs, field);
    } else if (row->needs != NULL) {
        jx_set(properties, row->needs, row->list ? list_schema(text_schema(300), 0, 50) : text_schema(200));
    }
    if (strcmp(row->name, "schedule") == 0) {
        jx_set(properties, "time_zone", text_schema(100));
        jx_set(properties, "tag", text_schema(100));
    }
    json_t *schema = closed(properties, row->needs != NULL ? needs : plain);
    jx_set_str(schema, "description", row->text);
    return schema;
}

/* Shapes that are used in several places. */
static json_t *definitions(void)
{
    json_t *defs = json_object();
    static const char condition[] = "{\"type\":\"object\",\"properties\":{\"var\":{\"type\":\"string\"},"
                                    "\"op\":{\"enum\":[\"eq\",\"ne\",\"lt\",\"le\","
                                    "\"gt\",\"ge\",\"contains\",\"in\",\"starts\",\"ends\",\"exists\","
                                    "\"empty\",\"matches\"]},\"value\":{},"
                                    "\"all\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/"
                                    "condition\"}},\"any\":{\"type\":\"array\",\"items\":"
                                    "{\"$ref\":\"#/$defs/condition\"}},\"not\":{\"$ref\":\"#/$defs/"
                                    "condition\"}},\"additionalProperties\":false}";
    static const char validation[] = "{\"type\":\"object\",\"properties\":{\"type\":{\"enum\":[\"text\","
                                     "\"email\",\"phone\",\"number\",\"choice\",\"date\","
                                     "\"regex\",\"media\"]},\"choices\":{\"type\":\"array\",\"items\":{"
                                     "\"type\":\"string\"},\"maxItems\":50},\"pattern\":"
                                     "{\"type\":\"string\",\"maxLength\":200},\"min\":{\"type\":\"number\"},"
                                     "\"max\":{\"type\":\"number\"}},"
                                     "\"required\":[\"type\"],\"additionalProperties\":false}";

    jx_set(defs, "condition", json_loads(condition, 0, NULL));
    jx_set(defs, "validation", json_loads(validation, 0, NULL));
    return defs;
}

json_t *flow_schema(void)
{
    static const char *const required[] = {"name", NULL};
    json_t *properties = json_object(), *steps = json_array(), *triggers = json_array();
    json_t *any_step = json_object(), *any_trigger = json_object();

    for (unsigned i = 1; i < FLOW_TYPES; i++) {
        jx_push(steps, step_schema((enum flow_step_type)i));
    }
    for (size_t i = 0; i < flow_trigger_count; i++) {
        jx_push(triggers, trigger_schema(&flow_trigger_rows[i]));
    }
    jx_set(any_step, "oneOf", steps);
    jx_set(any_trigger, "oneOf", triggers);
    jx_set(properties, "name", text_schema(200));
    jx_set(properties, "enabled", typed("boolean"));
    jx_set(properties, "trigger", any_trigger);
    jx_set(properties, "steps", list_schema(any_step, 0, 200));
    jx_set(properties, "timeout_minutes", int_schema(43200));
    jx_set(properties, "exit_words", list_schema(text_schema(300), 0, 50));
    jx_set(properties, "exit_text", text_schema(1024));
    json_t *schema = closed(properties, required);
    jx_set_str(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    jx_set_str(schema, "title", "Flow");
    jx_set(schema, "$defs", definitions());
    return schema;
}
