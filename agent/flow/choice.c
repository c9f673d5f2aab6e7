/* choice.c: people seldom repeat a title as it stands; they say the word that tells it from the others. */
#include "agent/flow/choice.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/flow/fold.h"
#include "queue/base/error.h"

#define WORDS_MOST 6 /* a longer answer is a sentence of its own */

/* The one title of all that holds the word; count if none or several do. */
static size_t owner_of(char *const *titles, size_t count, const char *word)
{
    size_t owner = count;

    for (size_t i = 0; i < count; i++) {
        if (flow_holds(titles[i], word)) {
            if (owner != count) {
                return count;
            }
            owner = i;
        }
    }
    return owner;
}

/* The title that alone has words of the answer. text is cut up. */
static size_t by_words(char *const *titles, size_t count, char *text)
{
    size_t chosen = count, words = 0;
    char *rest = text;

    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        size_t owner = owner_of(titles, count, word);
        if (++words > WORDS_MOST || (owner != count && chosen != count && owner != chosen)) {
            return count;
        }
        chosen = owner != count ? owner : chosen;
    }
    return chosen;
}

/* The title itself, or its number. */
static size_t by_name(char *const *titles, size_t count, const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    for (size_t i = 0; i < count; i++) {
        if (titles[i][0] != '\0' && strcmp(titles[i], text) == 0) {
            return i;
        }
    }
    bool is_number = isdigit((unsigned char)text[0]) && *end == '\0';
    return is_number && number >= 1 && number <= count ? number - 1 : count;
}

size_t flow_choose(const json_t *titles, const char *text)
{
    size_t count = json_array_size(titles);
    char **folded = xcalloc(count + 1, sizeof *folded), *answer = flow_fold(text);

    for (size_t i = 0; i < count; i++) {
        const char *title = json_string_value(json_array_get(titles, i));
        folded[i] = flow_fold(title != NULL ? title : "");
    }
    size_t chosen = by_name(folded, count, answer);
    if (chosen == count) {
        chosen = by_words(folded, count, answer);
    }
    for (size_t i = 0; i < count; i++) {
        free(folded[i]);
    }
    free(folded);
    free(answer);
    return chosen;
}
