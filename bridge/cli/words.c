/* words.c: nearest names and the profile's place. */
#include "bridge/cli/words.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/cli/cli.h"
#include "queue/base/error.h"
#include "queue/base/option.h"

#define WORD_MAX 48

/* Levenshtein distance of two short words; long words count as far apart. */
static unsigned distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len >= WORD_MAX || b_len >= WORD_MAX) {
        return WORD_MAX;
    }
    unsigned row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            unsigned skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < skip ? change : skip;
        }
    }
    return row[b_len];
}

/* Keeps the candidate if it is nearer than the best so far (at most 2 edits away). */
static void consider(const char *word, const char *candidate, unsigned *best, const char **found)
{
    unsigned d = distance(word, candidate);
    if (d < *best) {
        *best = d;
        *found = candidate;
    }
}

const char *words_nearest_command(const char *word)
{
    unsigned best = 3;
    const char *found = NULL;
    for (unsigned i = 0; cli_command_at(i) != NULL; i++) {
        consider(word, cli_command_at(i)->name, &best, &found);
    }
    return found;
}

const char *words_nearest_flag(const char *word)
{
    unsigned best = 3;
    const char *found = NULL;
    for (int i = 0; i < FLAG_COUNT; i++) {
        const char *name, *value;
        cli_flag_help((enum cli_flag)i, &name, &value);
        consider(word, name, &best, &found);
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        consider(word, option_row((enum option_id)i)->flag, &best, &found);
    }
    return found;
}

bool words_contain(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = strstr(list, word); at != NULL; at = strstr(at + 1, word)) {
        bool starts = at == list || at[-1] == ' ';
        bool ends = at[len] == '\0' || at[len] == ' ';
        if (starts && ends) {
            return true;
        }
    }
    return false;
}

char *words_profile_path(void)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    if (config != NULL && config[0] == '/') {
        return xasprintf("%s/chasqui/profile.conf", config);
    }
    const char *home = getenv("HOME");
    return home != NULL ? xasprintf("%s/.config/chasqui/profile.conf", home) : NULL;
}
