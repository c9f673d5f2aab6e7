/* tongue.c: the language a customer writes, and what is said in it. */
#include "agent/common/tongue.h"

#include <stdlib.h>
#include <string.h>

#include "agent/common/words.h"
#include "agent/common/phrases.h"
#include "kb/stopwords.h"
#include "queue/base/error.h"

static const struct tongue rows[] = {
#define X(language, announce, unsure, unknown, clarify, topics) \
    {language, announce, unsure, unknown, clarify, topics},
#include "agent/common/tbl_tongue.h"
#undef X
};
#define ROWS (sizeof rows / sizeof *rows)

/* Scripts that stand for a language of ours: half-open ranges of code points; kana before Han. */
static const struct {
    uint32_t from, to;
    const char *language;
} scripts[] = {
    {0x3040, 0x3100, "ja"}, {0x4e00, 0xa000, "zh"}, {0x0400, 0x0530, "ru"},
    {0x0600, 0x0700, "ar"}, {0x0900, 0x0980, "hi"},
};

static const struct tongue *row_of(const char *language)
{
    for (size_t i = 0; language != NULL && i < ROWS; i++) {
        if (strcmp(rows[i].language, language) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* The code point at *at, of two or three bytes; moves on. 0 for any other. */
static uint32_t next_point(const unsigned char **at)
{
    const unsigned char *p = *at;
    uint32_t point = 0;
    size_t size = 1;

    if ((p[0] & 0xe0) == 0xc0 && p[1] != 0) {
        point = (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
        size = 2;
    } else if ((p[0] & 0xf0) == 0xe0 && p[1] != 0 && p[2] != 0) {
        point = (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        size = 3;
    }
    *at += size;
    return point;
}

/* The language by the script; the first row of the table that occurs. */
static const char *by_script(const char *text)
{
    size_t best = sizeof scripts / sizeof *scripts;

    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        uint32_t point = next_point(&at);
        for (size_t i = 0; i < best; i++) {
            best = point >= scripts[i].from && point < scripts[i].to ? i : best;
        }
    }
    return best < sizeof scripts / sizeof *scripts ? scripts[best].language : NULL;
}

/* By words of grammar. */
static const char *by_words(const char *text)
{
    struct kb_bag bag;
    const char *language = NULL;

    kb_bag_init(&bag);
    kb_bag_add(&bag, text, strlen(text), 1);
    if (bag.count > 0) {
        enum kb_stop *flags = xcalloc(bag.count, sizeof *flags);
        language = kb_stopwords_code(kb_stopwords(&bag, flags));
        free(flags);
    }
    kb_bag_fini(&bag);
    return language;
}

/* The row of the language that a text shows, NULL if it shows none of ours. */
static const struct tongue *look(const char *text)
{
    const char *language = NULL;
    char *folded = words_fold(text);
    enum phrase_meaning meaning = phrase_of(folded, &language);
    const struct tongue *row = meaning != PHRASE_NONE ? row_of(language) : NULL;

    free(folded);
    row = row != NULL ? row : row_of(by_script(text));
    return row != NULL ? row : row_of(by_words(text));
}

const struct tongue *tongue_of(const char *question, const json_t *history)
{
    const struct tongue *row = question != NULL && question[0] != '\0' ? look(question) : NULL;

    for (size_t i = json_array_size(history); row == NULL && i > 0; i--) {
        const json_t *message = json_array_get(history, i - 1);
        if (strcmp(jx_str_or(message, "direction", ""), "in") == 0) {
            row = look(jx_str_or(message, "text", ""));
        }
    }
    return row != NULL ? row : &rows[0];
}
