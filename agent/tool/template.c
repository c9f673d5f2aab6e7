/* template.c: finds the names and writes the values. */
#include "agent/tool/template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/codec.h"

#define SECRET_PREFIX "secret."

/* One {{name}} in a text. */
struct spot {
    const char *begin, *end; /* from the first brace to behind the last */
    char name[TEMPLATE_NAME_MAX];
    bool valid; /* name can be one */
};

static bool name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Words of letters, digits and _, with single dots between them. */
static bool name_ok(const char *name)
{
    char before = '.';

    for (; *name != '\0'; name++) {
        if (!name_char(*name) && (*name != '.' || before == '.')) {
            return false;
        }
        before = *name;
    }
    return before != '.';
}

/* The next spot from text on. False: no more; an open end has begin set and end NULL. */
static bool spot_next(const char *text, struct spot *out)
{
    out->begin = strstr(text, "{{");
    out->end = out->begin != NULL ? strstr(out->begin + 2, "}}") : NULL;
    if (out->end == NULL) {
        return false;
    }
    const char *from = out->begin + 2, *to = out->end;
    out->end += 2;
    while (from < to && *from == ' ') {
        from++;
    }
    while (to > from && to[-1] == ' ') {
        to--;
    }
    size_t size = (size_t)(to - from);
    out->valid = size > 0 && size < sizeof out->name;
    if (out->valid) {
        memcpy(out->name, from, size);
        out->name[size] = '\0';
        out->valid = name_ok(out->name);
    }
    return true;
}

bool template_check(const char *text, bool secrets, struct buf *why)
{
    struct spot spot;

    while (spot_next(text, &spot)) {
        if (!spot.valid) {
            buf_adds(why, "holds {{...}} with something that is no name: letters, digits, _ and single dots");
            return false;
        }
        if (!secrets && strncmp(spot.name, SECRET_PREFIX, sizeof SECRET_PREFIX - 1) == 0) {
            buf_adds(why, "must not hold a secret");
            return false;
        }
        text = spot.end;
    }
    if (spot.begin != NULL) {
        buf_adds(why, "has a {{ that is not closed");
    }
    return spot.begin == NULL;
}

bool template_any(const char *text)
{
    struct spot spot;

    return spot_next(text, &spot);
}

/* One step into a value: a member, or an element by its number. */
static const json_t *step_into(const json_t *value, const char *key)
{
    char *end;

    if (!json_is_array(value)) {
        return json_object_get(value, key);
    }
    unsigned long index = strtoul(key, &end, 10);
    return *end == '\0' && isdigit((unsigned char)*key) ? json_array_get(value, index) : NULL;
}

const json_t *template_value(const json_t *vars, const char *name)
{
    char step[TEMPLATE_NAME_MAX];
    const json_t *value = vars;

    while (value != NULL && *name != '\0') {
        size_t size = strcspn(name, ".");
        if (size >= sizeof step) {
            return NULL;
        }
        memcpy(step, name, size);
        step[size] = '\0';
        value = step_into(value, step);
        name += size + (name[size] == '.' ? 1 : 0);
    }
    return value;
}

/* A value as people read it. malloc'ed. */
static char *value_text(const json_t *value)
{
    if (value == NULL || json_is_null(value)) {
        return xstrdup("");
    }
    return json_is_string(value) ? xstrdup(json_string_value(value)) : jx_text(value);
}

/* As JSON; without the quotes around a text if it goes inside quotes. */
static void add_json(const json_t *value, bool quoted, struct buf *out)
{
    char *plain = value_text(value);
    json_t *text = json_string(plain);
    char *dump = quoted ? jx_text(text) : value != NULL ? jx_text(value) : xstrdup("null");
    size_t size = strlen(dump);

    buf_add(out, quoted ? dump + 1 : dump, quoted ? size - 2 : size);
    free(dump);
    free(plain);
    json_decref(text);
}

static void add_header(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        buf_addc(out, (unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
    }
}

/* Writes a value as its place needs it. */
static void add_value(const json_t *value, enum template_form form, bool quoted, struct buf *out)
{
    if (form == TEMPLATE_JSON) {
        add_json(value, quoted, out);
        return;
    }
    char *text = value_text(value);
    if (form == TEMPLATE_URL) {
        percent_encode(out, text, strlen(text));
    } else if (form == TEMPLATE_HEADER) {
        add_header(text, out);
    } else {
        buf_adds(out, text);
    }
    free(text);
}

/* The value of a spot as a new reference; NULL with *missing: a secret that is not there. */
static json_t *spot_value(const struct spot *spot, const struct template_source *source, bool *missing)
{
    struct buf text;
    bool is_secret = strncmp(spot->name, SECRET_PREFIX, sizeof SECRET_PREFIX - 1) == 0;

    if (!is_secret || source->secret == NULL) {
        return json_incref((json_t *)template_value(source->vars, spot->name));
    }
    buf_init(&text, 1 << 16);
    *missing = !source->secret(spot->name + sizeof SECRET_PREFIX - 1, &text, source->arg);
    json_t *value = json_string(buf_str(&text));
    buf_fini(&text);
    return value;
}

/* Whether behind text the writing stands inside JSON quotes, if it stood so (quoted) before it. */
static bool quotes_after(const char *text, const char *end, bool quoted)
{
    for (; text < end; text++) {
        if (*text == '\\' && quoted && text + 1 < end) {
            text++;
        } else if (*text == '"') {
            quoted = !quoted;
        }
    }
    return quoted;
}

bool template_fill(const char *text, enum template_form form, const struct template_source *source,
                   struct buf *out)
{
    struct spot spot;
    bool quoted = false, missing = false;

    while (!missing && spot_next(text, &spot)) {
        quoted = quotes_after(text, spot.begin, quoted);
        buf_add(out, text, (size_t)(spot.begin - text));
        if (spot.valid) {
            json_t *value = spot_value(&spot, source, &missing);
            add_value(value, form, quoted, out);
            json_decref(value);
        } else {
            buf_add(out, spot.begin, (size_t)(spot.end - spot.begin));
        }
        text = spot.end;
    }
    buf_adds(out, text);
    return !missing;
}

/* A text filled; alone, a {{name}} takes the value itself. NULL: a secret is missing. */
static json_t *fill_text(const json_t *value, const struct template_source *source)
{
    const char *text = json_string_value(value);
    struct spot spot;
    struct buf out;
    bool missing = false;

    if (!spot_next(text, &spot)) {
        return json_incref((json_t *)value);
    }
    if (spot.valid && spot.begin == text && *spot.end == '\0') {
        json_t *alone = spot_value(&spot, source, &missing);
        if (missing) {
            json_decref(alone);
            return NULL;
        }
        return alone != NULL ? alone : json_null();
    }
    buf_init(&out, 1 << 20);
    json_t *filled = template_fill(text, TEMPLATE_PLAIN, source, &out) ? json_string(buf_str(&out)) : NULL;
    buf_fini(&out);
    return filled;
}

static json_t *fill_object(const json_t *value, const struct template_source *source)
{
    json_t *copy = json_object(), *item;
    const char *key;

    json_object_foreach ((json_t *)value, key, item) {
        json_t *filled = template_json(item, source);
        if (filled == NULL) {
            json_decref(copy);
            return NULL;
        }
        jx_set(copy, key, filled);
    }
    return copy;
}

static json_t *fill_array(const json_t *value, const struct template_source *source)
{
    json_t *copy = json_array();

    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *filled = template_json(json_array_get(value, i), source);
        if (filled == NULL) {
            json_decref(copy);
            return NULL;
        }
        jx_push(copy, filled);
    }
    return copy;
}

json_t *template_json(const json_t *value, const struct template_source *source)
{
    if (json_is_object(value)) {
        return fill_object(value, source);
    }
    if (json_is_array(value)) {
        return fill_array(value, source);
    }
    return json_is_string(value) ? fill_text(value, source) : json_incref((json_t *)value);
}
