/* excerpt.c: the sentences of a passage that answer a question.
 *
 * Sentences are weighed by the question's 4-grams they hold, rare ones (within the passage) more, so that
 * inflected and misspelt words count too. The best sentence is taken first, then its neighbours and other
 * good ones while they fit; they are given in the order of the passage. A short passage is one answer and
 * stays whole. When no sentence shares anything with the question the match was in the title, and the head of
 * the passage is what it says. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kb/kb.h"
#include "kb/split.h"
#include "kb/words.h"
#include "queue/base/codec.h"

#define SHORT_BYTES   360 /* passages up to this size are not cut */
#define SENTENCES_MAX 512
#define GRAMS_MAX     1024
#define GOOD_SHARE    0.55 /* of the best sentence's weight */

struct sentence {
    size_t from, to;
    double weight;
    bool taken;
};

struct chooser {
    const char *text;
    size_t len;
    struct sentence *rows; /* in the arena */
    size_t count;
    uint64_t *grams; /* of the question, sorted, each once */
    double *values;  /* what each is worth */
    size_t gram_count;
};

static int gram_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The distinct grams of a text, sorted, into grams; returns how many. */
static size_t grams_of(const char *text, size_t len, uint64_t grams[GRAMS_MAX])
{
    struct kb_bag bag;
    size_t count = 0, kept = 0;

    kb_bag_init(&bag);
    kb_bag_add(&bag, text, len, 1);
    for (size_t i = 0; i < bag.count && count + KB_WORD_GRAMS <= GRAMS_MAX; i++) {
        count += kb_word_grams(kb_bag_text(&bag, &bag.words[i]), bag.words[i].len, grams + count);
    }
    kb_bag_fini(&bag);
    if (count > 1) {
        qsort(grams, count, sizeof *grams, gram_order);
    }
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || grams[kept - 1] != grams[i]) {
            grams[kept++] = grams[i];
        }
    }
    return kept;
}

/* Cuts the passage into sentences; a list item or heading line is one. */
static void sentences_cut(struct chooser *c)
{
    for (size_t at = 0; at < c->len && c->count < SENTENCES_MAX;) {
        while (at < c->len && strchr(" \t\r\n", c->text[at]) != NULL) {
            at++;
        }
        size_t end = at < c->len ? kb_sentence_end(c->text, c->len, at) : at;
        if (end > at) {
            c->rows[c->count++] = (struct sentence){.from = at, .to = end};
        }
        at = end;
    }
    if (c->count == SENTENCES_MAX) {
        c->rows[c->count - 1].to = c->len;
    }
}

/* Weighs the sentences in two rounds: how many hold each gram, then what each sentence holds. */
static void sentences_weigh(struct chooser *c)
{
    uint64_t *grams = xmalloc(GRAMS_MAX * sizeof *grams);

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < c->count; i++) {
            struct sentence *s = &c->rows[i];
            size_t count = grams_of(c->text + s->from, s->to - s->from, grams);
            for (size_t k = 0; k < c->gram_count; k++) {
                bool held = bsearch(&c->grams[k], grams, count, sizeof *grams, gram_order) != NULL;
                c->values[k] += held && round == 0 ? 1 : 0;
                s->weight += held && round == 1 ? log(1.0 + ((double)c->count + 0.5) / c->values[k]) : 0;
            }
            if (round == 1) {
                s->weight /= 1.0 + 0.15 * log(1.0 + (double)count / 20.0); /* long ones hold more by chance */
            }
        }
    }
    free(grams);
}

/* Bytes the taken sentences need with one more, with a space or line end between. */
static size_t size_with(const struct chooser *c, size_t more)
{
    size_t size = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (c->rows[i].taken || i == more) {
            size += (size > 0) + c->rows[i].to - c->rows[i].from;
        }
    }
    return size;
}

/* Takes a sentence if it fits. */
static bool take(struct chooser *c, size_t i, size_t max)
{
    if (i >= c->count || c->rows[i].taken || size_with(c, i) > max) {
        return false;
    }
    c->rows[i].taken = true;
    return true;
}

/* The heaviest sentence not taken yet; count if there is none with any weight. */
static size_t heaviest(const struct chooser *c)
{
    size_t best = c->count;

    for (size_t i = 0; i < c->count; i++) {
        if (!c->rows[i].taken && c->rows[i].weight > 0 &&
            (best == c->count || c->rows[i].weight > c->rows[best].weight)) {
            best = i;
        }
    }
    return best;
}

/* Takes sentences from the head while they fit. */
static void take_head(struct chooser *c, size_t max)
{
    for (size_t i = 0; i < c->count && take(c, i, max); i++) {
    }
}

/* Takes the best sentence, what follows it, and others nearly as good. */
static void take_best(struct chooser *c, size_t max)
{
    size_t best = heaviest(c);

    if (best == c->count || !take(c, best, max)) {
        return;
    }
    double floor = c->rows[best].weight * GOOD_SHARE;
    take(c, best + 1, max);
    for (size_t tries = 0; tries < c->count; tries++) {
        size_t next = heaviest(c);
        if (next == c->count || c->rows[next].weight < floor) {
            return;
        }
        if (!take(c, next, max)) {
            c->rows[next].weight = 0;
        }
    }
}

/* The taken sentences in order; NULL if there are none. */
static char *join(const struct chooser *c, struct arena *arena)
{
    struct buf text;
    const struct sentence *last = NULL;

    buf_init(&text, c->len + c->count + 1);
    for (size_t i = 0; i < c->count; i++) {
        const struct sentence *s = &c->rows[i];
        if (!s->taken) {
            continue;
        }
        if (last != NULL) {
            bool line = memchr(c->text + last->to, '\n', s->from - last->to) != NULL;
            buf_addc(&text, line ? '\n' : ' ');
        }
        buf_add(&text, c->text + s->from, s->to - s->from);
        last = s;
    }
    char *out = text.len == 0 ? NULL : arena_strndup(arena, text.data, text.len);
    buf_fini(&text);
    return out;
}

/* The head of the text, cut at a word. */
static char *head(const char *text, size_t len, size_t max, struct arena *arena)
{
    if (len > max) {
        size_t cut = utf8_prefix(text, len, max), space = cut;
        while (space > 0 && strchr(" \t\n", text[space]) == NULL) {
            space--;
        }
        len = space > cut / 2 ? space : cut;
    }
    return arena_strndup(arena, text, len);
}

char *kb_excerpt(const char *query, const struct kb_chunk *chunk, size_t max, struct arena *arena)
{
    struct chooser c = {.text = chunk->text, .len = strlen(chunk->text)};

    if (c.len <= SHORT_BYTES && c.len <= max) {
        return arena_strdup(arena, chunk->text);
    }
    c.rows = arena_alloc(arena, SENTENCES_MAX * sizeof *c.rows);
    c.grams = arena_alloc(arena, GRAMS_MAX * sizeof *c.grams);
    c.values = arena_alloc(arena, GRAMS_MAX * sizeof *c.values);
    c.gram_count = grams_of(query, strlen(query), c.grams);
    sentences_cut(&c);
    sentences_weigh(&c);
    if (heaviest(&c) == c.count) {
        take_head(&c, max);
    } else {
        take_best(&c, max);
    }
    char *text = join(&c, arena);
    return text != NULL ? text : head(chunk->text, c.len, max, arena);
}
