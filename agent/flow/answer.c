/* answer.c: whether what a customer wrote is what was asked for; rows of type and reader. */
#include "agent/flow/choice.h"
#include "agent/flow/flow.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/contact.h"

#define ANSWER_MAX  4000
#define PATTERN_MAX 200
#define CHOICES_MAX 50
#define REPEATS_MAX 5000 /* product of all {n}: what a compiled pattern may grow to */

/* text without the blanks around it. malloc'ed. */
static char *trimmed(const char *text)
{
    size_t from = strspn(text, " \t\r\n"), to = strlen(text);

    while (to > from && strchr(" \t\r\n", text[to - 1]) != NULL) {
        to--;
    }
    return xstrndup(text + from, to - from);
}

static json_t *read_text(const json_t *rule, const char *text)
{
    int64_t min = jx_int(rule, "min", 1), max = jx_int(rule, "max", ANSWER_MAX);
    int64_t len = (int64_t)strlen(text);

    return len >= min && len <= max ? json_string(text) : NULL;
}

/* One @ with something before it and a host with a dot behind; the host in lower case. */
static json_t *read_email(const json_t *rule, const char *text)
{
    const char *at = strrchr(text, '@'), *dot = at != NULL ? strrchr(at, '.') : NULL;

    (void)rule;
    if (at == NULL || at == text || at - text > 64 || strchr(text, '@') != at || strlen(text) > 254 ||
        dot == NULL || dot == at + 1 || strlen(dot) < 3 || strpbrk(text, " \t\r\n,;<>()[]\"\\") != NULL ||
        strstr(at, "..") != NULL) {
        return NULL;
    }
    char *copy = xstrdup(text);
    for (char *p = copy + (at - text); *p != '\0'; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    json_t *value = json_string(copy);
    free(copy);
    return value;
}

static json_t *read_phone(const json_t *rule, const char *text)
{
    char out[24];

    (void)rule;
    return contact_phone_normalise(text, out) ? json_string(out) : NULL;
}

/* 12, 12.5 or 12,5. */
static json_t *read_number(const json_t *rule, const char *text)
{
    char *copy = xstrdup(text), *comma = strchr(copy, ','), *end;

    if (comma != NULL && strchr(copy, '.') == NULL && strchr(comma + 1, ',') == NULL) {
        *comma = '.';
    }
    double value = strtod(copy, &end);
    bool plain = end != copy && *end == '\0' && strpbrk(copy, "xXnNpP") == NULL && isfinite(value);
    bool fits = plain && value >= jx_num(rule, "min", -1e15) && value <= jx_num(rule, "max", 1e15);
    free(copy);
    if (!fits) {
        return NULL;
    }
    return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value) : json_real(value);
}

static json_t *read_choice(const json_t *rule, const char *text)
{
    const json_t *choices = jx_arr(rule, "choices");

    return json_incref(json_array_get(choices, flow_choose(choices, text)));
}

static bool date_exists(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return year >= 1900 && year <= 2200 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (leap && month == 2 ? 1 : 0);
}

/* 2026-11-24, 24.11.2026, 24/11/2026 (day first; US month-first writing is not guessed). */
static json_t *read_date(const json_t *rule, const char *text)
{
    int year, month, day, used = 0;
    char out[32], a, b;

    (void)rule;
    if (sscanf(text, "%4d-%2d-%2d%n", &year, &month, &day, &used) != 3 || text[used] != '\0') {
        used = 0;
        if (sscanf(text, "%2d%c%2d%c%4d%n", &day, &a, &month, &b, &year, &used) != 5 || text[used] != '\0' ||
            a != b || strchr("./-", a) == NULL) {
            return NULL;
        }
    }
    if (!date_exists(year, month, day)) {
        return NULL;
    }
    snprintf(out, sizeof out, "%04d-%02d-%02d", year, month, day);
    return json_string(out);
}

static json_t *read_regex(const json_t *rule, const char *text)
{
    regex_t pattern;

    if (regcomp(&pattern, jx_str_or(rule, "pattern", ""), REG_EXTENDED | REG_ICASE | REG_NOSUB) != 0) {
        return NULL;
    }
    bool matches = strlen(text) <= ANSWER_MAX && regexec(&pattern, text, 0, NULL, 0) == 0;
    regfree(&pattern);
    return matches ? json_string(text) : NULL;
}

/* Media is read off the message, never off a text. */
static json_t *read_media(const json_t *rule, const char *text)
{
    (void)rule;
    (void)text;
    return NULL;
}

static const struct reader {
    const char *type;
    json_t *(*read)(const json_t *rule, const char *text);
    const char *hint;
} readers[] = {
    {"text", read_text, "Please write a short answer."},
    {"email", read_email,
     "That does not look like an e-mail address. Please try again, like name@example.com."},
    {"phone", read_phone,
     "That does not look like a phone number. Please write it with the country code, like +14155550123."},
    {"number", read_number, "Please answer with a number."},
    {"choice", read_choice, "Please answer with one of the choices."},
    {"date", read_date, "Please write the date like 2026-11-24 or 24.11.2026."},
    {"regex", read_regex, "That does not look right. Please try again."},
    {"media", read_media, "Please send a picture or a file."},
};

static const struct reader *reader_of(const json_t *rule)
{
    const char *type = jx_str_or(rule, "type", "text");

    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        if (strcmp(readers[i].type, type) == 0) {
            return &readers[i];
        }
    }
    return NULL;
}

json_t *flow_answer(const json_t *rule, const char *text)
{
    const struct reader *reader = reader_of(rule);
    char *plain = trimmed(text);
    json_t *value = reader != NULL && plain[0] != '\0' ? reader->read(rule, plain) : NULL;

    free(plain);
    return value;
}

const char *flow_answer_hint(const json_t *rule)
{
    const struct reader *reader = reader_of(rule);

    return reader != NULL ? reader->hint : "Please try again.";
}

static const char *choices_fault(const json_t *choices)
{
    size_t i;
    json_t *choice;

    if (json_array_size(choices) < 1 || json_array_size(choices) > CHOICES_MAX) {
        return "choices must be a list of 1 to 50 texts";
    }
    json_array_foreach ((json_t *)choices, i, choice) {
        if (json_string_length(choice) == 0 || json_string_length(choice) > 200) {
            return "choices must be texts of at most 200 bytes";
        }
    }
    return NULL;
}

/* How often at most the {n,m} at text repeats, plus one; 1 if that is none. */
static unsigned long repeats_at(const char *text)
{
    char *end;

    if (text[0] != '{' || !isdigit((unsigned char)text[1])) {
        return 1;
    }
    unsigned long low = strtoul(text + 1, &end, 10);
    unsigned long high = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;
    unsigned long most = low > high ? low : high;
    return most < REPEATS_MAX ? most + 1 : REPEATS_MAX + 1;
}

bool flow_pattern_ok(const char *pattern)
{
    regex_t compiled;
    unsigned long product = 1;

    if (pattern == NULL || strlen(pattern) > PATTERN_MAX) {
        return false;
    }
    for (const char *p = pattern; *p != '\0'; p++) {
        product *= repeats_at(p);
        if ((p[0] == '\\' && isdigit((unsigned char)p[1])) || product > REPEATS_MAX) {
            return false;
        }
    }
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    regfree(&compiled);
    return true;
}

static const char *pattern_fault(const char *pattern)
{
    return flow_pattern_ok(pattern)
               ? NULL
               : "pattern must be a POSIX extended regular expression of at most 200 bytes, "
                 "without references back and with few repetitions";
}

const char *flow_answer_fault(const json_t *rule)
{
    const struct reader *reader = reader_of(rule);
    const char *key;
    json_t *value;

    if (!json_is_object(rule) || jx_str(rule, "type") == NULL || reader == NULL) {
        return "must be {\"type\": text, email, phone, number, choice, date, regex or media}";
    }
    json_object_foreach ((json_t *)rule, key, value) {
        bool bound = strcmp(key, "min") == 0 || strcmp(key, "max") == 0;
        if (bound && !json_is_number(value)) {
            return "min and max must be numbers";
        }
        if (!bound && strcmp(key, "type") != 0 && strcmp(key, "choices") != 0 &&
            strcmp(key, "pattern") != 0) {
            return "holds an unknown field";
        }
    }
    if (reader->read == read_choice) {
        return choices_fault(jx_arr(rule, "choices"));
    }
    return reader->read == read_regex ? pattern_fault(jx_str(rule, "pattern")) : NULL;
}
