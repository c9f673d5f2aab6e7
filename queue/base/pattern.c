/* pattern.c: bounded matching of callers' regular expressions by ICU. */
#include <stdlib.h>
#include <string.h>

#include <unicode/uregex.h>
#include <unicode/ustring.h>

#include "queue/base/pattern.h"

#include "queue/base/error.h"

#define TEXT_MAX  4000   /* bytes of the text that are looked at */
#define STEPS_MAX 64     /* of ICU's unit, about a thousand moves each */
#define STACK_MAX 262144 /* bytes */

/* UTF-16 of a text; NULL if it is not well formed. malloc'ed. */
static UChar *units_of(const char *text, size_t size, int32_t *count)
{
    UErrorCode rc = U_ZERO_ERROR;
    UChar *out = xcalloc(size + 1, sizeof *out);

    u_strFromUTF8(out, (int32_t)size + 1, count, text, (int32_t)size, &rc);
    if (U_FAILURE(rc)) {
        free(out);
        return NULL;
    }
    return out;
}

/* Compiled, with its limits set; NULL if it is no pattern. */
static URegularExpression *pattern_open(const char *pattern, bool fold)
{
    UErrorCode rc = U_ZERO_ERROR;
    int32_t count = 0;
    size_t size = strnlen(pattern, PATTERN_MAX + 1);
    UChar *units = size > 0 && size <= PATTERN_MAX ? units_of(pattern, size, &count) : NULL;

    if (units == NULL) {
        return NULL;
    }
    URegularExpression *re = uregex_open(units, count, fold ? UREGEX_CASE_INSENSITIVE : 0, NULL, &rc);
    free(units);
    if (U_FAILURE(rc)) {
        uregex_close(re);
        return NULL;
    }
    uregex_setTimeLimit(re, STEPS_MAX, &rc);
    uregex_setStackLimit(re, STACK_MAX, &rc);
    if (U_FAILURE(rc)) {
        uregex_close(re);
        return NULL;
    }
    return re;
}

bool pattern_ok(const char *pattern)
{
    URegularExpression *re = pattern_open(pattern, false);
    bool ok = re != NULL;

    uregex_close(re);
    return ok;
}

bool pattern_match(const char *pattern, const char *text, bool whole, bool fold)
{
    UErrorCode rc = U_ZERO_ERROR;
    int32_t count = 0;
    size_t size = strnlen(text, TEXT_MAX);
    URegularExpression *re = pattern_open(pattern, fold);

    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
        size--;
    }
    UChar *units = re != NULL ? units_of(text, size, &count) : NULL;
    bool found = false;
    if (units != NULL) {
        uregex_setText(re, units, count, &rc);
        found = whole ? uregex_matches(re, 0, &rc) : uregex_find(re, 0, &rc);
    }
    uregex_close(re);
    free(units);
    return found && U_SUCCESS(rc);
}
