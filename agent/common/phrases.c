/* phrases.c: recognises what needs no search. */
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "agent/common/phrases.h"

#include "agent/common/words.h"

static const struct {
    enum phrase_meaning meaning;
    const char *language, *pattern;
} rows[] = {
#define X(meaning, language, pattern) {meaning, language, pattern},
#include "agent/common/tbl_phrases.h"
#undef X
};
#define ROWS (sizeof rows / sizeof *rows)

static const struct {
    const char *language, *greeting, *thanks;
} replies[] = {
#define X(language, greeting, thanks) {language, greeting, thanks},
#include "agent/common/tbl_small_talk.h"
#undef X
};

/* The patterns folded once for the process's life. */
static char *folded_rows[ROWS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fold_rows(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        folded_rows[i] = words_fold_pattern(rows[i].pattern);
    }
}

enum phrase_meaning phrase_of(const char *folded, const char **language)
{
    pthread_once(&once, fold_rows);
    for (size_t i = 0; i < ROWS; i++) {
        if (words_match(folded, folded_rows[i])) {
            if (language != NULL) {
                *language = rows[i].language;
            }
            return rows[i].meaning;
        }
    }
    return PHRASE_NONE;
}

const char *phrase_reply(enum phrase_meaning meaning, const char *language)
{
    size_t row = 0;

    if (meaning != PHRASE_GREETING && meaning != PHRASE_THANKS) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        row = language != NULL && strcmp(replies[i].language, language) == 0 ? i : row;
    }
    return meaning == PHRASE_GREETING ? replies[row].greeting : replies[row].thanks;
}
