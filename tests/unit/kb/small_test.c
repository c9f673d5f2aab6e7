/* small_test.c: knowledge bases of one to ten documents: the right passage first, and silence where there is
 * no answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kb/confidence.h"
#include "kb/eval.h"
#include "kb/forms.h"
#include "kb/stopwords.h"
#include "kb/text.h"

/* ---- the evaluation sets ---- */

static const struct gate {
    const char *set;
    size_t documents, queries, outside;
    double p1, served, outside_recall, wrong;
} GATES[] = {
    {"en", 10, 32, 14, 0.96, 0.87, 1.00, 0.00},
    {"es", 6, 14, 6, 1.00, 0.75, 1.00, 0.00},
    {"de", 6, 14, 6, 1.00, 0.90, 1.00, 0.00},
};

/* The folder of a set, found from this file's own place. */
static void set_dir(const char *set, char *out, size_t size)
{
    snprintf(out, size, "%s", __FILE__);
    char *end = strstr(out, "unit/kb/small_test.c");
    assert_non_null(end);
    snprintf(end, size - (size_t)(end - out), "eval/bakery/%s", set);
}

static void test_sets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof GATES / sizeof *GATES; i++) {
        const struct gate *gate = &GATES[i];
        char dir[PATH_MAX];
        struct kb_eval_options options = {.dir = dir, .threshold = 0.5};
        struct kb_eval_result r;
        struct buf why;
        set_dir(gate->set, dir, sizeof dir);
        buf_init(&why, 1024);
        assert_int_equal(kb_eval(&options, &r, &why), ERR_OK);
        print_message("%s: P@1 %.4f served %.4f outside %.4f wrong %.4f\n", gate->set, r.p1, r.served,
                      r.outside_recall, r.wrong);
        assert_int_equal(r.documents, gate->documents);
        assert_int_equal(r.queries, gate->queries);
        assert_int_equal(r.outside, gate->outside);
        assert_true(r.p1 >= gate->p1);
        assert_true(r.served >= gate->served);
        assert_true(r.outside_recall >= gate->outside_recall);
        assert_true(r.wrong <= gate->wrong);
        buf_fini(&why);
    }
}

/* ---- one document ---- */

static const struct single {
    const char *title, *text, *question;
    bool answered;
} SINGLES[] = {
    {"Do you ship to Norway?", "Yes, within five working days.", "Do you ship to Norway?", true},
    {"Do you ship to Norway?", "Yes, within five working days.", "shipping to norway", true},
    {"Do you ship to Norway?", "Yes, within five working days.", "Do you ship to Chile?", false},
    {"Do you ship to Norway?", "Yes, within five working days.", "what is your wifi password", false},
    {"Returns", "You can return any item within 30 days of purchase. Bring the receipt.",
     "How many days do I have to return an item?", true},
    {"Returns", "You can return any item within 30 days of purchase. Bring the receipt.",
     "can I return a gift without the receipt", true},
    {"Returns", "You can return any item within 30 days of purchase. Bring the receipt.",
     "Do you sell bicycles?", false},
    {"Hours", "The shop opens at 9 in the morning on weekdays and is closed on Sundays.",
     "When does the shop open?", true},
    {"Hours", "The shop opens at 9 in the morning on weekdays and is closed on Sundays.",
     "How long is a gift voucher valid?", false},
};

static double ask_single(const struct single *s)
{
    struct kb_index *index = kb_index_new();
    struct kb_ranker *ranker = kb_ranker_new();
    struct kb_ranking ranking;
    struct kb_bag bag;
    const struct kb_index *indexes = index;

    kb_bag_init(&bag);
    kb_bag_add(&bag, s->title, strlen(s->title), KB_TITLE_WEIGHT);
    kb_bag_add(&bag, s->text, strlen(s->text), 1);
    assert_true(kb_index_add(index, &bag, 1, "doc", 0));
    kb_rank(ranker, &(struct kb_rank_query){&indexes, 1, s->question, NULL, 0, 5}, &ranking);
    double confidence = ranking.count > 0 ? kb_confidence(ranking.signals) : 0;
    kb_bag_fini(&bag);
    kb_ranker_free(ranker);
    kb_index_free(index);
    return confidence;
}

static void test_singles(void **state)
{
    size_t failed = 0;

    (void)state;
    for (size_t i = 0; i < sizeof SINGLES / sizeof *SINGLES; i++) {
        double confidence = ask_single(&SINGLES[i]);
        if ((confidence >= 0.5) != SINGLES[i].answered) {
            print_message("%s: %.3f\n", SINGLES[i].question, confidence);
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

/* ---- forms and stop words ---- */

static const struct pair {
    const char *a, *b;
    bool alike;
} PAIRS[] = {
    {"open", "opens", true},        {"open", "opening", true},   {"day", "days", true},
    {"ship", "shipping", true},     {"return", "returns", true}, {"delivery", "deliveries", true},
    {"encargo", "encargar", true},  {"torte", "torten", true},   {"card", "car", false},
    {"order", "orange", false},     {"price", "prize", false},   {"tea", "team", false},
    {"contact", "contract", false},
};

static void test_forms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        int32_t a[KB_WORD_CPS], b[KB_WORD_CPS];
        double likeness;
        size_t a_len = kb_word_cps(PAIRS[i].a, strlen(PAIRS[i].a), a);
        size_t b_len = kb_word_cps(PAIRS[i].b, strlen(PAIRS[i].b), b);
        if (kb_forms_alike(a, a_len, b, b_len, &likeness) != PAIRS[i].alike ||
            kb_forms_alike(b, b_len, a, a_len, &likeness) != PAIRS[i].alike) {
            fail_msg("%s, %s", PAIRS[i].a, PAIRS[i].b);
        }
    }
}

static const struct matter {
    const char *question, *words; /* those that are no stop words */
} MATTERS[] = {
    {"When are you open?", "open"},
    {"Do you sell bicycles?", "bicycles"},
    {"Wann haben Sie geöffnet?", "geoffnet"},
    {"¿A qué hora abrís?", "hora abris"},
    {"bu ürün için iade var mı", "urun iade"},
    {"the war was long", "war"},
    {"Gutschein", "Gutschein"},
};

static void test_stopwords(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof MATTERS / sizeof *MATTERS; i++) {
        struct kb_bag bag;
        struct buf left, want;
        enum kb_stop flags[16];
        kb_bag_init(&bag);
        buf_init(&left, 1024);
        buf_init(&want, 1024);
        kb_bag_add(&bag, MATTERS[i].question, strlen(MATTERS[i].question), 1);
        assert_true(bag.count <= 16);
        kb_stopwords(&bag, flags);
        for (size_t k = 0; k < bag.count; k++) {
            if (!flags[k]) {
                buf_addf(&left, "%s%.*s", left.len > 0 ? " " : "", (int)bag.words[k].len,
                         kb_bag_text(&bag, &bag.words[k]));
            }
        }
        kb_fold(MATTERS[i].words, strlen(MATTERS[i].words), &want);
        assert_string_equal(buf_str(&left), buf_str(&want));
        buf_fini(&left);
        buf_fini(&want);
        kb_bag_fini(&bag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_singles),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_stopwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
