/* refit_test.c: an account's own calibration helps when its labels say so, and is refused when they do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "kb/refit.h"

#define LABELS 1000

/* The next number in [0, 1). */
static double next(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 40) / (double)(1u << 24);
}

/* Labels of a business where an answer of shipped confidence p is right with log odds a * odds(p) + b. */
static void labels_make(struct kb_label *labels, size_t count, double a, double b, uint64_t seed)
{
    for (size_t i = 0; i < count; i++) {
        double p = 0.02 + 0.96 * next(&seed);
        double truth = 1 / (1 + exp(-(a * log(p / (1 - p)) + b)));
        labels[i] = (struct kb_label){p, next(&seed) < truth};
    }
}

static const struct business {
    const char *label;
    double a, b;
    size_t count;
    bool taken;
} BUSINESSES[] = {
    {"too sure", 1, -1.5, 1000, true},        {"too timid", 1, 1.2, 1000, true},
    {"too steep", 0.4, 0, 1000, true},        {"both, from 200 labels on", 0.6, -1.2, 200, true},
    {"as shipped", 1, 0, 1000, false},        {"as shipped, 200 labels", 1, 0, 200, false},
    {"one label too few", 1, -2, 199, false}, {"upside down", -1, 0, 1000, false},
};

/* A fit that is taken lowers the error on labels that come later; another leaves everything as it is. */
static void test_businesses(void **state)
{
    static struct kb_label past[LABELS], later[4 * LABELS];

    (void)state;
    for (size_t i = 0; i < sizeof BUSINESSES / sizeof *BUSINESSES; i++) {
        const struct business *b = &BUSINESSES[i];
        struct kb_calibration none = KB_CALIBRATION_NONE;
        struct kb_refit fit;
        labels_make(past, b->count, b->a, b->b, 17 + i);
        labels_make(later, 4 * LABELS, b->a, b->b, 1700 + i);
        kb_refit(past, b->count, &fit);
        double before = kb_calibration_error(later, 4 * LABELS, &none);
        double after = kb_calibration_error(later, 4 * LABELS, &fit.calibration);
        print_message("%s: taken %d, error %.4f -> %.4f (%s)\n", b->label, fit.taken, before, after,
                      fit.reason);
        assert_int_equal(fit.labels, b->count);
        assert_int_equal(fit.taken, b->taken);
        assert_true(kb_calibration_sane(&fit.calibration));
        if (b->taken) {
            assert_true(after < before / 2);
            assert_true(after < 0.07);
            assert_true(fit.error_after < fit.error_before);
        } else {
            assert_true(fit.calibration.stretch == 1 && fit.calibration.shift == 0);
        }
    }
}

/* Labels that say nothing of the confidence, or all the same, teach nothing. */
static void test_bad_labels(void **state)
{
    static struct kb_label labels[LABELS];
    struct kb_refit fit;

    (void)state;
    for (size_t i = 0; i < LABELS; i++) {
        labels[i] = (struct kb_label){(double)(i % 100) / 100, true};
    }
    kb_refit(labels, LABELS, &fit);
    assert_false(fit.taken);
    assert_non_null(strstr(fit.reason, "too few"));
    for (size_t i = 0; i < LABELS; i++) { /* certain answers, all rejected; hopeless ones, all confirmed */
        labels[i] = (struct kb_label){i % 2 ? 0.97 : 0.03, i % 2 == 0};
    }
    kb_refit(labels, LABELS, &fit);
    assert_false(fit.taken);
    kb_refit(NULL, 0, &fit);
    assert_false(fit.taken);
}

/* Order is kept, ends stay ends. */
static void test_calibrate(void **state)
{
    struct kb_calibration c = {0.5, -1};
    double last = -1;

    (void)state;
    for (int i = 0; i <= 100; i++) {
        double p = kb_calibrate(&c, i / 100.0);
        assert_true(p > last && p >= 0 && p <= 1);
        last = p;
    }
    assert_true(kb_calibrate(&c, 0) == 0 && kb_calibrate(&c, 1) == 1);
    assert_false(kb_calibration_sane(&(struct kb_calibration){-1, 0}));
    assert_false(kb_calibration_sane(&(struct kb_calibration){NAN, 0}));
    assert_false(kb_calibration_sane(&(struct kb_calibration){1, 9}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_businesses),
        cmocka_unit_test(test_bad_labels),
        cmocka_unit_test(test_calibrate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
