/* text_test.c: the folding table: what is made equal, and what must stay different. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kb/text.h"

static const struct fold_case {
    const char *label, *input, *want;
} FOLDS[] = {
    {"ASCII", "Hello WORLD 42", "hello world 42"},
    {"French", "Été à Nîmes", "ete a nimes"},
    {"accent as a mark of its own", "e\xCC\x81t\xC3\xA9", "ete"},
    {"German", "Straße, ÄÖÜ", "strasse, aou"},
    {"letters without decomposition", "Łódź øre æ đ", "lodz ore ae d"},
    {"Turkish dotless", "IŞIK ısı İstanbul", "isik isi istanbul"},
    {"Turkish plain", "isik isi istanbul", "isik isi istanbul"},
    {"Spanish", "¿Cuánto cuesta el envío, señor?", "¿cuanto cuesta el envio, senor?"},
    {"Vietnamese", "Tiếng Việt", "tieng viet"},
    {"Greek", "Ἀθῆναι ΣΟΦΌΣ", "αθηναι σοφοσ"},
    {"Cyrillic", "Ёлка Йод", "елка иод"},
    {"compatibility forms", "ﬁle Ｗｉｄｅ ①", "file wide 1"},
    {"Arabic vowels", "مُحَمَّد", "محمد"},
    {"Arabic tatweel", "عـــربي", "عربي"},
    {"Arabic alef, ya, ta marbuta", "أحمد إلى آخرة", "احمد الي اخره"},
    {"Arabic digits", "٣٤٥ ۳۴۵", "345 345"},
    {"Hebrew points", "שָׁלוֹם", "שלום"},
    {"Hindi keeps its marks", "डिलीवरी का शुल्क", "डिलीवरी का शुल्क"},
    {"Hindi digits", "२०२६", "2026"},
    {"Thai keeps its marks", "ที่ไหน", "ที่ไหน"},
    {"Japanese keeps its marks", "ガギ", "ガギ"},
    {"half-width katakana", "ｶﾞｷﾞ", "ガギ"},
    {"Korean", "한국어", "한국어"},
    {"zero-width joiner goes", "क्\xE2\x80\x8Dष", "क्ष"},
    {"zero-width space separates",
     "ab\xE2\x80\x8B"
     "cd",
     "ab cd"},
    {"soft hyphen goes", "co\xC2\xADop", "coop"},
    {"byte order mark goes", "\xEF\xBB\xBFok", "ok"},
    {"broken bytes become spaces",
     "a\xFF"
     "b\xC3",
     "a b "},
    {"empty", "", ""},
};

static void test_fold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FOLDS / sizeof *FOLDS; i++) {
        struct buf out;
        buf_init(&out, 4096);
        kb_fold(FOLDS[i].input, strlen(FOLDS[i].input), &out);
        if (strcmp(buf_str(&out), FOLDS[i].want) != 0) {
            print_error("%s: got '%s'\n", FOLDS[i].label, buf_str(&out));
        }
        assert_string_equal(buf_str(&out), FOLDS[i].want);
        buf_fini(&out);
    }
}

/* Folding what is folded changes nothing. */
static void test_stable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FOLDS / sizeof *FOLDS; i++) {
        struct buf out;
        buf_init(&out, 4096);
        kb_fold(FOLDS[i].want, strlen(FOLDS[i].want), &out);
        assert_string_equal(buf_str(&out), FOLDS[i].want);
        buf_fini(&out);
    }
}

/* Any bytes at all: valid UTF-8 comes out. */
static void test_noise(void **state)
{
    char noise[4096];
    uint32_t seed = 1;
    struct buf out;

    (void)state;
    for (size_t i = 0; i < sizeof noise; i++) {
        seed = seed * 1664525u + 1013904223u;
        noise[i] = (char)(seed >> 24);
    }
    buf_init(&out, 1 << 20);
    kb_fold(noise, sizeof noise, &out);
    assert_true(buf_ok(&out));
    for (size_t at = 0; at < out.len;) {
        int32_t cp;
        at += kb_cp_next(out.data + at, out.len - at, &cp);
        assert_true(cp >= 0);
    }
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold),
        cmocka_unit_test(test_stable),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
