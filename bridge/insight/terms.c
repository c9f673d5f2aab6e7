/* terms.c: words that matter, likeness, and language by script and grammar. */
#include "bridge/insight/terms.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kb/forms.h"
#include "kb/stopwords.h"
#include "kb/text.h"
#include "kb/words.h"
#include "queue/base/error.h"

#define WORDS_MOST 16
#define FORM       0.5  /* what another form of a word counts at least */
#define TEXT_MOST  1000 /* bytes that are looked at */

struct term {
    int32_t cps[KB_WORD_CPS];
    size_t len;
    uint32_t hash;
};

struct terms {
    size_t count;
    struct term words[WORDS_MOST];
};

static size_t text_size(const char *text)
{
    size_t len = strlen(text);

    return len < TEXT_MOST ? len : TEXT_MOST;
}

struct terms *terms_of(const char *text)
{
    struct terms *terms = xcalloc(1, sizeof *terms);
    struct kb_bag bag;

    kb_bag_init(&bag);
    kb_bag_add(&bag, text, text_size(text), 1);
    enum kb_stop *grammar = xcalloc(bag.count + 1, sizeof *grammar);
    kb_stopwords(&bag, grammar);
    for (size_t i = 0; i < bag.count && terms->count < WORDS_MOST; i++) {
        if (grammar[i] == KB_STOP_NONE) {
            struct term *term = &terms->words[terms->count++];
            term->hash = bag.words[i].hash;
            term->len = kb_word_cps(kb_bag_text(&bag, &bag.words[i]), bag.words[i].len, term->cps);
        }
    }
    free(grammar);
    kb_bag_fini(&bag);
    return terms;
}

void terms_free(struct terms *terms)
{
    free(terms);
}

size_t terms_count(const struct terms *terms)
{
    return terms->count;
}

bool terms_any(const char *text)
{
    struct terms *terms = terms_of(text);
    bool any = terms->count > 0;

    terms_free(terms);
    return any;
}

/* How much of a word another text has. */
static double word_likeness(const struct term *word, const struct terms *other)
{
    double best = 0, likeness;

    for (size_t i = 0; i < other->count && best < 1; i++) {
        const struct term *each = &other->words[i];
        if (each->hash == word->hash) {
            best = 1;
        } else if (each->cps[0] == word->cps[0] &&
                   kb_forms_alike(word->cps, word->len, each->cps, each->len, &likeness) &&
                   FORM + (1 - FORM) * likeness > best) {
            best = FORM + (1 - FORM) * likeness;
        }
    }
    return best;
}

double terms_likeness(const struct terms *a, const struct terms *b)
{
    double shared = 0;

    if (a->count == 0 || b->count == 0) {
        return 0;
    }
    for (size_t i = 0; i < a->count; i++) {
        shared += word_likeness(&a->words[i], b);
    }
    for (size_t i = 0; i < b->count; i++) {
        shared += word_likeness(&b->words[i], a);
    }
    return shared / (double)(a->count + b->count);
}

/* ---- language ---- */

/* Scripts that one language of customers' messages stands for, by their code points. The kana come before the
 * Han characters, which both languages write. */
static const struct {
    int32_t from, to;
    const char *language;
} scripts[] = {
    {0x3040, 0x30ff, "ja"}, {0xac00, 0xd7a3, "ko"}, {0x4e00, 0x9fff, "zh"}, {0x0e00, 0x0e7f, "th"},
    {0x0590, 0x05ff, "he"}, {0x0370, 0x03ff, "el"}, {0x0600, 0x06ff, "ar"}, {0x0900, 0x097f, "hi"},
    {0x0980, 0x09ff, "bn"}, {0x0b80, 0x0bff, "ta"}, {0x0c00, 0x0c7f, "te"}, {0x0400, 0x04ff, "ru"},
};
#define SCRIPTS (sizeof scripts / sizeof *scripts)

/* The language of the first of these scripts that stands in the text. */
static const char *by_script(const char *text, size_t len)
{
    bool found[SCRIPTS] = {false};
    int32_t cp;

    for (size_t at = 0; at < len;) {
        at += kb_cp_next(text + at, len - at, &cp);
        for (size_t i = 0; i < SCRIPTS; i++) {
            found[i] = found[i] || (cp >= scripts[i].from && cp <= scripts[i].to);
        }
    }
    for (size_t i = 0; i < SCRIPTS; i++) {
        if (found[i]) {
            return scripts[i].language;
        }
    }
    return NULL;
}

const char *terms_language(const char *text)
{
    size_t len = text_size(text);
    const char *language = by_script(text, len);
    struct kb_bag bag;

    if (language != NULL) {
        return language;
    }
    kb_bag_init(&bag);
    kb_bag_add(&bag, text, len, 1);
    enum kb_stop *grammar = xcalloc(bag.count + 1, sizeof *grammar);
    language = kb_stopwords_code(kb_stopwords(&bag, grammar));
    free(grammar);
    kb_bag_fini(&bag);
    return language;
}
