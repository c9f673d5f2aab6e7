/* surface.c: the table of surfaces, and the case rule. */
#include "bridge/api/surface.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_BYTES 512

static const char *const v1_aliases[][2] = {
    {"bots", "agents"},
    {"assistants", "agents"},
    {NULL, NULL},
};

static const struct surface surfaces[] = {
    {ON_API, "/api/v1", false, false, "page_size", NULL},
    {ON_V1, "/v1", true, true, "pageSize", v1_aliases},
    {ON_VIVI, "/channelsApi", true, false, "pageSize", NULL},
    {ON_ROOT | ON_ADMIN, "", false, false, "page_size", NULL},
};
#define SURFACES (sizeof(surfaces) / sizeof(surfaces[0]))

/* Values under these keys are the customer's own or a platform's: the case rule stops there. */
static const char *const untouched[] = {"metadata", "custom_fields", "arguments", "content", "components", "values", "headers", "body", "save", "sample", "vars"};

const struct surface *surface_at(unsigned index)
{
    return index < SURFACES ? &surfaces[index] : NULL;
}

const struct surface *surface_of(const char *path, const char **rest)
{
    for (unsigned i = 0; i < SURFACES; i++) {
        size_t len = strlen(surfaces[i].prefix);
        if (strncmp(path, surfaces[i].prefix, len) == 0 && (path[len] == '/' || path[len] == '\0')) {
            *rest = path[len] == '/' ? path + len : "/";
            return &surfaces[i];
        }
    }
    *rest = path;
    return &surfaces[SURFACES - 1];
}

const char *surface_alias(const struct surface *surface, const char *segment, size_t len, size_t *out_len)
{
    for (unsigned i = 0; surface->aliases != NULL && surface->aliases[i][0] != NULL; i++) {
        if (strlen(surface->aliases[i][0]) == len && memcmp(surface->aliases[i][0], segment, len) == 0) {
            *out_len = strlen(surface->aliases[i][1]);
            return surface->aliases[i][1];
        }
    }
    *out_len = len;
    return segment;
}

void case_snake(const char *name, struct buf *out)
{
    for (size_t i = 0; name[i] != '\0'; i++) {
        if (isupper((unsigned char)name[i]) && i > 0) {
            buf_addc(out, '_');
        }
        buf_addc(out, (char)tolower((unsigned char)name[i]));
    }
}

void case_camel(const char *name, struct buf *out)
{
    bool raise = false;
    for (size_t i = 0; name[i] != '\0'; i++) {
        if (name[i] == '_' && i > 0 && islower((unsigned char)name[i + 1])) {
            raise = true;
            continue;
        }
        buf_addc(out, raise ? (char)toupper((unsigned char)name[i]) : name[i]);
        raise = false;
    }
}

/* True if what stands under this (canonical) key keeps its own names. */
static bool is_untouched(const char *key)
{
    for (unsigned i = 0; i < sizeof(untouched) / sizeof(untouched[0]); i++) {
        if (strcmp(key, untouched[i]) == 0) {
            return true;
        }
    }
    return false;
}

typedef void (*rename_fn)(const char *name, struct buf *out);

static json_t *renamed(const json_t *value, rename_fn rename, struct buf *clash);

/* One object's keys; clash (may be NULL) takes a name that came twice. */
static json_t *renamed_object(const json_t *object, rename_fn rename, struct buf *clash)
{
    json_t *out = json_object();
    const char *key;
    json_t *value;
    struct buf name;
    buf_init(&name, NAME_MAX_BYTES);
    json_object_foreach ((json_t *)object, key, value) {
        buf_reset(&name);
        rename(key, &name);
        const char *to = buf_ok(&name) ? buf_str(&name) : key;
        if (clash != NULL && clash->len == 0 && json_object_get(out, to) != NULL) {
            buf_adds(clash, key);
        }
        bool kept = is_untouched(key) || is_untouched(to);
        jx_set(out, to, kept ? json_deep_copy(value) : renamed(value, rename, clash));
    }
    buf_fini(&name);
    return out;
}

/* A copy of any value with its keys renamed. */
static json_t *renamed(const json_t *value, rename_fn rename, struct buf *clash)
{
    if (json_is_object(value)) {
        return renamed_object(value, rename, clash);
    }
    if (!json_is_array(value)) {
        return json_incref((json_t *)value);
    }
    json_t *out = json_array();
    size_t i;
    json_t *item;
    json_array_foreach (value, i, item) {
        jx_push(out, renamed(item, rename, clash));
    }
    return out;
}

json_t *surface_in(const struct surface *surface, const json_t *body, struct buf *field)
{
    if (!surface->camel) {
        return json_incref((json_t *)body);
    }
    json_t *out = renamed(body, case_snake, field);
    if (field->len > 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

json_t *surface_out(const struct surface *surface, const json_t *body)
{
    return surface->camel ? renamed(body, case_camel, NULL) : json_incref((json_t *)body);
}

void surface_field(const struct surface *surface, const char *field, struct buf *out)
{
    if (surface->camel) {
        case_camel(field, out);
    } else {
        buf_adds(out, field);
    }
}
