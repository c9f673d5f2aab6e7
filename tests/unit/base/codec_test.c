/* codec_test.c: every codec both ways, and what decoders refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "queue/base/codec.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void hex_both_ways(void **state)
{
    uint8_t bytes[4];
    char text[9];

    (void)state;
    hex_encode("\x00\x7f\xab\xff", 4, text);
    assert_string_equal(text, "007fabff");
    assert_true(hex_decode("007FabFF", 8, bytes, 4));
    assert_memory_equal(bytes, "\x00\x7f\xab\xff", 4);
    assert_false(hex_decode("007fabf", 7, bytes, 4));
    assert_false(hex_decode("007fab", 6, bytes, 4));
    assert_false(hex_decode("007fabfg", 8, bytes, 4));
    assert_true(hex_decode("", 0, bytes, 0));
}

/* The vectors of RFC 4648 section 10, and two that tell the alphabets apart. */
static void base64_both_ways(void **state)
{
    static const struct {
        const char *plain, *standard, *url;
    } cases[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foob", "Zm9vYg==", "Zm9vYg"},
        {"fooba", "Zm9vYmE=", "Zm9vYmE"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/", "-_-_"},
        {"\xfb\xff", "+/8=", "-_8"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&b);
        base64_encode(&b, cases[i].plain, strlen(cases[i].plain));
        assert_string_equal(buf_str(&b), cases[i].standard);
        buf_reset(&b);
        base64url_encode(&b, cases[i].plain, strlen(cases[i].plain));
        assert_string_equal(buf_str(&b), cases[i].url);
        buf_reset(&b);
        assert_true(base64_decode(&b, cases[i].standard, strlen(cases[i].standard)));
        assert_string_equal(buf_str(&b), cases[i].plain);
        buf_reset(&b);
        assert_true(base64url_decode(&b, cases[i].url, strlen(cases[i].url)));
        assert_string_equal(buf_str(&b), cases[i].plain);
    }
    buf_fini(&b);
}

static void base64_refuses(void **state)
{
    static const struct {
        const char *text;
        bool url;
    } cases[] = {
        {"Zg", false},   {"Zg=", false},  {"Z===", false},     {"====", false},     {"Zh==", false},
        {"Zm9=", false}, {"-_-_", false}, {"Zm9v Zm9", false}, {"Zg==Zg==", false}, {"Z=g=", false},
        {"=", false},    {"Zg==", true},  {"+/+/", true},      {"Z", true},         {"Zh", true},
        {"Zm9", true},   {"Zm9vY", true}, {"Zm9v\n", true},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    buf_adds(&b, "kept");
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len = strlen(cases[i].text);
        assert_false(cases[i].url ? base64url_decode(&b, cases[i].text, len)
                                  : base64_decode(&b, cases[i].text, len));
        assert_string_equal(buf_str(&b), "kept");
    }
    buf_fini(&b);

    buf_init(&b, 5);
    buf_adds(&b, "ab");
    assert_false(base64_decode(&b, "Zm9vYg==", 8));
    assert_string_equal(buf_str(&b), "ab");
    buf_fini(&b);
}

static void checksums_and_base62(void **state)
{
    char text[12];

    (void)state;
    assert_int_equal(crc32_of("123456789", 9), 0xcbf43926);
    assert_int_equal(crc32_of("", 0), 0);
    base62_encode(0, text, 6);
    assert_string_equal(text, "000000");
    base62_encode(61, text, 2);
    assert_string_equal(text, "0z");
    base62_encode(62 * 10 + 36, text, 3);
    assert_string_equal(text, "0Aa");
    base62_encode(UINT64_MAX, text, 11);
    assert_string_equal(text, "LygHa16AHYF");
}

static void percent_both_ways(void **state)
{
    static const struct {
        const char *plain, *encoded;
    } cases[] = {
        {"", ""},           {"aZ09-._~", "aZ09-._~"}, {"a b/c?d", "a%20b%2Fc%3Fd"}, {"\xc3\xa9", "%C3%A9"},
        {"100%", "100%25"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&b);
        percent_encode(&b, cases[i].plain, strlen(cases[i].plain));
        assert_string_equal(buf_str(&b), cases[i].encoded);
        buf_reset(&b);
        assert_true(percent_decode(&b, cases[i].encoded, strlen(cases[i].encoded), false));
        assert_string_equal(buf_str(&b), cases[i].plain);
    }
    buf_reset(&b);
    assert_true(percent_decode(&b, "a+b%2bc%252B", 12, true));
    assert_string_equal(buf_str(&b), "a b+c%2B");
    buf_reset(&b);
    assert_true(percent_decode(&b, "a+b", 3, false));
    assert_string_equal(buf_str(&b), "a+b");
    static const char *const bad[] = {"%", "%4", "a%4", "%zz", "%4z", "%00", "%%41"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(percent_decode(&b, bad[i], strlen(bad[i]), false));
    }
    buf_fini(&b);
}

static void utf8_is_checked_and_repaired(void **state)
{
    static const struct {
        const char *text, *repaired; /* NULL: the text is good as it is */
    } cases[] = {
        {"", NULL},
        {"plain", NULL},
        {"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", NULL},
        {"\x80", "\xef\xbf\xbd"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xffz", "\xef\xbf\xbdz"},
    };
    struct buf b;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *text = cases[i].text;
        assert_int_equal(utf8_valid(text, strlen(text)), cases[i].repaired == NULL);
        buf_reset(&b);
        utf8_repair(&b, text, strlen(text));
        assert_string_equal(buf_str(&b), cases[i].repaired != NULL ? cases[i].repaired : text);
    }
    buf_fini(&b);
}

static void prefixes_keep_code_points_whole(void **state)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1 + 2 + 3 + 4 + 1 bytes */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

    (void)state;
    for (size_t max = 0; max < COUNT(want); max++) {
        assert_int_equal(utf8_prefix(text, sizeof text - 1, max), want[max]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(base64_both_ways),
        cmocka_unit_test(base64_refuses),
        cmocka_unit_test(checksums_and_base62),
        cmocka_unit_test(percent_both_ways),
        cmocka_unit_test(utf8_is_checked_and_repaired),
        cmocka_unit_test(prefixes_keep_code_points_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
