/* dot_test.c: every variant of the product agrees with the plain one, and bytes keep the cosine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "kb/dot.h"

#define MOST 1100

static uint32_t state = 7;

static int8_t part(void)
{
    state = state * 1664525u + 1013904223u;
    return (int8_t)((int)(state >> 24) % 128 - ((state >> 8 & 1) != 0 ? 0 : 127) / 2);
}

static void variants_agree(void **unused)
{
    static int8_t a[MOST], b[MOST];
    const char *name;
    size_t variants = 0;

    (void)unused;
    for (kb_dot_fn fn = kb_dot_variant(0, &name); fn != NULL; fn = kb_dot_variant(++variants, &name)) {
        for (size_t n = 0; n <= MOST; n += n < 200 ? 1 : 97) {
            int32_t want = 0;
            for (size_t i = 0; i < n; i++) {
                a[i] = n % 5 == 0 ? (int8_t)-128 : part();
                b[i] = n % 5 == 0 ? (int8_t)(n % 2 == 0 ? -128 : 127) : part();
                want += a[i] * b[i];
            }
            if (fn(a, b, n) != want) {
                fail_msg("%s, %zu parts: %d, not %d", name, n, fn(a, b, n), want);
            }
        }
    }
    assert_true(variants >= 1);
    assert_ptr_equal(kb_dot(), kb_dot_variant(0, &name));
}

static void bytes_keep_the_cosine(void **unused)
{
    float a[384], b[384];
    int8_t x[384], y[384];
    double product = 0, left = 0, right = 0;

    (void)unused;
    for (size_t i = 0; i < 384; i++) {
        a[i] = (float)part() * .3f;
        b[i] = a[i] + (float)part() * .2f;
        product += a[i] * b[i];
        left += a[i] * a[i];
        right += b[i] * b[i];
    }
    float s = kb_quantise(a, 384, x), t = kb_quantise(b, 384, y);
    assert_true(fabs(s * t * kb_dot()(x, y, 384) - product / sqrt(left * right)) < .01);
}

static void a_vector_without_direction_is_none(void **unused)
{
    float zero[3] = {0}, bad[3] = {1, NAN, 0}, huge[2] = {INFINITY, 1};
    int8_t to[3];

    (void)unused;
    assert_true(kb_quantise(zero, 3, to) <= 0);
    assert_true(kb_quantise(bad, 3, to) <= 0);
    assert_true(kb_quantise(huge, 2, to) <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_agree),
        cmocka_unit_test(bytes_keep_the_cosine),
        cmocka_unit_test(a_vector_without_direction_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
