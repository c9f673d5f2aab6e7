/* kb_words_fuzz.c: folding, words, the bag, grams.
 *
 * Folded text is well-formed; the bag counts each word as often as it was added; a word is found under its
 * own hash, within its bounds, and added alone it is the same word; a text added twice counts twice. */
#include <string.h>

#include "kb/text.h"
#include "kb/words.h"
#include "queue/base/codec.h"
#include "tests/fuzz/fuzz.h"

static void fold(const char *data, size_t size)
{
    struct buf folded;

    buf_init(&folded, 64u << 20);
    kb_fold(data, size, &folded);
    CHECK(buf_ok(&folded) && utf8_valid(buf_str(&folded), folded.len));
    buf_fini(&folded);
}

static void code_points(const char *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        int32_t cp = 0;
        size_t n = kb_cp_next(data + at, size - at, &cp);
        CHECK(n >= 1 && n <= size - at && cp >= -1 && cp <= 0x10ffff);
        CHECK((cp == -1) != utf8_valid(data + at, n));
        kb_cp_class(cp);
        at += n;
    }
}

/* Code points of a word, counted without a bound. */
static size_t length_of(const char *word, size_t len)
{
    size_t count = 0;

    for (size_t at = 0; at < len; count++) {
        int32_t cp = 0;
        at += kb_cp_next(word + at, len - at, &cp);
    }
    return count;
}

static void words(struct kb_bag *bag)
{
    uint64_t total = 0;

    for (size_t i = 0; i < bag->count; i++) {
        const struct kb_bag_word *w = &bag->words[i];
        const char *text = kb_bag_text(bag, w);
        int32_t cps[KB_WORD_CPS];
        uint64_t grams[KB_WORD_GRAMS];
        CHECK(w->len > 0 && w->len <= KB_WORD_BYTES && w->at + w->len <= bag->text.len);
        CHECK(w->hash == kb_word_hash(text, w->len) && utf8_valid(text, w->len));
        CHECK(kb_word_cps(text, w->len, cps) == length_of(text, w->len));
        size_t count = kb_word_grams(text, w->len, grams);
        CHECK(count > 0 && count <= KB_WORD_GRAMS);
        total += w->count;
    }
    CHECK(total == bag->total);
}

void fuzz_one(const char *data, size_t size)
{
    struct kb_bag bag;

    fold(data, size);
    code_points(data, size);
    kb_bag_init(&bag);
    kb_bag_add(&bag, data, size, 1);
    words(&bag);
    size_t count = bag.count;
    uint64_t total = bag.total;
    kb_bag_add(&bag, data, size, 2);
    words(&bag);
    CHECK(bag.count == count && bag.total == 3 * total);
    kb_bag_reset(&bag);
    kb_bag_add(&bag, data, size, 1);
    CHECK(bag.count == count && bag.total == total);
    kb_bag_fini(&bag);
}
