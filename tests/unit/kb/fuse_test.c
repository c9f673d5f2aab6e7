/* fuse_test.c: how words and meaning are joined, and what becomes of confidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "kb/kb_int.h"

/* Passages are letters; by words from the best, by meaning with the first one's cosine. */
static const struct row {
    const char *label, *words, *near;
    float cosine;
    double before;
    const char *want;
    double after;
} rows[] = {
    {"words alone stay", "abc", "", 0, .4, "abc", .4},
    {"meaning alone is not trusted", "", "ab", .5f, 0, "ab", 0},
    {"meaning alone, near enough", "", "ab", .9f, 0, "ab", .65},
    {"who is in both leads", "ab", "bc", .5f, .4, "bac", .2},
    {"words that are sure stay first", "ab", "bc", .9f, .8, "abc", .8},
    {"a near one leads over words that are not sure", "abc", "dab", .9f, .3, "dabc", .65},
    {"both agree", "ab", "ab", .5f, .3, "ab", .3},
};

static void tables_join(void **unused)
{
    (void)unused;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct kb_place words[4], out[8];
        struct kb_near near[4];
        size_t word_count = strlen(rows[r].words), near_count = strlen(rows[r].near);
        double confidence = rows[r].before;
        char got[9] = "";
        for (size_t i = 0; i < word_count; i++) {
            words[i] = (struct kb_place){1, (uint64_t)rows[r].words[i], 1, 0};
        }
        for (size_t i = 0; i < near_count; i++) {
            near[i] = (struct kb_near){1, (uint64_t)rows[r].near[i], rows[r].cosine / (float)(i + 1)};
        }
        struct kb_fusion fusion = {words, word_count, near, near_count, .8};
        size_t count = kb_fuse(&fusion, out, 8, &confidence);
        for (size_t i = 0; i < count; i++) {
            got[i] = (char)out[i].number;
        }
        if (strcmp(got, rows[r].want) != 0 || confidence < rows[r].after - .001 ||
            confidence > rows[r].after + .001) {
            fail_msg("%s: %s with %.2f, not %s with %.2f", rows[r].label, got, confidence, rows[r].want,
                     rows[r].after);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_join)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
