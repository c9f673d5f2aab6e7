/* rank_test.c: order, statistics over several indexes, dead slots, the previous turn, and confidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kb/confidence.h"
#include "kb/rank_int.h"

static const char *const TEXTS[] = {
    "The garage costs two euros an hour.",
    "Refunds take five days to reach your card.",
    "Green tea needs water of seventy degrees.",
    "The shop opens at nine on weekdays.",
    "Delivery takes three days and costs four euros.",
    "Vouchers are valid for three years.",
};
#define TEXT_COUNT (sizeof TEXTS / sizeof *TEXTS)

static void add(struct kb_index *index, size_t text, uint64_t number)
{
    struct kb_bag bag;
    char document[8] = {'d', (char)('0' + text), '\0'};

    kb_bag_init(&bag);
    kb_bag_add(&bag, TEXTS[text], strlen(TEXTS[text]), 1);
    assert_true(kb_index_add(index, &bag, number, document, 0));
    kb_bag_fini(&bag);
}

static void remove_text(struct kb_index *index, size_t text, uint64_t number)
{
    struct kb_bag bag;

    kb_bag_init(&bag);
    kb_bag_add(&bag, TEXTS[text], strlen(TEXTS[text]), 1);
    kb_index_remove(index, &bag, number);
    kb_bag_fini(&bag);
}

static void rank(const struct kb_index *const *indexes, size_t count, const char *text, const char *previous,
                 struct kb_ranking *out)
{
    struct kb_ranker *ranker = kb_ranker_new();

    kb_rank(ranker, &(struct kb_rank_query){indexes, count, text, previous, 0.35, 10}, out);
    kb_ranker_free(ranker);
}

/* Same documents, scores and signals, whatever the indexes they come from. */
static void assert_same(const struct kb_index *const *a_indexes, const struct kb_ranking *a,
                        const struct kb_index *const *b_indexes, const struct kb_ranking *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(kb_index_document(a_indexes[a->hits[i].index], a->hits[i].slot),
                            kb_index_document(b_indexes[b->hits[i].index], b->hits[i].slot));
        assert_true(a->hits[i].score == b->hits[i].score);
    }
    assert_memory_equal(a->signals, b->signals, sizeof a->signals);
}

static const char *const QUESTIONS[] = {"how long do refunds take", "garage price", "grean tea temperture",
                                        "three days", "x"};

/* A collection in two parts ranks as the whole; chunks that came and went leave no trace. */
static void test_statistics(void **state)
{
    struct kb_index *whole = kb_index_new(), *parts[2] = {kb_index_new(), kb_index_new()},
                    *used = kb_index_new();

    (void)state;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        add(whole, i, i + 1);
        add(parts[i % 2], i, i + 1);
        add(used, TEXT_COUNT - 1 - i, 2 * i + 1);
        add(used, i, 2 * i + 2);
    }
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        remove_text(used, TEXT_COUNT - 1 - i, 2 * i + 1);
        remove_text(used, TEXT_COUNT - 1 - i, 2 * i + 1); /* a second time: nothing */
    }
    assert_int_equal(used->live, TEXT_COUNT);
    for (size_t q = 0; q < sizeof QUESTIONS / sizeof *QUESTIONS; q++) {
        const struct kb_index *one[1] = {whole}, *two[2] = {parts[0], parts[1]}, *third[1] = {used};
        struct kb_ranking a, b, c;
        rank(one, 1, QUESTIONS[q], NULL, &a);
        rank(two, 2, QUESTIONS[q], NULL, &b);
        rank(third, 1, QUESTIONS[q], NULL, &c);
        assert_same(one, &a, two, &b);
        assert_same(one, &a, third, &c);
    }
    kb_index_free(whole);
    kb_index_free(parts[0]);
    kb_index_free(parts[1]);
    kb_index_free(used);
}

static const struct order_case {
    const char *question, *previous, *first;
} ORDERS[] = {
    {"when are refunds on my card", NULL, "d1"},
    {"refnuds", NULL, "d1"},
    {"GREEN TEA", NULL, "d2"},
    {"how much is it in euros", "tell me about the garage", "d0"},
    {"how much is it in euros", "tell me about delivery", "d4"},
};

static void test_order(void **state)
{
    struct kb_index *index = kb_index_new();
    const struct kb_index *one[1] = {index};

    (void)state;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        add(index, i, i + 1);
    }
    for (size_t i = 0; i < sizeof ORDERS / sizeof *ORDERS; i++) {
        struct kb_ranking out;
        rank(one, 1, ORDERS[i].question, ORDERS[i].previous, &out);
        assert_true(out.count > 0);
        assert_string_equal(kb_index_document(index, out.hits[0].slot), ORDERS[i].first);
    }
    kb_index_free(index);
}

/* A question the text answers is believed, one it does not is not, and the number is a probability. */
static void test_confidence(void **state)
{
    struct kb_index *index = kb_index_new();
    const struct kb_index *one[1] = {index};
    struct kb_ranking good, bad;
    double wild[KB_SIGNAL_COUNT];

    (void)state;
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        add(index, i, i + 1);
    }
    rank(one, 1, "how long are vouchers valid", NULL, &good);
    rank(one, 1, "who is the king of three days", NULL, &bad);
    assert_true(kb_confidence(good.signals) > 0.6);
    assert_true(kb_confidence(bad.signals) < 0.4);
    for (int i = 0; i < KB_SIGNAL_COUNT; i++) {
        wild[i] = i % 2 ? 1e6 : -1e6;
    }
    assert_true(kb_confidence(wild) >= 0 && kb_confidence(wild) <= 1);
    kb_index_free(index);
}

/* A message of a megabyte of unknown words is answered, from its head. */
static void test_long_question(void **state)
{
    struct kb_index *index = kb_index_new();
    const struct kb_index *one[1] = {index};
    struct kb_ranking out;
    struct buf text;

    (void)state;
    add(index, 0, 1);
    buf_init(&text, 2u << 20);
    buf_adds(&text, "garage ");
    for (int i = 0; i < 100000; i++) {
        buf_addf(&text, "qx%dz ", i);
    }
    rank(one, 1, buf_str(&text), buf_str(&text), &out);
    assert_int_equal(out.count, 1);
    buf_fini(&text);
    kb_index_free(index);
}

/* ---- a large base ---- */

#define MANY      6000
#define BIG_WORDS 2000

static uint64_t seed = 3;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 33) / (double)(1u << 31);
}

/* Words as often as natural languages have them. */
static size_t words_make(char *out, size_t room, unsigned count)
{
    size_t at = 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned word = (unsigned)pow(BIG_WORDS, uniform());
        at += (size_t)snprintf(out + at, room - at, "%c%c%u%c ", "bdfgklmnprst"[word % 12], "aeiou"[word % 5],
                               word, "aeioun"[word / 5 % 6]);
    }
    return at;
}

/* Chunks of about 40 such words in two indexes; every seventh is dead. */
static void big_make(struct kb_index *parts[2])
{
    struct kb_bag bag;
    char text[1024], document[16];

    kb_bag_init(&bag);
    for (unsigned i = 0; i < MANY; i++) {
        kb_bag_reset(&bag);
        kb_bag_add(&bag, text, words_make(text, sizeof text, 20 + i % 40), 1);
        snprintf(document, sizeof document, "d%u", i);
        assert_true(kb_index_add(parts[i % 3 == 0], &bag, i + 1, document, 0));
        if (i % 7 == 0) {
            kb_index_remove(parts[i % 3 == 0], &bag, i + 1);
        }
    }
    kb_bag_fini(&bag);
}

/* The same hits, with scores and signals that differ by rounding alone. */
static void assert_alike(const struct kb_ranking *a, const struct kb_ranking *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->hits[i].index, b->hits[i].index);
        assert_int_equal(a->hits[i].slot, b->hits[i].slot);
        assert_true(fabs(a->hits[i].score - b->hits[i].score) < 1e-5);
    }
    for (int i = 0; i < KB_SIGNAL_COUNT; i++) {
        assert_true(fabs(a->signals[i] - b->signals[i]) < 1e-4);
    }
}

/* Looking at common words only for chunks that can be among the best finds what looking at all finds. */
static void test_late(void **state)
{
    struct kb_index *parts[2] = {kb_index_new(), kb_index_new()};
    const struct kb_index *both[2] = {parts[0], parts[1]};
    struct kb_ranker *late = kb_ranker_new(), *whole = kb_ranker_new();
    unsigned saved = 0, previous_saved = 0;

    (void)state;
    big_make(parts);
    whole->late_chunks = SIZE_MAX;
    for (unsigned i = 0; i < 200; i++) {
        char text[512], previous[512];
        struct kb_ranking a, b;
        words_make(text, sizeof text, 1 + i % 9);
        words_make(previous, sizeof previous, 5);
        struct kb_rank_query q = {
            both, 2, text, i % 3 == 0 ? previous : NULL, 0.35, i % 2 ? 10 : KB_RANK_MAX};
        kb_rank(late, &q, &a);
        kb_rank(whole, &q, &b);
        assert_alike(&a, &b);
        assert_int_equal(whole->turns[0].late.count, 0);
        saved += late->turns[0].late.count > 0;
        previous_saved += i % 3 == 0 && late->turns[1].late.count > 0;
    }
    assert_true(saved > 50 && previous_saved > 10); /* or nothing was tested */
    kb_ranker_free(late);
    kb_ranker_free(whole);
    kb_index_free(parts[0]);
    kb_index_free(parts[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),    cmocka_unit_test(test_order),
        cmocka_unit_test(test_confidence),    cmocka_unit_test(test_late),
        cmocka_unit_test(test_long_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
