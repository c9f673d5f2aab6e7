/* option_value.c: the types of options: whole numbers, switches, sizes ("10MiB") and times ("30s"). */
#include <string.h>

#include "queue/base/option_int.h"

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, as printing looks for the largest that divides. */
static const struct unit size_units[] = {
    {"TiB", INT64_C(1) << 40},
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
    {"B", 1},
    {"", 1},
    {NULL, 0},
};
static const struct unit time_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

/* What a type is called in a sentence, and the units it takes. */
static const struct {
    const char *wants;
    const struct unit *units;
} types[] = {
    [OPTION_TEXT] = {"one line of text", NULL},
    [OPTION_INT] = {"a whole number", no_units},
    [OPTION_BOOL] = {"true or false", NULL},
    [OPTION_SIZE] = {"a size such as 512KiB, 10MiB or 2GiB", size_units},
    [OPTION_TIME] = {"a time with its unit: ms, s, m, h or d", time_units},
};

static bool bool_parse(const char *text, int64_t *number)
{
    static const struct {
        const char *text;
        int value;
    } words[] = {
        {"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}, {"on", 1}, {"off", 0}, {"1", 1}, {"0", 0},
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].text, text) == 0) {
            *number = words[i].value;
            return true;
        }
    }
    return false;
}

/* Digits at the start of text; a minus sign is allowed. False without digits or on overflow. */
static bool digits_parse(const char **text, int64_t *number)
{
    const char *at = *text;
    int sign = 1;

    if (*at == '-') {
        sign = -1;
        at++;
    }
    if (*at < '0' || *at > '9') {
        return false;
    }
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, sign * (*at - '0'), number)) {
            return false;
        }
    }
    *text = at;
    return true;
}

/* A number and its unit; blanks may stand between them. Zero needs no unit. */
static bool quantity_parse(const char *text, const struct unit *units, int64_t *number)
{
    if (!digits_parse(&text, number)) {
        return false;
    }
    text += strspn(text, " ");
    if (*number == 0 && *text == '\0') {
        return true;
    }
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (strcmp(u->name, text) == 0) {
            return !__builtin_mul_overflow(*number, u->factor, number);
        }
    }
    return false;
}

/* Adds a number in the largest unit that divides it. */
static void quantity_show(struct buf *out, const struct unit *units, int64_t number)
{
    for (const struct unit *u = units; u->name != NULL; u++) {
        if (u->factor == 1 || (number != 0 && number % u->factor == 0)) {
            buf_addf(out, "%lld%s", (long long)(number / u->factor), u->name);
            return;
        }
    }
}

static bool is_one_line(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool parse_by_type(const struct option_row *row, const char *text, int64_t *number)
{
    if (row->type == OPTION_TEXT) {
        return is_one_line(text);
    }
    return row->type == OPTION_BOOL ? bool_parse(text, number)
                                    : quantity_parse(text, types[row->type].units, number);
}

/* Starts the rest of the sentence with the value, as far as it may be shown. */
static void say_value(const struct option_row *row, const char *text, struct buf *why)
{
    if (why == NULL) {
        return;
    }
    if (row->secret || !is_one_line(text)) {
        buf_adds(why, "has a value that cannot be used; ");
    } else {
        buf_addf(why, "is \"%s\"; ", text);
    }
}

enum err option_value_parse(const struct option_row *row, const char *text, int64_t *number, struct buf *why)
{
    *number = 0;
    if (!parse_by_type(row, text, number)) {
        say_value(row, text, why);
        if (why != NULL) {
            buf_addf(why, "it wants %s", types[row->type].wants);
        }
        return ERR_INVALID;
    }
    const struct unit *units = types[row->type].units;
    if (units == NULL || (*number >= row->min && *number <= row->max)) {
        return ERR_OK;
    }
    say_value(row, text, why);
    if (why != NULL) {
        buf_adds(why, "the range is ");
        quantity_show(why, units, row->min);
        buf_adds(why, " to ");
        quantity_show(why, units, row->max);
    }
    return ERR_INVALID;
}
