/* json_text.c: the one way out: values as compact text, keys in the order of their insertion.
 *
 * The text is jansson's own, byte for byte; jansson's writer looks for values that hold themselves and checks
 * every string for UTF-8 again, which costs more than the writing, and values of ours can be neither: all
 * strings come in through its parser or through jx_set_str. Numbers with a fraction are left to jansson. */
#include <stdio.h>
#include <string.h>

#include "queue/base/json.h"

#include "queue/base/codec.h"

/* Fifteen digits: every decimal of that length goes in and out unchanged, 19.99 stays 19.99. */
#define REAL_FLAGS (JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15))
#define REAL_SIZE  64
#define DIGITS     24
#define TEXT_ROOM  512 /* to begin with */

/* The escape of a byte that may not stand in a string by itself. */
static void add_escape(struct buf *out, unsigned char c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *at = c != '\0' ? strchr(plain, c) : NULL;
    char text[8];

    if (at != NULL) {
        snprintf(text, sizeof text, "\\%c", letters[at - plain]);
    } else {
        snprintf(text, sizeof text, "\\u%04X", c);
    }
    buf_adds(out, text);
}

/* True if a byte may not stand in a string by itself. */
static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* True if one of eight bytes needs an escape, or may: the usual tricks with borrows, which never miss one. */
static bool eight_need_escape(const char *at)
{
    const uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
    uint64_t x;

    memcpy(&x, at, sizeof x);
    uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';
    uint64_t below = (x - ones * 0x20) & ~x;
    return ((below | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & tops) != 0;
}

/* A string in its quotes; what needs no escape goes in one piece. */
static void add_string(struct buf *out, const char *text, size_t len)
{
    size_t from = 0;

    buf_addc(out, '"');
    for (size_t i = 0; i < len; i++) {
        while (len - i > 8 && !eight_need_escape(text + i)) {
            i += 8;
        }
        if (needs_escape((unsigned char)text[i])) {
            buf_add(out, text + from, i - from);
            add_escape(out, (unsigned char)text[i]);
            from = i + 1;
        }
    }
    buf_add(out, text + from, len - from);
    buf_addc(out, '"');
}

static void add_integer(struct buf *out, json_int_t value)
{
    char text[DIGITS];
    char *at = text + sizeof text;
    unsigned long long rest = value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    buf_add(out, at, (size_t)(text + sizeof text - at));
}

static void add_real(struct buf *out, const json_t *value)
{
    char text[REAL_SIZE];
    size_t len = json_dumpb(value, text, sizeof text, REAL_FLAGS);

    CHECK(len > 0 && len <= sizeof text);
    buf_add(out, text, len);
}

static void add_value(struct buf *out, const json_t *value);

static void add_object(struct buf *out, const json_t *object)
{
    char before = '{';
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        buf_addc(out, before);
        add_string(out, key, strlen(key));
        buf_addc(out, ':');
        add_value(out, value);
        before = ',';
    }
    buf_adds(out, before == '{' ? "{}" : "}");
}

static void add_array(struct buf *out, const json_t *array)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) {
            buf_addc(out, ',');
        }
        add_value(out, json_array_get(array, i));
    }
    buf_addc(out, ']');
}

static void add_value(struct buf *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(out, value);
        break;
    case JSON_ARRAY:
        add_array(out, value);
        break;
    case JSON_STRING:
        add_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        add_integer(out, json_integer_value(value));
        break;
    case JSON_REAL:
        add_real(out, value);
        break;
    case JSON_TRUE:
        buf_adds(out, "true");
        break;
    case JSON_FALSE:
        buf_adds(out, "false");
        break;
    case JSON_NULL:
        buf_adds(out, "null");
        break;
    }
}

void jx_dump_str(struct buf *out, const char *text)
{
    struct buf fixed;
    size_t len = strlen(text);

    if (utf8_valid(text, len)) {
        add_string(out, text, len);
        return;
    }
    buf_init(&fixed, len * 3);
    utf8_repair(&fixed, text, len);
    add_string(out, buf_str(&fixed), fixed.len);
    buf_fini(&fixed);
}

void jx_dump(const json_t *value, struct buf *out)
{
    if (value == NULL) {
        out->failed = true;
    } else {
        add_value(out, value);
    }
}

char *jx_text(const json_t *value)
{
    struct buf out;

    CHECK(value != NULL);
    buf_init(&out, (size_t)-2);
    out.data = xmalloc(TEXT_ROOM);
    out.room = TEXT_ROOM;
    add_value(&out, value);
    CHECK(buf_ok(&out));
    return out.data;
}
