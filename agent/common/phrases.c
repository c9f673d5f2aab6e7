/* phrases.c: recognises what needs no search.
 *
 * Every message passes here several times, so the rows are not tried one by one: an index made once says for
 * a word which rows may begin with it. Rows that may begin with anything are always tried. The first row that
 * matches decides, as if all had been tried in order. */
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include <uthash.h>

#include "agent/common/phrases.h"

#include "agent/common/words.h"
#include "queue/base/error.h"

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

#define PARTS ((ROWS + 63) / 64)

/* A set of rows. */
struct row_set {
    uint64_t bits[PARTS];
};

/* A word with which rows may begin; its text is part of a folded pattern. */
struct start {
    UT_hash_handle hh;
    struct row_set rows;
};

/* Made once for the process's life: the patterns folded, the index, the rows that are always tried. */
static char *folded_rows[ROWS];
static struct start *starts;
static struct row_set always;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_add(struct row_set *set, size_t row)
{
    set->bits[row / 64] |= (uint64_t)1 << row % 64;
}

/* Notes that the row may begin with this word. */
static void start_add(const char *word, size_t size, void *row)
{
    struct start *start = NULL;

    HASH_FIND(hh, starts, word, size, start);
    if (start == NULL) {
        start = xcalloc(1, sizeof *start);
        HASH_ADD_KEYPTR(hh, starts, word, size, start);
    }
    set_add(&start->rows, *(const size_t *)row);
}

static void index_rows(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        folded_rows[i] = words_fold_pattern(rows[i].pattern);
        if (!words_starts(folded_rows[i], start_add, &i)) {
            set_add(&always, i);
        }
    }
}

/* The rows that may match the text. */
static struct row_set rows_for(const char *folded)
{
    struct row_set set = always;
    const char *word;

    for (size_t size = words_next(&folded, &word); size > 0; size = words_next(&folded, &word)) {
        struct start *start = NULL;
        HASH_FIND(hh, starts, word, size, start);
        for (size_t i = 0; start != NULL && i < PARTS; i++) {
            set.bits[i] |= start->rows.bits[i];
        }
    }
    return set;
}

enum phrase_meaning phrase_of(const char *folded, const char **language)
{
    pthread_once(&once, index_rows);
    struct row_set set = rows_for(folded);

    for (size_t i = 0; i < ROWS; i++) {
        if ((set.bits[i / 64] >> i % 64 & 1) != 0 && words_match(folded, folded_rows[i])) {
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
