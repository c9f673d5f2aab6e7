/* index.c: see index.h. Dictionaries are open-addressing tables of positions; postings are appended only. */
#include <stdlib.h>
#include <string.h>

#include "kb/index.h"
#include "kb/text.h"

#define SLOTS_MAX   (1u << 24)
#define COUNT_MAX   255u
#define TABLE_FIRST 256

struct kb_index *kb_index_new(void)
{
    return xcalloc(1, sizeof(struct kb_index));
}

/* Frees the block of a long list. */
static void postings_fini(struct kb_postings *p)
{
    if (p->room > 2) {
        free(p->far);
    }
}

void kb_index_free(struct kb_index *index)
{
    if (index == NULL) {
        return;
    }
    for (size_t i = 0; i < index->word_count; i++) {
        postings_fini(&index->words[i].postings);
    }
    for (size_t i = 0; i < index->gram_count; i++) {
        postings_fini(&index->grams[i].postings);
    }
    for (size_t i = 0; i < index->document_count; i++) {
        free(index->documents[i]);
    }
    free(index->words);
    free(index->masks);
    free(index->letters);
    free(index->word_table);
    free(index->alike_heads);
    free(index->alike_next);
    free(index->texts);
    free(index->word_grams);
    free(index->grams);
    free(index->gram_counts);
    free(index->gram_table);
    free(index->slots);
    free(index->word_lens);
    free(index->gram_lens);
    free(index->documents);
    free(index);
}

/* Makes room for need items in an array whose room is *room. */
static void *grown(void *items, size_t *room, size_t need, size_t size)
{
    if (need <= *room) {
        return items;
    }
    size_t more = *room < 16 ? 16 : *room + *room / 2;
    *room = more > need ? more : need;
    return xrealloc(items, *room * size);
}

/* Appends one posting. */
static void postings_add(struct kb_index *index, struct kb_postings *p, uint32_t slot, uint32_t count)
{
    uint32_t value = slot << 8 | (count > COUNT_MAX ? COUNT_MAX : count);

    if (p->count < 2) {
        p->near[p->count++] = value;
        p->room = 2;
        return;
    }
    if (p->count == p->room) {
        uint32_t room = p->room == 2 ? 6 : p->room + p->room / 2;
        uint32_t *far = p->room == 2 ? xmalloc(room * sizeof *far) : xrealloc(p->far, room * sizeof *far);
        if (p->room == 2) {
            memcpy(far, p->near, sizeof p->near);
        }
        index->postings_bytes += (room - (p->room == 2 ? 0 : p->room)) * sizeof *far;
        p->far = far;
        p->room = room;
    }
    p->far[p->count++] = value;
}

/* ---- dictionaries ---- */

/* Spreads a gram key over a table. */
static size_t key_place(uint64_t key, size_t size)
{
    return (size_t)((key * 0x9E3779B97F4A7C15u) >> 20) & (size - 1);
}

/* Place of a word in its table: where it is, or the free place where it belongs. */
static size_t word_place(const struct kb_index *index, const char *word, size_t len, uint32_t hash)
{
    size_t at = hash & (index->word_table_size - 1);

    while (index->word_table[at] != 0) {
        const struct kb_vocable *v = &index->words[index->word_table[at] - 1];
        if (v->hash == hash && v->len == len && memcmp(index->texts + v->text, word, len) == 0) {
            break;
        }
        at = (at + 1) & (index->word_table_size - 1);
    }
    return at;
}

uint32_t kb_index_word(const struct kb_index *index, const char *word, size_t len, uint32_t hash)
{
    return index->word_table_size == 0 ? 0 : index->word_table[word_place(index, word, len, hash)];
}

/* Place of a gram in its table. */
static size_t gram_place(const struct kb_index *index, uint64_t key)
{
    size_t at = key_place(key, index->gram_table_size);

    while (index->gram_table[at] != 0 && index->grams[index->gram_table[at] - 1].key != key) {
        at = (at + 1) & (index->gram_table_size - 1);
    }
    return at;
}

uint32_t kb_index_gram(const struct kb_index *index, uint64_t key)
{
    return index->gram_table_size == 0 ? 0 : index->gram_table[gram_place(index, key)];
}

/* The list of words with the same beginning, in a table of size places; SIZE_MAX for a word that is too
 * short. */
static size_t alike_place(const char *word, size_t len, size_t size)
{
    size_t at = 0;

    for (int i = 0; i < KB_ALIKE_CPS; i++) {
        int32_t cp;
        if (at >= len) {
            return SIZE_MAX;
        }
        at += kb_cp_next(word + at, len - at, &cp);
    }
    return kb_word_hash(word, at) & (size - 1);
}

uint32_t kb_index_alike(const struct kb_index *index, const char *word, size_t len)
{
    size_t place = index->word_table_size == 0 ? SIZE_MAX : alike_place(word, len, index->word_table_size);

    return place == SIZE_MAX ? 0 : index->alike_heads[place];
}

/* Puts a word into the list of its beginning. */
static void alike_add(struct kb_index *index, size_t position)
{
    const struct kb_vocable *v = &index->words[position];
    size_t place = alike_place(index->texts + v->text, v->len, index->word_table_size);

    index->alike_next[position] = 0;
    if (place != SIZE_MAX) {
        index->alike_next[position] = index->alike_heads[place];
        index->alike_heads[place] = (uint32_t)(position + 1);
    }
}

/* Doubles the word table when it is half full. */
static void word_table_grow(struct kb_index *index)
{
    if (index->word_count * 2 < index->word_table_size) {
        return;
    }
    size_t size = index->word_table_size == 0 ? TABLE_FIRST : index->word_table_size * 2;
    free(index->word_table);
    free(index->alike_heads);
    index->word_table = xcalloc(size, sizeof *index->word_table);
    index->alike_heads = xcalloc(size, sizeof *index->alike_heads);
    index->word_table_size = size;
    for (size_t i = 0; i < index->word_count; i++) {
        size_t at = index->words[i].hash & (size - 1);
        while (index->word_table[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        index->word_table[at] = (uint32_t)(i + 1);
        alike_add(index, i);
    }
}

/* Doubles the gram table when it is half full. */
static void gram_table_grow(struct kb_index *index)
{
    if (index->gram_count * 2 < index->gram_table_size) {
        return;
    }
    size_t size = index->gram_table_size == 0 ? TABLE_FIRST : index->gram_table_size * 2;
    free(index->gram_table);
    index->gram_table = xcalloc(size, sizeof *index->gram_table);
    index->gram_table_size = size;
    for (size_t i = 0; i < index->gram_count; i++) {
        size_t at = key_place(index->grams[i].key, size);
        while (index->gram_table[at] != 0) {
            at = (at + 1) & (size - 1);
        }
        index->gram_table[at] = (uint32_t)(i + 1);
    }
}

/* The position of a gram, added if it is new. */
static uint32_t gram_intern(struct kb_index *index, uint64_t key)
{
    gram_table_grow(index);
    size_t at = gram_place(index, key);
    if (index->gram_table[at] == 0) {
        size_t room = index->gram_room;
        index->grams = grown(index->grams, &room, index->gram_count + 1, sizeof *index->grams);
        if (room != index->gram_room) {
            index->gram_counts = xrealloc(index->gram_counts, room * sizeof *index->gram_counts);
            memset(index->gram_counts + index->gram_room, 0, (room - index->gram_room) * sizeof(uint32_t));
            index->gram_room = room;
        }
        index->grams[index->gram_count] = (struct kb_gram){.key = key};
        index->gram_table[at] = (uint32_t)++index->gram_count;
    }
    return index->gram_table[at] - 1;
}

uint64_t kb_word_mask(const int32_t *cps, size_t count)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < count; i++) {
        mask |= UINT64_C(1) << (cps[i] & 63);
    }
    return mask;
}

/* Fills in what a new word derives from its text: grams, letters. */
static void word_describe(struct kb_index *index, size_t position)
{
    struct kb_vocable *v = &index->words[position];
    const char *text = index->texts + v->text;
    uint64_t keys[KB_WORD_GRAMS];
    int32_t cps[KB_WORD_CPS];

    size_t count = kb_word_grams(text, v->len, keys);
    index->word_grams = grown(index->word_grams, &index->word_grams_room, index->word_grams_len + count,
                              sizeof *index->word_grams);
    v->grams = (uint32_t)index->word_grams_len;
    v->gram_count = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        index->word_grams[index->word_grams_len++] = gram_intern(index, keys[i]);
    }
    size_t letters = kb_word_cps(text, v->len, cps);
    bool cjk = letters > 0 && kb_cp_class(cps[0]) == KB_CP_CJK;
    v->cps = cjk ? 0 : (uint8_t)letters;
    index->masks[position] = kb_word_mask(cps, letters);
    index->letters[position] = v->cps;
}

/* The position of a word, added if it is new. */
static uint32_t word_intern(struct kb_index *index, const char *word, size_t len, uint32_t hash)
{
    word_table_grow(index);
    size_t at = word_place(index, word, len, hash);
    if (index->word_table[at] != 0) {
        return index->word_table[at] - 1;
    }
    size_t room = index->word_room;
    index->words = grown(index->words, &room, index->word_count + 1, sizeof *index->words);
    room = index->word_room;
    index->letters = grown(index->letters, &room, index->word_count + 1, sizeof *index->letters);
    room = index->word_room;
    index->alike_next = grown(index->alike_next, &room, index->word_count + 1, sizeof *index->alike_next);
    index->masks = grown(index->masks, &index->word_room, index->word_count + 1, sizeof *index->masks);
    index->texts = grown(index->texts, &index->texts_room, index->texts_len + len, 1);
    memcpy(index->texts + index->texts_len, word, len);
    index->words[index->word_count] =
        (struct kb_vocable){.text = (uint32_t)index->texts_len, .hash = hash, .len = (uint16_t)len};
    index->texts_len += len;
    index->word_table[at] = (uint32_t)++index->word_count;
    alike_add(index, index->word_count - 1);
    word_describe(index, index->word_count - 1);
    return (uint32_t)index->word_count - 1;
}

/* ---- slots ---- */

/* The position of a document; the one added last is the likely one. */
static uint32_t document_intern(struct kb_index *index, const char *document)
{
    size_t count = index->document_count;

    if (count > 0 && strcmp(index->documents[count - 1], document) == 0) {
        return (uint32_t)(count - 1);
    }
    index->documents = grown(index->documents, &index->document_room, count + 1, sizeof *index->documents);
    index->documents[count] = xstrdup(document);
    index->document_bytes += strlen(document) + 24;
    return (uint32_t)index->document_count++;
}

/* Adds a new slot with its lengths. */
static uint32_t slot_add(struct kb_index *index, uint64_t number, const char *document, uint32_t ordinal)
{
    size_t count = index->slot_count;

    CHECK(count == 0 || index->slots[count - 1].number < number);
    if (count == index->slot_room) {
        size_t room = index->slot_room;
        index->slots = grown(index->slots, &room, count + 1, sizeof *index->slots);
        index->word_lens = xrealloc(index->word_lens, room * sizeof(float));
        index->gram_lens = xrealloc(index->gram_lens, room * sizeof(float));
        index->slot_room = room;
    }
    index->slots[count] =
        (struct kb_slot){.number = number, .document = document_intern(index, document), .ordinal = ordinal};
    index->live++;
    return (uint32_t)index->slot_count++;
}

/* Counts the grams of one word of the slot; lists those seen first in touched. */
static size_t grams_count(struct kb_index *index, const struct kb_vocable *v, uint32_t times,
                          uint32_t *touched, size_t count)
{
    for (size_t i = 0; i < v->gram_count; i++) {
        uint32_t gram = index->word_grams[v->grams + i];
        if (index->gram_counts[gram] == 0) {
            touched[count++] = gram;
        }
        index->gram_counts[gram] += times;
    }
    return count;
}

bool kb_index_add(struct kb_index *index, const struct kb_bag *bag, uint64_t number, const char *document,
                  uint32_t ordinal)
{
    if (index->slot_count >= SLOTS_MAX || index->texts_len > UINT32_MAX - bag->text.len) {
        return false;
    }
    uint32_t slot = slot_add(index, number, document, ordinal);
    uint32_t *touched = xmalloc((bag->count * KB_WORD_GRAMS + 1) * sizeof *touched);
    size_t touched_count = 0;
    uint64_t grams = 0;
    for (size_t i = 0; i < bag->count; i++) {
        const struct kb_bag_word *w = &bag->words[i];
        uint32_t position = word_intern(index, kb_bag_text(bag, w), w->len, w->hash);
        struct kb_vocable *v = &index->words[position];
        postings_add(index, &v->postings, slot, w->count);
        v->live++;
        grams += (uint64_t)v->gram_count * w->count;
        touched_count = grams_count(index, v, w->count, touched, touched_count);
    }
    for (size_t i = 0; i < touched_count; i++) {
        struct kb_gram *g = &index->grams[touched[i]];
        postings_add(index, &g->postings, slot, index->gram_counts[touched[i]]);
        g->live++;
        index->gram_counts[touched[i]] = 0;
    }
    free(touched);
    index->word_lens[slot] = (float)bag->total;
    index->gram_lens[slot] = (float)grams;
    index->words_total += bag->total;
    index->grams_total += grams;
    return true;
}

/* Position + 1 of the slot with that number, or 0. */
static size_t slot_find(struct kb_index *index, uint64_t number)
{
    size_t low = 0, high = index->slot_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->slots[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < index->slot_count && index->slots[low].number == number ? low + 1 : 0;
}

void kb_index_remove(struct kb_index *index, const struct kb_bag *bag, uint64_t number)
{
    size_t slot = slot_find(index, number);

    if (slot == 0 || kb_index_dead(index, slot - 1)) {
        return;
    }
    uint64_t grams = 0;
    uint32_t *touched = xmalloc((bag->count * KB_WORD_GRAMS + 1) * sizeof *touched);
    size_t touched_count = 0;
    for (size_t i = 0; i < bag->count; i++) {
        const struct kb_bag_word *w = &bag->words[i];
        uint32_t position = kb_index_word(index, kb_bag_text(bag, w), w->len, w->hash);
        CHECK(position > 0);
        struct kb_vocable *v = &index->words[position - 1];
        v->live--;
        grams += (uint64_t)v->gram_count * w->count;
        touched_count = grams_count(index, v, 1, touched, touched_count);
    }
    for (size_t i = 0; i < touched_count; i++) {
        index->grams[touched[i]].live--;
        index->gram_counts[touched[i]] = 0;
    }
    free(touched);
    index->word_lens[slot - 1] = -1;
    index->live--;
    index->words_total -= bag->total;
    index->grams_total -= grams;
}

const char *kb_index_document(const struct kb_index *index, size_t slot)
{
    return index->documents[index->slots[slot].document];
}

size_t kb_index_bytes(const struct kb_index *index)
{
    return sizeof *index +
           index->word_room * (sizeof *index->words + sizeof *index->masks + 1 + sizeof(uint32_t)) +
           index->word_table_size * 2 * sizeof(uint32_t) + index->texts_room +
           index->word_grams_room * sizeof(uint32_t) +
           index->gram_room * (sizeof *index->grams + sizeof *index->gram_counts) +
           index->gram_table_size * sizeof(uint32_t) +
           index->slot_room * (sizeof *index->slots + 2 * sizeof(float)) +
           index->document_room * sizeof(char *) + index->postings_bytes + index->document_bytes;
}
