/* sign_test.c: both signatures against values computed by another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/webhooks/sign.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char body[] =
    "{\"id\":\"evt_01\",\"type\":\"message.received\",\"data\":{\"text\":\"caf\xc3\xa9 \xe2\x98\x95\"}}";

static const struct {
    const char *label, *secret;
    bool base64;
    const char *plain, *standard;
} cases[] = {
    {"not base64: the whole text is the key", "whsec_your_signing_secret", false,
     "d1688c6f96c77aa6a11b57059cae285e77c5f32581c9f5a618261b0e5e0a67fe",
     "jMoanBEfxJb3cioTsIIq7FChXFYokKwDwb3ZV2T624Y="},
    {"base64 of 32 bytes", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", true,
     "bd5f6fc66c862442dfb040f45b07bf3622eb1ae35a211a7c229599c607f03ecb",
     "NghmOjlraDjiQHm6Xrgm5JzPBD1zsstXL+RuQpxRM8k="},
    {"no prefix", "plain-secret-of-16", false,
     "9c479d68d1917346dcffc60b7413d2d12b2b902f71490e9a2fb07a9d2ebf4079",
     "yVLpSU71DSMR0RLGakOHLQ9RlMq56Ls/mgwzNyQxqC0="},
    {"base64 of too few bytes", "whsec_c2hvcnQ=", false,
     "44d14e64f54e9ef40b70cf0975139735084d863e65b4d1c78877a40e39457d76",
     "tWgViLgqw3i4iih+DIAglX9zCFoSjjkveHLCU3tbP1s="},
};

static struct sign_input input(void)
{
    return (struct sign_input){
        .id = "evt_01", .timestamp_s = 1614265330, .body = body, .size = sizeof(body) - 1};
}

static void vectors(void **state)
{
    struct sign_input in = input();
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char secrets[1][SIGN_SECRET_SIZE], want[200];
        uint8_t key[SIGN_KEY_MAX];
        size_t size;
        struct buf out;
        snprintf(secrets[0], SIGN_SECRET_SIZE, "%s", cases[i].secret);
        buf_init(&out, 1024);
        sign_plain(&out, secrets, 1, &in);
        snprintf(want, sizeof(want), "sha256=%s", cases[i].plain);
        assert_string_equal(buf_str(&out), want);
        buf_reset(&out);
        sign_standard(&out, secrets, 1, &in);
        snprintf(want, sizeof(want), "v1,%s", cases[i].standard);
        assert_string_equal(buf_str(&out), want);
        assert_int_equal(sign_key(cases[i].secret, key, &size), cases[i].base64);
        buf_fini(&out);
    }
}

static void two_secrets_sign_side_by_side(void **state)
{
    struct sign_input in = input();
    char secrets[2][SIGN_SECRET_SIZE], want[400];
    struct buf out;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        snprintf(secrets[i], SIGN_SECRET_SIZE, "%s", cases[i].secret);
    }
    buf_init(&out, 1024);
    sign_plain(&out, secrets, 2, &in);
    snprintf(want, sizeof(want), "sha256=%s,sha256=%s", cases[0].plain, cases[1].plain);
    assert_string_equal(buf_str(&out), want);
    buf_reset(&out);
    sign_standard(&out, secrets, 2, &in);
    snprintf(want, sizeof(want), "v1,%s v1,%s", cases[0].standard, cases[1].standard);
    assert_string_equal(buf_str(&out), want);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors),
                                       cmocka_unit_test(two_secrets_sign_side_by_side)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
