/* shop_test.c: the figures of our own evaluation set must not fall. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "kb/eval.h"

/* The set's folder, found from this file's own place. */
static void set_dir(char *out, size_t size)
{
    snprintf(out, size, "%s", __FILE__);
    char *end = strstr(out, "unit/kb/shop_test.c");
    assert_non_null(end);
    snprintf(end, size - (size_t)(end - out), "eval/shop");
}

static void test_shop(void **state)
{
    char dir[PATH_MAX];
    struct kb_eval_options options = {.dir = dir, .threshold = 0.5};
    struct kb_eval_result r;
    struct buf why;

    (void)state;
    set_dir(dir, sizeof dir);
    buf_init(&why, 1024);
    assert_int_equal(kb_eval(&options, &r, &why), ERR_OK);
    print_message("nDCG@10 %.4f P@1 %.4f served %.4f outside %.4f wrong %.4f calibration %.4f\n", r.ndcg10,
                  r.p1, r.served, r.outside_recall, r.wrong, r.calibration_error);
    assert_int_equal(r.documents, 60);
    assert_int_equal(r.queries, 125);
    assert_int_equal(r.outside, 24);
    assert_true(r.ndcg10 >= 0.98);
    assert_true(r.p1 >= 0.96);
    assert_true(r.served >= 0.92);
    assert_true(r.outside_recall >= 0.95);
    assert_true(r.wrong <= 0.02);
    assert_true(r.calibration_error <= 0.09); /* all first hits are right, so all doubt is error */
    buf_fini(&why);
}

/* A folder that is not there, or not in the format, is named. */
static void test_missing(void **state)
{
    struct kb_eval_options options = {.dir = "/nowhere", .threshold = 0.5};
    struct kb_eval_result r;
    struct buf why;

    (void)state;
    buf_init(&why, 1024);
    assert_int_equal(kb_eval(&options, &r, &why), ERR_NOTFOUND);
    assert_non_null(strstr(buf_str(&why), "/nowhere/corpus.jsonl"));
    buf_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shop),
        cmocka_unit_test(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
