/* value.c: one value of a lead, checked and normalised by the type of its field.
 *
 * Whoever gave it, a model, a flow, a customer's own typing, goes through here. A value that is refused is
 * answered with a sentence that says what is expected, fit to be said to the one who gave it. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/lead/lead.h"
#include "agent/lead/lead_int.h"

#include "agent/common/words.h"
#include "channels/contact.h"
#include "queue/base/clock.h"
#include "queue/base/pattern.h"

#define TEXT_BYTES  2000
#define LOCAL_MAX   64  /* RFC 5321, 4.5.3.1.1 */
#define DOMAIN_MAX  255 /* 4.5.3.1.2 */
#define LABEL_MAX   63
#define ADDRESS_MAX 254 /* what fits a forward path with its brackets */

/* The text without blanks at either end, malloc'ed. */
static char *trimmed(const char *text)
{
    while (isspace((unsigned char)*text)) {
        text++;
    }
    size_t n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1])) {
        n--;
    }
    return xstrndup(text, n);
}

/* Says what is expected. */
static json_t *refused(struct buf *why, const char *expected)
{
    if (why != NULL) {
        buf_adds(why, expected);
    }
    return NULL;
}

/* A row of labels with at least one dot: letters, digits, inner hyphens; the last one begins with a letter.
 */
static bool domain_ok(const char *domain)
{
    size_t n = strlen(domain), label = 0, labels = 1;
    const char *last = strrchr(domain, '.');

    if (n == 0 || n > DOMAIN_MAX || last == NULL || !isalpha((unsigned char)last[1]) || strlen(last) < 3) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)domain[i];
        bool edge = label == 0 || domain[i + 1] == '.' || domain[i + 1] == '\0';
        if (c == '.') {
            if (label == 0 || domain[i + 1] == '\0') {
                return false;
            }
            label = 0;
            labels++;
        } else if (!(isalnum(c) || c >= 0x80 || (c == '-' && !edge)) || ++label > LABEL_MAX) {
            return false;
        }
    }
    return labels > 1;
}

bool lead_email_ok(const char *text)
{
    const char *at = strrchr(text, '@');

    if (at == NULL || at == text || at - text > LOCAL_MAX || strlen(text) > ADDRESS_MAX) {
        return false;
    }
    for (const char *p = text; p < at; p++) {
        unsigned char c = (unsigned char)*p;
        bool atom = isalnum(c) || c >= 0x80 || strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
        bool dot = c == '.' && p > text && p[1] != '.' && p + 1 < at;
        if (!atom && !dot) {
            return false;
        }
    }
    return domain_ok(at + 1);
}

/* An address; its domain in lower case. */
static json_t *email_value(const json_t *row, const char *text, struct buf *why)
{
    (void)row;
    if (!lead_email_ok(text)) {
        return refused(why, "an e-mail address such as name@example.com is expected");
    }
    char *copy = xstrdup(text);
    for (char *p = strrchr(copy, '@'); *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    json_t *value = json_string(copy);
    free(copy);
    return value;
}

static json_t *phone_value(const json_t *row, const char *text, struct buf *why)
{
    char out[24];

    (void)row;
    if (!contact_phone_normalise(text, out)) {
        return refused(why, "a telephone number with its country code, such as +34 600 123 456, is expected");
    }
    return json_string(out);
}

/* Digits with a decimal point or comma; blanks between groups and a currency sign are passed over. */
static json_t *number_value(const json_t *row, const char *text, struct buf *why)
{
    char plain[40];
    size_t n = 0;
    unsigned marks = 0;
    bool digits = false;

    (void)row;
    for (const char *p = text; *p != '\0' && n + 1 < sizeof plain; p++) {
        unsigned char c = (unsigned char)*p;
        if (isdigit(c) || (c == '-' && n == 0)) {
            plain[n++] = (char)c;
            digits = digits || isdigit(c);
        } else if (c == '.' || c == ',') {
            plain[n++] = '.';
            marks++;
        } else if (!isspace(c) && c < 0x80 && c != '$' && c != '\'') {
            digits = false;
            break;
        }
    }
    plain[n] = '\0';
    double number = strtod(plain, NULL);
    if (!digits || marks > 1 || !isfinite(number)) {
        return refused(why, "a number is expected");
    }
    bool whole = number == floor(number) && fabs(number) < 9e15;
    return whole ? json_integer((json_int_t)number) : json_real(number);
}

/* Adds the choices to the sentence. */
static json_t *refused_choice(const json_t *choices, struct buf *why)
{
    if (why == NULL) {
        return NULL;
    }
    buf_adds(why, "one of these is expected: ");
    for (size_t i = 0; i < json_array_size(choices); i++) {
        buf_addf(why, "%s%s", i > 0 ? ", " : "", json_string_value(json_array_get(choices, i)));
    }
    return NULL;
}

/* The choice that is meant: the same words, else the only one whose words stand in the text. */
static json_t *choice_value(const json_t *row, const char *text, struct buf *why)
{
    const json_t *choices = jx_arr(row, "choices");
    char *folded = words_fold(text);
    const json_t *same = NULL, *held = NULL;
    unsigned count = 0;

    for (size_t i = 0; i < json_array_size(choices); i++) {
        const json_t *choice = json_array_get(choices, i);
        char *words = words_fold(json_string_value(choice));
        if (strcmp(words, folded) == 0) {
            same = choice;
        } else if (words[0] != '\0' && words_hold(folded, words)) {
            held = choice;
            count++;
        }
        free(words);
    }
    free(folded);
    if (same == NULL && count != 1) {
        return refused_choice(choices, why);
    }
    return json_string(json_string_value(same != NULL ? same : held));
}

static json_t *date_value(const json_t *row, const char *text, struct buf *why)
{
    int64_t ms;
    bool date_only = false;
    char out[CLOCK_TEXT_SIZE];

    (void)row;
    if (strlen(text) < 10 || !clock_parse(text, &ms, &date_only)) {
        return refused(why, "a date written as YYYY-MM-DD is expected");
    }
    clock_rfc3339(ms, out);
    return date_only ? json_stringn(text, 10) : json_string(out);
}

static json_t *bool_value(const json_t *row, const char *text, struct buf *why)
{
    static const char yes[] = " yes y true 1 ja oui si sim da ha haan evet sí да हाँ हां ใช่ نعم ";
    static const char no[] = " no n false 0 nein non nao não niet nei hayir nahi нет नहीं ไม่ لا ";
    char *folded = words_fold(text), *raw = xasprintf(" %s ", text), *plain = xasprintf(" %s ", folded);
    json_t *value = NULL;

    (void)row;
    if (folded[0] != '\0' && (strstr(yes, plain) != NULL || strcasestr(yes, raw) != NULL)) {
        value = json_true();
    } else if (folded[0] != '\0' && (strstr(no, plain) != NULL || strcasestr(no, raw) != NULL)) {
        value = json_false();
    }
    free(folded);
    free(raw);
    free(plain);
    return value != NULL ? value : refused(why, "yes or no is expected");
}

static json_t *text_value(const json_t *row, const char *text, struct buf *why)
{
    const char *pattern = jx_str(row, "pattern");

    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t' && *p != '\r') {
            return refused(why, "text without control characters is expected");
        }
    }
    if (pattern != NULL && !pattern_match(pattern, text, true, false)) {
        return refused(why, "this does not look as it should");
    }
    return json_string(text);
}

const struct lead_type lead_types[] = {
    {"text", text_value},     {"email", email_value}, {"phone", phone_value}, {"number", number_value},
    {"choice", choice_value}, {"date", date_value},   {"bool", bool_value},
};
const size_t lead_type_count = sizeof lead_types / sizeof *lead_types;

json_t *lead_value(const json_t *field_row, const char *text, struct buf *why)
{
    const char *type = jx_str_or(field_row, "type", "text");
    json_t *value = NULL;

    char *plain = trimmed(text != NULL ? text : "");
    size_t size = strlen(plain);
    if (size == 0 || size > TEXT_BYTES) {
        value = refused(why, size == 0 ? "a value is expected" : "a shorter value is expected");
    } else {
        for (size_t i = 0; i < lead_type_count; i++) {
            if (strcmp(lead_types[i].name, type) == 0) {
                value = lead_types[i].fn(field_row, plain, why);
                break;
            }
        }
    }
    free(plain);
    return value;
}
