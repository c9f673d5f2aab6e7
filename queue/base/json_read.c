/* json_read.c: the quick way in: JSON text to jansson's values in one pass.
 *
 * jansson's own reader fetches every byte through three functions and copies each string twice; for a body of
 * a kilobyte that is most of what the request costs. This reader only has to be right about what it accepts:
 * it takes a subset of what jansson takes and builds the same values, and at the first doubt it gives up, so
 * that jansson judges the text and words the refusal. Doubtful are: everything malformed, zero characters,
 * nesting beyond JSON_READ_DEPTH, keys that are long or have escapes, integers of more than 18 digits.
 * tests/fuzz/json_fuzz.c holds the two against each other. */
#include "queue/base/json_read.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/buf.h"
#include "queue/base/codec.h"

#define KEY_SIZE     128
#define REAL_SIZE    64
#define DIGITS_MAX   18 /* so many always fit 64 bits */
#define EACH         0x0101010101010101u
#define HIGH         0x8080808080808080u
#define HAS_ZERO(w)  (((w)-EACH) & ~(w)&HIGH)
#define HAS_BELOW(w) (((w)-EACH * 0x20u) & ~(w)&HIGH) /* a byte below 0x20 */

struct reader {
    const char *at, *end;
    struct buf text; /* a string's bytes without its escapes */
    unsigned depth;
    bool unique;
};

static json_t *read_value(struct reader *r);

static void skip_blank(struct reader *r)
{
    while (r->at < r->end) {
        if (r->end - r->at >= 8 && memcmp(r->at, "        ", 8) == 0) {
            r->at += 8;
        } else if (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t') {
            r->at++;
        } else {
            return;
        }
    }
}

/* Passes this byte if it is the next. */
static bool take(struct reader *r, char c)
{
    bool there = r->at < r->end && *r->at == c;
    r->at += there;
    return there;
}

/* Passes a string's bytes up to a quote, a backslash, a control character or the end; *plain becomes false if
 * they are not all ASCII. */
static void pass_run(struct reader *r, bool *plain)
{
    uint64_t word;
    while (r->end - r->at >= 8) {
        memcpy(&word, r->at, sizeof word);
        if ((HAS_ZERO(word ^ (EACH * '"')) | HAS_ZERO(word ^ (EACH * '\\')) | HAS_BELOW(word)) != 0) {
            break;
        }
        *plain = *plain && (word & HIGH) == 0;
        r->at += 8;
    }
    for (; r->at < r->end; r->at++) {
        unsigned char c = (unsigned char)*r->at;
        if (c == '"' || c == '\\' || c < 0x20) {
            return;
        }
        *plain = *plain && c < 0x80;
    }
}

/* Four hexadecimal digits, -1 if there are none. */
static int read_hex(struct reader *r)
{
    int code = 0;
    if (r->end - r->at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++, r->at++) {
        char c = *r->at;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            return -1;
        }
        code = code * 16 + digit;
    }
    return code;
}

/* The character of \u, both halves of a pair; 0 if there is none, or if it is the zero character. */
static uint32_t read_code(struct reader *r)
{
    int code = read_hex(r);
    if (code <= 0 || (code >= 0xdc00 && code <= 0xdfff)) {
        return 0;
    }
    if (code < 0xd800 || code > 0xdbff) {
        return (uint32_t)code;
    }
    int low = take(r, '\\') && take(r, 'u') ? read_hex(r) : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        return 0;
    }
    return 0x10000u + ((uint32_t)(code - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

/* Adds a character as UTF-8. */
static void add_code(struct buf *out, uint32_t code)
{
    if (code < 0x80) {
        buf_addc(out, (char)code);
        return;
    }
    if (code < 0x800) {
        buf_addc(out, (char)(0xc0 | code >> 6));
    } else {
        if (code < 0x10000) {
            buf_addc(out, (char)(0xe0 | code >> 12));
        } else {
            buf_addc(out, (char)(0xf0 | code >> 18));
            buf_addc(out, (char)(0x80 | (code >> 12 & 0x3f)));
        }
        buf_addc(out, (char)(0x80 | (code >> 6 & 0x3f)));
    }
    buf_addc(out, (char)(0x80 | (code & 0x3f)));
}

/* Reads what stands behind a backslash into the text. */
static bool read_escape(struct reader *r)
{
    static const char letters[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    if (take(r, 'u')) {
        uint32_t code = read_code(r);
        add_code(&r->text, code);
        return code != 0;
    }
    const char *at = r->at < r->end && *r->at != '\0' ? strchr(letters, *r->at) : NULL;
    if (at == NULL) {
        return false;
    }
    buf_addc(&r->text, plain[at - letters]);
    r->at++;
    return true;
}

/* The rest of a string from its first escape on. */
static json_t *read_escaped(struct reader *r, const char *from, bool plain)
{
    buf_reset(&r->text);
    buf_add(&r->text, from, (size_t)(r->at - from));
    while (take(r, '\\')) {
        if (!read_escape(r)) {
            return NULL;
        }
        const char *run = r->at;
        pass_run(r, &plain);
        buf_add(&r->text, run, (size_t)(r->at - run));
    }
    if (!take(r, '"') || !buf_ok(&r->text) || (!plain && !utf8_valid(buf_str(&r->text), r->text.len))) {
        return NULL;
    }
    return json_stringn_nocheck(buf_str(&r->text), r->text.len);
}

/* A string behind its opening quote. */
static json_t *read_string(struct reader *r)
{
    const char *from = r->at;
    bool plain = true;
    pass_run(r, &plain);
    size_t len = (size_t)(r->at - from);
    if (!take(r, '"')) {
        return read_escaped(r, from, plain);
    }
    return plain || utf8_valid(from, len) ? json_stringn_nocheck(from, len) : NULL;
}

/* A key behind its opening quote, and the colon. */
static bool read_key(struct reader *r, char key[KEY_SIZE])
{
    const char *from = r->at;
    bool plain = true;
    pass_run(r, &plain);
    size_t len = (size_t)(r->at - from);
    if (!take(r, '"') || len >= KEY_SIZE || (!plain && !utf8_valid(from, len))) {
        return false;
    }
    memcpy(key, from, len);
    key[len] = '\0';
    skip_blank(r);
    return take(r, ':');
}

/* Passes digits and tells how many. */
static size_t pass_digits(struct reader *r)
{
    const char *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') {
        r->at++;
    }
    return (size_t)(r->at - from);
}

/* A number whose token begins at from and whose fraction or exponent comes next. */
static json_t *read_real(struct reader *r, const char *from)
{
    char text[REAL_SIZE], *end;
    if (take(r, '.') && pass_digits(r) == 0) {
        return NULL;
    }
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+')) {
            take(r, '-');
        }
        if (pass_digits(r) == 0) {
            return NULL;
        }
    }
    size_t len = (size_t)(r->at - from);
    if (len >= sizeof text) {
        return NULL;
    }
    memcpy(text, from, len);
    text[len] = '\0';
    errno = 0;
    double value = strtod(text, &end);
    return end == text + len && !(errno == ERANGE && isinf(value)) ? json_real(jx_real_bound(value)) : NULL;
}

static json_t *read_number(struct reader *r)
{
    const char *from = r->at;
    bool minus = take(r, '-');
    const char *digits = r->at;
    size_t count = pass_digits(r);
    if (count == 0 || (count > 1 && *digits == '0')) {
        return NULL;
    }
    if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E')) {
        return read_real(r, from);
    }
    if (count > DIGITS_MAX) {
        return NULL;
    }
    json_int_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value * 10 + (digits[i] - '0');
    }
    return json_integer(minus ? -value : value);
}

/* One pair of an object. */
static bool read_pair(struct reader *r, json_t *object)
{
    char key[KEY_SIZE];
    size_t before = json_object_size(object);
    skip_blank(r);
    json_t *value = take(r, '"') && read_key(r, key) ? read_value(r) : NULL;
    return value != NULL && json_object_set_new_nocheck(object, key, value) == 0 &&
           (!r->unique || json_object_size(object) > before);
}

static bool read_item(struct reader *r, json_t *array)
{
    json_t *value = read_value(r);
    return value != NULL && json_array_append_new(array, value) == 0;
}

/* Reads an object or array behind its opening bracket into holder. */
static json_t *read_inside(struct reader *r, json_t *holder, char close,
                           bool (*read_one)(struct reader *r, json_t *holder))
{
    bool good = holder != NULL && ++r->depth <= JSON_READ_DEPTH;
    skip_blank(r);
    if (good && !take(r, close)) {
        do {
            good = read_one(r, holder);
            skip_blank(r);
        } while (good && take(r, ','));
        good = good && take(r, close);
    }
    r->depth--;
    if (!good) {
        json_decref(holder);
    }
    return good ? holder : NULL;
}

/* A word that is a value. */
static json_t *read_word(struct reader *r, const char *word, json_t *value)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0) {
        return NULL;
    }
    r->at += len;
    return value;
}

static json_t *read_value(struct reader *r)
{
    skip_blank(r);
    switch (r->at < r->end ? *r->at : '\0') {
    case '{':
        r->at++;
        return read_inside(r, json_object(), '}', read_pair);
    case '[':
        r->at++;
        return read_inside(r, json_array(), ']', read_item);
    case '"':
        r->at++;
        return read_string(r);
    case 't':
        return read_word(r, "true", json_true());
    case 'f':
        return read_word(r, "false", json_false());
    case 'n':
        return read_word(r, "null", json_null());
    default:
        return read_number(r);
    }
}

json_t *jx_read(const char *text, size_t len, bool unique)
{
    struct reader r = {.at = text, .end = text + len, .unique = unique};
    buf_init(&r.text, len);
    json_t *value = read_value(&r);
    skip_blank(&r);
    if (value != NULL && r.at != r.end) {
        json_decref(value);
        value = NULL;
    }
    buf_fini(&r.text);
    return value;
}
