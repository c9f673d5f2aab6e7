/* json.c: jansson behind our rules.
 *
 * What a peer sent never reaches a reason: jansson's own error text quotes the input, so a reason is made
 * from its error code and the byte offset alone. What json_read.c takes never gets to jansson's reader; for
 * the rest nesting is counted before parsing, since jansson's own bound is two thousand levels of
 * recursion. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/json.h"

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/json_memory.h"
#include "queue/base/json_read.h"

#define DEPTH_MAX JSON_READ_DEPTH
#define TOKEN_MAX 1024 /* longest key that jx_at can name */
/* The largest number of fifteen digits; what lies above would be written as a number that nobody can read. */
#define REAL_MAX 1.79769313486231e308

/* Before main, whatever program this is part of. */
__attribute__((constructor)) static void before_main(void)
{
    json_memory_use();
}

/* Says why and where, if anybody asks. */
static enum err refuse(struct buf *why, const char *reason, size_t offset)
{
    if (why != NULL) {
        buf_addf(why, "%s at byte %zu", reason, offset);
    }
    return ERR_INVALID;
}

/* The offset of the first bracket that nests deeper than DEPTH_MAX, or len. Brackets in strings do not
 * count; text that is no JSON may be counted wrongly, and the parser refuses it afterwards. */
static size_t too_deep_at(const char *text, size_t len)
{
    int depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\';
        } else if (c == '{' || c == '[') {
            depth++;
            if (depth > DEPTH_MAX) {
                return i;
            }
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return len;
}

static const struct {
    enum json_error_code code;
    const char *reason;
} reasons[] = {
    {json_error_premature_end_of_input, "unexpected end"},
    {json_error_end_of_input_expected, "unexpected text behind the value"},
    {json_error_invalid_utf8, "invalid UTF-8"},
    {json_error_invalid_syntax, "syntax error"},
    {json_error_null_character, "a NUL character in a string"},
    {json_error_null_byte_in_key, "a NUL character in a key"},
    {json_error_duplicate_key, "duplicate key"},
    {json_error_numeric_overflow, "number out of range"},
    {json_error_stack_overflow, "nesting too deep"},
};

/* Our words for a parser error. */
static const char *reason_of(const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (reasons[i].code == code) {
            return reasons[i].reason;
        }
    }
    return "syntax error";
}

double jx_real_bound(double value)
{
    return fabs(value) > REAL_MAX ? copysign(REAL_MAX, value) : value;
}

/* Brings numbers that fifteen digits would round beyond the largest one back to it. */
static void reals_bound(json_t *value)
{
    size_t i;
    const char *key;
    json_t *inner;

    if (json_is_real(value)) {
        json_real_set(value, jx_real_bound(json_real_value(value)));
    }
    json_array_foreach (value, i, inner) {
        reals_bound(inner);
    }
    json_object_foreach (value, key, inner) {
        reals_bound(inner);
    }
}

/* Asks jansson for the value, or for what is wrong with the text. */
static enum err parse_slowly(const char *text, size_t len, json_t **out, struct buf *why)
{
    json_error_t error;
    size_t deep = too_deep_at(text, len);
    if (deep < len) {
        return refuse(why, "nesting too deep", deep);
    }
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (root == NULL) {
        return refuse(why, reason_of(&error), error.position > 0 ? (size_t)error.position : 0);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return refuse(why, "not an object", 0);
    }
    reals_bound(root);
    *out = root;
    return ERR_OK;
}

enum err jx_parse_strict(const char *text, size_t len, json_t **out, struct buf *why)
{
    *out = NULL;
    if (len == 0) {
        return refuse(why, "empty text", 0);
    }
    json_t *root = jx_read(text, len, true);
    if (!json_is_object(root)) {
        json_decref(root);
        return parse_slowly(text, len, out, why);
    }
    *out = root;
    return ERR_OK;
}

enum err jx_parse_lenient(const char *text, size_t len, json_t **out)
{
    *out = len > 0 ? jx_read(text, len, false) : NULL;
    if (*out != NULL) {
        return ERR_OK;
    }
    *out = len > 0 ? json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL) : NULL;
    reals_bound(*out);
    return *out != NULL ? ERR_OK : ERR_INVALID;
}

const char *jx_str(const json_t *obj, const char *key)
{
    return json_string_value(json_object_get(obj, key));
}

const char *jx_str_or(const json_t *obj, const char *key, const char *fallback)
{
    const char *text = jx_str(obj, key);

    return text != NULL ? text : fallback;
}

int64_t jx_int(const json_t *obj, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(obj, key);

    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

double jx_num(const json_t *obj, const char *key, double fallback)
{
    const json_t *value = json_object_get(obj, key);

    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool jx_bool(const json_t *obj, const char *key, bool fallback)
{
    const json_t *value = json_object_get(obj, key);

    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *jx_obj(const json_t *obj, const char *key)
{
    json_t *value = json_object_get(obj, key);

    return json_is_object(value) ? value : NULL;
}

json_t *jx_arr(const json_t *obj, const char *key)
{
    json_t *value = json_object_get(obj, key);

    return json_is_array(value) ? value : NULL;
}

bool jx_lists(const json_t *obj, const char *key, const char *text)
{
    const json_t *list = jx_arr(obj, key);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *each = json_string_value(json_array_get(list, i));
        if (each != NULL && strcmp(each, text) == 0) {
            return true;
        }
    }
    return false;
}

/* Undoes ~1 and ~0 of one pointer token into key; false if it is too long or badly escaped. */
static bool token_unescape(const char *token, size_t len, char key[TOKEN_MAX])
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = token[i];
        if (c == '~') {
            i++;
            if (i == len || (token[i] != '0' && token[i] != '1')) {
                return false;
            }
            c = token[i] == '0' ? '~' : '/';
        }
        if (used == TOKEN_MAX - 1) {
            return false;
        }
        key[used++] = c;
    }
    key[used] = '\0';
    return true;
}

/* The array element that a token names: digits without a leading zero. */
static json_t *element_at(const json_t *arr, const char *token)
{
    size_t len = strlen(token);
    size_t index = 0;

    if (len == 0 || len > 9 || (len > 1 && token[0] == '0')) {
        return NULL;
    }
    for (size_t i = 0; i < len; i++) {
        if (token[i] < '0' || token[i] > '9') {
            return NULL;
        }
        index = index * 10 + (size_t)(token[i] - '0');
    }
    return json_array_get(arr, index);
}

json_t *jx_at(const json_t *root, const char *pointer)
{
    const json_t *value = root;
    char token[TOKEN_MAX];

    while (value != NULL && *pointer != '\0') {
        if (*pointer != '/') {
            return NULL;
        }
        pointer++;
        size_t len = strcspn(pointer, "/");
        if (!token_unescape(pointer, len, token)) {
            return NULL;
        }
        value = json_is_array(value) ? element_at(value, token) : json_object_get(value, token);
        pointer += len;
    }
    return (json_t *)value;
}

void jx_set(json_t *obj, const char *key, json_t *value)
{
    CHECK(value != NULL);
    CHECK(json_object_set_new(obj, key, value) == 0);
}

/* A JSON string of any bytes. */
static json_t *string_of(const char *text, size_t len)
{
    struct buf fixed;

    if (utf8_valid(text, len)) {
        return json_stringn_nocheck(text, len);
    }
    buf_init(&fixed, len * 3);
    utf8_repair(&fixed, text, len);
    CHECK(buf_ok(&fixed));
    json_t *value = json_stringn_nocheck(fixed.data, fixed.len);
    buf_fini(&fixed);
    return value;
}

void jx_set_str(json_t *obj, const char *key, const char *text)
{
    jx_set_strn(obj, key, text, text != NULL ? strlen(text) : 0);
}

void jx_set_strn(json_t *obj, const char *key, const char *text, size_t len)
{
    jx_set(obj, key, text != NULL ? string_of(text, len) : json_null());
}

void jx_set_int(json_t *obj, const char *key, int64_t value)
{
    jx_set(obj, key, json_integer(value));
}

void jx_set_bool(json_t *obj, const char *key, bool value)
{
    jx_set(obj, key, json_boolean(value));
}

void jx_set_time(json_t *obj, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_SIZE];

    jx_set(obj, key, json_string(clock_rfc3339(wall_ms, text)));
}

void jx_push(json_t *arr, json_t *value)
{
    CHECK(value != NULL);
    CHECK(json_array_append_new(arr, value) == 0);
}

void jx_decref(void *value)
{
    json_decref(value);
}
