/* words.c: cutting folded text into words and counting them in a bag. */
#include <stdlib.h>
#include <string.h>

#include "kb/text.h"
#include "kb/words.h"

#define TABLE_FIRST 64
#define OVERLAP \
    10 /* characters two pieces of a run share: about a word, so that a cut through one is no loss */

void kb_bag_init(struct kb_bag *bag)
{
    *bag = (struct kb_bag){0};
    buf_init(&bag->text, KB_BAG_BYTES);
    buf_init(&bag->folded, KB_BAG_BYTES);
}

void kb_bag_fini(struct kb_bag *bag)
{
    buf_fini(&bag->text);
    buf_fini(&bag->folded);
    free(bag->words);
    free(bag->table);
    *bag = (struct kb_bag){0};
}

/* Empties the bag; keeps the memory. */
void kb_bag_reset(struct kb_bag *bag)
{
    buf_reset(&bag->text);
    bag->count = 0;
    bag->total = 0;
    if (bag->table != NULL) {
        memset(bag->table, 0, bag->table_size * sizeof *bag->table);
    }
}

/* FNV-1a with a last mix, stable between runs and machines. */
uint32_t kb_word_hash(const char *word, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)word[i]) * 16777619u;
    }
    h ^= h >> 15;
    h *= 0x2c1b3c6du;
    return h ^ (h >> 13);
}

const char *kb_bag_text(const struct kb_bag *bag, const struct kb_bag_word *word)
{
    return bag->text.data + word->at;
}

/* Doubles the table and puts every word in again. */
static void table_grow(struct kb_bag *bag)
{
    size_t size = bag->table_size == 0 ? TABLE_FIRST : bag->table_size * 2;

    free(bag->table);
    bag->table = xcalloc(size, sizeof *bag->table);
    bag->table_size = size;
    for (size_t i = 0; i < bag->count; i++) {
        size_t at = bag->words[i].hash & (size - 1);
        while (bag->table[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        bag->table[at] = (uint32_t)(i + 1);
    }
}

/* The place in the table where the word is or belongs. */
static size_t table_place(const struct kb_bag *bag, const char *word, size_t len, uint32_t hash)
{
    size_t at = hash & (bag->table_size - 1);

    while (bag->table[at] != 0) {
        const struct kb_bag_word *w = &bag->words[bag->table[at] - 1];
        if (w->hash == hash && w->len == len && memcmp(kb_bag_text(bag, w), word, len) == 0) {
            break;
        }
        at = (at + 1) & (bag->table_size - 1);
    }
    return at;
}

uint32_t kb_bag_find(const struct kb_bag *bag, const char *word, size_t len, uint32_t hash)
{
    return bag->table_size == 0 ? 0 : bag->table[table_place(bag, word, len, hash)];
}

/* Appends a word that the bag does not have; false when the bag is full. */
static bool word_append(struct kb_bag *bag, const char *word, size_t len, uint32_t hash)
{
    uint32_t at = (uint32_t)bag->text.len;

    buf_add(&bag->text, word, len);
    if (!buf_ok(&bag->text)) {
        return false;
    }
    if (bag->count == bag->room) {
        bag->room = bag->room == 0 ? 64 : bag->room * 2;
        bag->words = xrealloc(bag->words, bag->room * sizeof *bag->words);
    }
    int32_t cp;
    kb_cp_next(word, len, &cp);
    bag->words[bag->count++] = (struct kb_bag_word){
        .at = at, .hash = hash, .len = (uint16_t)len, .cjk = kb_cp_class(cp) == KB_CP_CJK};
    return true;
}

void kb_bag_add_word(struct kb_bag *bag, const char *word, size_t len, unsigned weight)
{
    CHECK(len > 0 && len <= KB_WORD_BYTES);
    if (bag->count * 2 >= bag->table_size) {
        table_grow(bag);
    }
    uint32_t hash = kb_word_hash(word, len);
    size_t at = table_place(bag, word, len, hash);
    if (bag->table[at] == 0) {
        if (!word_append(bag, word, len, hash)) {
            return;
        }
        bag->table[at] = (uint32_t)bag->count;
    }
    bag->words[bag->table[at] - 1].count += weight;
    bag->total += weight;
}

/* One run of CJK characters: each pair of neighbours, or the character alone. */
struct pairs {
    size_t start; /* of the last character */
    size_t count; /* characters so far */
};

/* Takes the CJK character at [from, to) of the run. */
static void pairs_take(struct kb_bag *bag, struct pairs *p, const char *text, size_t from, size_t to,
                       unsigned weight)
{
    if (p->count > 0) {
        kb_bag_add_word(bag, text + p->start, to - p->start, weight);
    }
    p->start = from;
    p->count++;
}

/* Ends the run: a character without a neighbour stands alone. */
static void pairs_end(struct kb_bag *bag, struct pairs *p, const char *text, size_t end, unsigned weight)
{
    if (p->count == 1) {
        kb_bag_add_word(bag, text + p->start, end - p->start, weight);
    }
    p->count = 0;
}

/* Where the reader stands in the folded text. */
struct cutter {
    size_t from; /* start of the open word */
    size_t cps;  /* its code points so far; 0: no word is open */
    struct pairs pairs;
};

/* Closes what is open before position at. */
static void cutter_close(struct kb_bag *bag, struct cutter *c, const char *text, size_t at, unsigned weight)
{
    if (c->cps > 0) {
        kb_bag_add_word(bag, text + c->from, at - c->from, weight);
    }
    c->cps = 0;
    pairs_end(bag, &c->pairs, text, at, weight);
}

/* Ends a word that is too long before position at. In a script without spaces the cut is ours and stands
 * anywhere, so the next piece begins OVERLAP characters earlier: no gram is lost, and the word at the cut
 * stands whole in one of the two. */
static void cutter_cut(struct kb_bag *bag, struct cutter *c, const char *text, size_t at, bool spaceless,
                       unsigned weight)
{
    size_t from = at;

    kb_bag_add_word(bag, text + c->from, at - c->from, weight);
    c->cps = spaceless ? OVERLAP : 0;
    for (size_t back = c->cps; back > 0; back--) {
        do {
            from--;
        } while (((unsigned char)text[from] & 0xC0) == 0x80);
    }
    c->from = from;
}

void kb_bag_add(struct kb_bag *bag, const char *text, size_t len, unsigned weight)
{
    struct cutter c = {0};

    buf_reset(&bag->folded);
    kb_fold(text, len, &bag->folded);
    const char *folded = buf_str(&bag->folded);
    size_t size = bag->folded.len;
    for (size_t at = 0, next; at < size; at = next) {
        int32_t cp;
        next = at + kb_cp_next(folded + at, size - at, &cp);
        enum kb_cp_class class = kb_cp_class(cp);
        if (class == KB_CP_WORD && c.cps == KB_WORD_CPS) {
            cutter_cut(bag, &c, folded, at, kb_cp_spaceless(cp), weight);
        } else if (class != KB_CP_WORD || c.pairs.count > 0) {
            if (class != KB_CP_CJK || c.cps > 0) {
                cutter_close(bag, &c, folded, at, weight);
            }
        }
        if (class == KB_CP_CJK) {
            pairs_take(bag, &c.pairs, folded, at, next, weight);
        } else if (class == KB_CP_WORD) {
            c.from = c.cps == 0 ? at : c.from;
            c.cps++;
        }
    }
    cutter_close(bag, &c, folded, size, weight);
}

size_t kb_word_cps(const char *word, size_t len, int32_t cps[KB_WORD_CPS])
{
    size_t count = 0;

    for (size_t at = 0; at < len && count < KB_WORD_CPS; count++) {
        at += kb_cp_next(word + at, len - at, &cps[count]);
    }
    return count;
}

/* Mixes up to four code points into one key. */
static uint64_t gram_key(const int32_t *cps, size_t count)
{
    uint64_t h = count;

    for (size_t i = 0; i < count; i++) {
        h = (h ^ (uint64_t)cps[i]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return h == 0 ? 1 : h;
}

size_t kb_word_grams(const char *word, size_t len, uint64_t grams[KB_WORD_GRAMS])
{
    int32_t cps[KB_WORD_CPS + 2];
    size_t count = kb_word_cps(word, len, cps + 1);

    if (count == 0) {
        return 0;
    }
    if (kb_cp_class(cps[1]) == KB_CP_CJK) {
        grams[0] = gram_key(cps + 1, count);
        return 1;
    }
    cps[0] = '_';
    cps[count + 1] = '_';
    size_t padded = count + 2;
    if (padded <= 4) {
        grams[0] = gram_key(cps, padded);
        return 1;
    }
    for (size_t i = 0; i + 4 <= padded; i++) {
        grams[i] = gram_key(cps + i, 4);
    }
    return padded - 3;
}
