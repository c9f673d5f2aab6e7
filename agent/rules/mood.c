/* mood.c: points of bad mood by a small lexicon and by how a text is typed. No model is asked. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/rules/handoff_rules.h"

#include "agent/common/words.h"

#define PHRASE_BYTES 80
#define CAPITALS_MIN 12 /* letters before capitals say anything */

static const struct {
    const char *language;
    int points;
    const char *words;
} rows[] = {
#define X(language, points, words) {language, points, words},
#include "agent/rules/tbl_mood.h"
#undef X
};

/* True if one of the words between bars stands in the folded text (or, with ~, in the text as typed). */
static bool holds_any(const char *text, const char *folded, const char *words)
{
    for (const char *p = words; p != NULL;) {
        size_t n = strcspn(p, "|");
        char phrase[PHRASE_BYTES];
        bool anywhere = *p == '~';
        size_t skip = anywhere ? 1 : 0, size = n - skip < sizeof phrase - 1 ? n - skip : sizeof phrase - 1;
        memcpy(phrase, p + skip, size);
        phrase[size] = '\0';
        if (anywhere ? strstr(text, phrase) != NULL : words_hold(folded, phrase)) {
            return true;
        }
        p = p[n] == '|' ? p + n + 1 : NULL;
    }
    return false;
}

/* One point each for shouting and for a row of exclamation marks. */
static int typed_points(const char *text)
{
    unsigned upper = 0, lower = 0, marks = 0;

    for (const char *p = text; *p != '\0'; p++) {
        upper += isupper((unsigned char)*p) != 0;
        lower += islower((unsigned char)*p) != 0;
        marks += *p == '!';
    }
    return (upper >= CAPITALS_MIN && upper > 4 * lower ? 1 : 0) + (marks >= 3 ? 1 : 0);
}

int mood_points(const char *text, const char *folded)
{
    int points = typed_points(text);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        points += holds_any(text, folded, rows[i].words) ? rows[i].points : 0;
    }
    return points;
}
