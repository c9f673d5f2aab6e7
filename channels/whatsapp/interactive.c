/* interactive.c: interactive messages, templates and contact cards looked through before Meta is asked.
 *
 * A message that breaks a limit of the platform would be refused after the call, often in words that do not
 * say which field it was. Plain fields are rows of tbl_interactive.h; what stands in lists is looked at here,
 * and the pointer then names the very element. A type that no row has is let through: the platform learns
 * new ones faster than we do, and answers for them itself. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "channels/text.h"
#include "channels/whatsapp/whatsapp.h"

#define BUTTONS_MAX   3
#define SECTIONS_MAX  10
#define ROWS_MAX      10 /* of all sections together */
#define PRODUCTS_MAX  30
#define CARDS_LEAST   2
#define CARDS_MAX     10
#define CONTACTS_MAX  257
#define PARAMETER_MAX 20 /* characters of a named parameter */

/* Where the complaint goes: a pointer and a sentence, both good until the thread's next check. */
static _Thread_local char where_text[160];
static _Thread_local char why_text[160];

/* Sets *field to the formatted pointer; returns why. */
static const char *__attribute__((format(printf, 3, 4)))
complain(const char **field, const char *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(where_text, sizeof where_text, format, args);
    va_end(args);
    *field = where_text;
    return why;
}

/* The rule about a text's length. */
static const char *too_long(size_t max)
{
    snprintf(why_text, sizeof why_text, "must be at most %zu characters", max);
    return why_text;
}

/* One text of an object: NULL if it is fine. */
static const char *text_fault(const json_t *obj, const char *key, bool required, size_t max)
{
    const json_t *value = json_object_get(obj, key);
    const char *text = json_string_value(value);

    if (value == NULL && !required) {
        return NULL;
    }
    if (text == NULL || text[0] == '\0') {
        return value == NULL || text != NULL ? "is required" : "must be text";
    }
    return max > 0 && text_units(text) > max ? too_long(max) : NULL;
}

/* ---- plain fields ---- */

static const struct field_rule {
    const char *type, *pointer;
    bool required;
    size_t max;
    const char *only;
} field_rules[] = {
#define X(type, pointer, required, max, only) {type, pointer, required, max, only},
#include "channels/whatsapp/tbl_interactive.h"
#undef X
};

/* One rule against the object: NULL if it is kept. */
static const char *rule_fault(const struct field_rule *rule, const json_t *content)
{
    char parent[96];
    const char *key = strrchr(rule->pointer, '/');

    snprintf(parent, sizeof parent, "%.*s", (int)(key - rule->pointer), rule->pointer);
    const json_t *obj = jx_at(content, parent);
    if (!json_is_object(obj)) {
        return rule->required ? "is required" : NULL;
    }
    const char *fault = text_fault(obj, key + 1, rule->required, rule->max);
    const char *text = jx_str(obj, key + 1);
    if (fault == NULL && text != NULL && rule->only[0] != '\0' && strcmp(text, rule->only) != 0) {
        snprintf(why_text, sizeof why_text, "must be \"%s\"", rule->only);
        fault = why_text;
    }
    return fault;
}

/* The header of the types that take media in it. */
static const char *header_fault(const json_t *content, const char **field)
{
    static const char *const media[] = {"image", "video", "document"};
    const json_t *header = json_object_get(content, "header");
    const char *type = jx_str_or(header, "type", "");
    bool known = strcmp(type, "text") == 0;

    if (header == NULL) {
        return NULL;
    }
    if (known && text_fault(header, "text", true, 0) != NULL) {
        return complain(field, "is required", "/header/text");
    }
    for (size_t i = 0; i < sizeof media / sizeof *media; i++) {
        if (strcmp(type, media[i]) == 0) {
            known = true;
            if (jx_obj(header, type) == NULL) {
                return complain(field, "is required", "/header/%s", type);
            }
        }
    }
    return known ? NULL : complain(field, "must be text, image, video or document", "/header/type");
}

/* ---- lists ---- */

/* True if an earlier element of the list has the same text at key (under "reply" if it is not NULL). */
static bool stands_before(const json_t *list, size_t index, const char *inside, const char *key)
{
    const json_t *own = json_array_get(list, index);
    const char *text = jx_str_or(inside != NULL ? jx_obj(own, inside) : own, key, "");

    for (size_t i = 0; i < index; i++) {
        const json_t *each = json_array_get(list, i);
        if (strcmp(jx_str_or(inside != NULL ? jx_obj(each, inside) : each, key, ""), text) == 0) {
            return true;
        }
    }
    return false;
}

static const char *buttons_fault(const json_t *content, const char **field)
{
    const json_t *buttons = jx_arr(jx_obj(content, "action"), "buttons");
    size_t i;
    json_t *each;

    if (json_array_size(buttons) < 1 || json_array_size(buttons) > BUTTONS_MAX) {
        return complain(field, "must be a list of 1 to 3 buttons", "/action/buttons");
    }
    json_array_foreach (buttons, i, each) {
        const json_t *reply = jx_obj(each, "reply");
        if (strcmp(jx_str_or(each, "type", ""), "reply") != 0) {
            return complain(field, "must be \"reply\"", "/action/buttons/%zu/type", i);
        }
        const char *fault = text_fault(reply, "id", true, 256);
        if (fault != NULL) {
            return complain(field, fault, "/action/buttons/%zu/reply/id", i);
        }
        fault = text_fault(reply, "title", true, 20);
        if (fault != NULL) {
            return complain(field, fault, "/action/buttons/%zu/reply/title", i);
        }
        if (stands_before(buttons, i, "reply", "title")) {
            return complain(field, "must differ from the other buttons'", "/action/buttons/%zu/reply/title",
                            i);
        }
        if (stands_before(buttons, i, "reply", "id")) {
            return complain(field, "must differ from the other buttons'", "/action/buttons/%zu/reply/id", i);
        }
    }
    return NULL;
}

/* The rows of one section. */
static const char *rows_fault(const json_t *rows, size_t section, const char **field)
{
    static const struct {
        const char *key;
        bool required;
        size_t max;
    } texts[] = {{"id", true, 200}, {"title", true, 24}, {"description", false, 72}};
    size_t i;
    json_t *row;

    json_array_foreach (rows, i, row) {
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            const char *fault = text_fault(row, texts[k].key, texts[k].required, texts[k].max);
            if (fault != NULL) {
                return complain(field, fault, "/action/sections/%zu/rows/%zu/%s", section, i, texts[k].key);
            }
        }
        if (stands_before(rows, i, NULL, "id")) {
            return complain(field, "must differ from the other rows'", "/action/sections/%zu/rows/%zu/id",
                            section, i);
        }
    }
    return NULL;
}

/* Sections with lists of `items`, at most `most` of them together. */
static const char *sections_fault(const json_t *content, const char *items, size_t most, const char **field)
{
    const json_t *sections = jx_arr(jx_obj(content, "action"), "sections");
    size_t i, total = 0;
    json_t *section;

    if (json_array_size(sections) < 1 || json_array_size(sections) > SECTIONS_MAX) {
        return complain(field, "must be a list of 1 to 10 sections", "/action/sections");
    }
    json_array_foreach (sections, i, section) {
        const json_t *list = jx_arr(section, items);
        const char *fault = text_fault(section, "title", json_array_size(sections) > 1, 24);
        if (fault != NULL) {
            return complain(field, fault, "/action/sections/%zu/title", i);
        }
        if (json_array_size(list) == 0) {
            return complain(field, "must be a list of at least one", "/action/sections/%zu/%s", i, items);
        }
        total += json_array_size(list);
        if (total > most) {
            snprintf(why_text, sizeof why_text, "must be at most %zu in all sections together", most);
            return complain(field, why_text, "/action/sections/%zu/%s", i, items);
        }
        fault = strcmp(items, "rows") == 0 ? rows_fault(list, i, field) : NULL;
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

static const char *list_fault(const json_t *content, const char **field)
{
    return sections_fault(content, "rows", ROWS_MAX, field);
}

static const char *products_fault(const json_t *content, const char **field)
{
    return sections_fault(content, "product_items", PRODUCTS_MAX, field);
}

static const char *url_fault(const json_t *content, const char **field)
{
    const char *url = jx_str_or(jx_obj(jx_obj(content, "action"), "parameters"), "url", "");

    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return complain(field, "must be an http or https URL", "/action/parameters/url");
    }
    return header_fault(content, field);
}

/* A flow is named by its id or by its name. */
static const char *flow_fault(const json_t *content, const char **field)
{
    const json_t *parameters = jx_obj(jx_obj(content, "action"), "parameters");
    bool by_id = jx_str(parameters, "flow_id") != NULL, by_name = jx_str(parameters, "flow_name") != NULL;
    const char *mode = jx_str_or(parameters, "mode", "published");

    if (by_id == by_name) {
        return complain(field, "or flow_name is required, one of them", "/action/parameters/flow_id");
    }
    if (strcmp(mode, "draft") != 0 && strcmp(mode, "published") != 0) {
        return complain(field, "must be draft or published", "/action/parameters/mode");
    }
    return header_fault(content, field);
}

static const char *carousel_fault(const json_t *content, const char **field)
{
    size_t cards = json_array_size(jx_arr(jx_obj(content, "action"), "cards"));

    return cards < CARDS_LEAST || cards > CARDS_MAX
               ? complain(field, "must be a list of 2 to 10 cards", "/action/cards")
               : NULL;
}

static const char *button_fault(const json_t *content, const char **field)
{
    const char *fault = header_fault(content, field);

    return fault != NULL ? fault : buttons_fault(content, field);
}

const char *whatsapp_interactive_fault(const json_t *content, const char **field)
{
    static const struct {
        const char *type;
        const char *(*fault)(const json_t *content, const char **field);
    } checks[] = {{"button", button_fault}, {"list", list_fault}, {"product_list", products_fault},
                  {"cta_url", url_fault},   {"flow", flow_fault}, {"carousel", carousel_fault}};
    const char *type = jx_str(content, "type");

    if (type == NULL || type[0] == '\0') {
        return complain(field, "is required", "/type");
    }
    if (jx_obj(content, "action") == NULL) {
        return complain(field, "is required", "/action");
    }
    for (size_t i = 0; i < sizeof field_rules / sizeof *field_rules; i++) {
        const struct field_rule *rule = &field_rules[i];
        const char *fault = strcmp(rule->type, type) == 0 ? rule_fault(rule, content) : NULL;
        if (fault != NULL) {
            return complain(field, fault, "%s", rule->pointer);
        }
    }
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        if (strcmp(checks[i].type, type) == 0) {
            return checks[i].fault(content, field);
        }
    }
    return NULL;
}

/* ---- templates ---- */

/* Lower-case letters and underscores. */
static bool is_parameter_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

    return len > 0 && len <= PARAMETER_MAX && name[len] == '\0';
}

/* The parameters of one component: each says its type and has what the type names. */
static const char *parameters_fault(const json_t *parameters, size_t component, const char **field)
{
    static const char *const own[] = {"text",     "payload",   "image",    "video",      "document",
                                      "currency", "date_time", "location", "coupon_code"};
    size_t i;
    json_t *each;

    json_array_foreach (parameters, i, each) {
        const char *type = jx_str_or(each, "type", "");
        const char *name = jx_str(each, "parameter_name");
        if (type[0] == '\0') {
            return complain(field, "is required", "/components/%zu/parameters/%zu/type", component, i);
        }
        if (name != NULL && !is_parameter_name(name)) {
            return complain(field, "must be 1 to 20 lower-case letters and underscores",
                            "/components/%zu/parameters/%zu/parameter_name", component, i);
        }
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) {
            if (strcmp(own[k], type) == 0 && json_object_get(each, type) == NULL) {
                return complain(field, "is required", "/components/%zu/parameters/%zu/%s", component, i,
                                type);
            }
        }
    }
    return NULL;
}

/* A button says of which kind it is and which one of the template's. */
static const char *component_fault(const json_t *component, size_t at, const char **field)
{
    const char *type = jx_str_or(component, "type", "");
    const json_t *parameters = json_object_get(component, "parameters");
    const json_t *index = json_object_get(component, "index");

    if (type[0] == '\0') {
        return complain(field, "is required", "/components/%zu/type", at);
    }
    if (strcasecmp(type, "button") == 0 && jx_str(component, "sub_type") == NULL) {
        return complain(field, "is required", "/components/%zu/sub_type", at);
    }
    if (strcasecmp(type, "button") == 0 && !json_is_string(index) && !json_is_integer(index)) {
        return complain(field, "is required", "/components/%zu/index", at);
    }
    if (parameters != NULL && !json_is_array(parameters)) {
        return complain(field, "must be a list", "/components/%zu/parameters", at);
    }
    return parameters_fault(parameters, at, field);
}

const char *whatsapp_template_fault(const json_t *content, const char **field)
{
    const json_t *components = json_object_get(content, "components");
    const char *fault = text_fault(content, "name", true, 512);
    size_t i;
    json_t *each;

    if (fault != NULL) {
        return complain(field, fault, "/name");
    }
    fault = text_fault(json_object_get(content, "language"), "code", true, 0);
    if (fault != NULL) {
        return complain(field, fault, "/language/code");
    }
    if (components != NULL && !json_is_array(components)) {
        return complain(field, "must be a list", "/components");
    }
    json_array_foreach (components, i, each) {
        fault = component_fault(each, i, field);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

/* ---- contact cards ---- */

const char *whatsapp_contacts_fault(const json_t *content, const char **field)
{
    const json_t *cards = json_is_array(content) ? content : jx_arr(content, "contacts");
    size_t i;
    json_t *card;

    if (json_array_size(cards) < 1 || json_array_size(cards) > CONTACTS_MAX) {
        return complain(field, "must be a list of 1 to 257 contact cards", "/contacts");
    }
    json_array_foreach (cards, i, card) {
        const char *fault = text_fault(jx_obj(card, "name"), "formatted_name", true, 0);
        if (fault != NULL) {
            return complain(field, fault, "/contacts/%zu/name/formatted_name", i);
        }
    }
    return NULL;
}
