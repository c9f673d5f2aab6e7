/* words.c: nearest names and the profile's place. */
#include "bridge/cli/words.h"

#include <stdlib.h>
#include <string.h>

#include "bridge/cli/cli.h"
#include "queue/base/edit_distance.h"
#include "queue/base/error.h"
#include "queue/base/option.h"

/* Keeps the candidate if it is nearer than the best so far (at most 2 edits away). */
static void consider(const char *word, const char *candidate, size_t *best, const char **found)
{
    size_t d = edit_distance(word, candidate);
    if (d < *best) {
        *best = d;
        *found = candidate;
    }
}

const char *words_nearest_command(const char *word)
{
    size_t best = 3;
    const char *found = NULL;
    for (unsigned i = 0; cli_command_at(i) != NULL; i++) {
        consider(word, cli_command_at(i)->name, &best, &found);
    }
    return found;
}

const char *words_nearest_flag(const char *word)
{
    size_t best = 3;
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
