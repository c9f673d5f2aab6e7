/* verify_test.c: the platform's signature and handshake, with the vectors published for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channels_fixture.h"

static const char empty_body[] = "{\"object\":\"whatsapp_business_account\",\"entry\":[]}";
static const char empty_sign[] = "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756";

#define REST_BEFORE                                                                                       \
    "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":[{\"field\":"         \
    "\"messages\",\"value\":"                                                                             \
    "{\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":\"15550001111\",\"phone_" \
    "number_id\":"                                                                                        \
    "\"123\"},\"contacts\":[{\"profile\":{\"name\":\""
#define REST_MIDDLE                                                                                   \
    "\"},\"wa_id\":\"16505551234\"}],\"messages\":[{\"from\":\"16505551234\",\"id\":\"wamid.TEST1\"," \
    "\"timestamp\":"                                                                                  \
    "\"1749416383\",\"type\":\"text\",\"text\":{\"body\":\""
#define REST_AFTER "\"}}]}}]}]}"
static const char escaped_body[] = REST_BEFORE "Zo\\u00eb" REST_MIDDLE "ok \\ud83d\\udc4b a\\/b" REST_AFTER;
static const char escaped_sign[] = "sha256=17b8e228270c757fb0f092c74e9c53744545fb8a649deee7600f2ad776c2c7f6";
static const char plain_body[] = REST_BEFORE "Zo\xc3\xab" REST_MIDDLE "ok \xf0\x9f\x91\x8b a/b" REST_AFTER;
static const char plain_sign[] = "sha256=a540b99473ef98c41f72125fb17db549f7caf612ba314316bd000e6017887140";

/* A platform's call with one header and three query values. */
struct call_data {
    const char *signature, *mode, *challenge, *token;
};

static const char *call_header(const char *name, void *arg)
{
    const struct call_data *data = arg;

    return strcmp(name, "X-Hub-Signature-256") == 0 ? data->signature : NULL;
}

static const char *call_query(const char *name, void *arg)
{
    const struct call_data *data = arg;

    if (strcmp(name, "hub.mode") == 0) {
        return data->mode;
    }
    if (strcmp(name, "hub.challenge") == 0) {
        return data->challenge;
    }
    return strcmp(name, "hub.verify_token") == 0 ? data->token : NULL;
}

/* A channel whose app secret is the one of the vectors. */
static json_t *vector_channel(const char *update)
{
    json_t *body = fixture_whatsapp_body();
    json_t *channel = NULL;
    const char *field = NULL;
    struct buf why;
    struct changes *cs = changes_new();

    buf_init(&why, 200);
    jx_set_str(body, "app_secret", "test_app_secret");
    assert_int_equal(channel_create(cs, PART, "agt_1", body, &channel, &field, &why), ERR_OK);
    if (update != NULL) {
        json_t *change = json_loads(update, 0, NULL);
        assert_int_equal(channel_update(cs, PART, channel, 1, change, &field, &why), ERR_OK);
        json_decref(change);
    }
    changes_free(cs);
    buf_fini(&why);
    json_decref(body);
    return channel;
}

static void test_lengths(void **state)
{
    (void)state;
    assert_int_equal(strlen(empty_body), 49);
    assert_int_equal(strlen(escaped_body), 407);
    assert_int_equal(strlen(plain_body), 394);
}

static void test_signature(void **state)
{
    static const char rotated[] = "{\"app_secret\":\"another_secret_now\"}";
    static const char dropped[] = "{\"app_secret\":\"another_secret_now\",\"app_secret_previous\":null}";
    static const struct {
        const char *label, *body, *signature, *update;
        enum err want;
    } rows[] = {
        {"empty batch", empty_body, empty_sign, NULL, ERR_OK},
        {"escaped", escaped_body, escaped_sign, NULL, ERR_OK},
        {"real UTF-8", plain_body, plain_sign, NULL, ERR_OK},
        {"signature of the other spelling", plain_body, escaped_sign, NULL, ERR_DENIED},
        {"one byte more", "{\"object\":\"whatsapp_business_account\",\"entry\":[]} ", empty_sign, NULL,
         ERR_DENIED},
        {"missing", empty_body, NULL, NULL, ERR_DENIED},
        {"empty", empty_body, "", NULL, ERR_DENIED},
        {"without the prefix", empty_body, "dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
         NULL, ERR_DENIED},
        {"old algorithm", empty_body, "sha1=dec6a680679a968e7e0319355b23599cbfc54502", NULL, ERR_DENIED},
        {"cut off", empty_body, "sha256=dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c63375",
         NULL, ERR_DENIED},
        {"not hex", empty_body, "sha256=zec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756",
         NULL, ERR_DENIED},
        {"wrong secret", empty_body,
         "sha256=0ec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756", NULL, ERR_DENIED},
        {"the secret before a rotation", empty_body, empty_sign, rotated, ERR_OK},
        {"the secret before, dropped", empty_body, empty_sign, dropped, ERR_DENIED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call_data data = {.signature = rows[i].signature};
        struct hook_call call = {.body = rows[i].body,
                                 .body_size = strlen(rows[i].body),
                                 .header = call_header,
                                 .query = call_query,
                                 .arg = &data};
        json_t *channel = vector_channel(rows[i].update);
        enum err rc = channel_ops("whatsapp")->verify(PART, channel, &call);
        if (rc != rows[i].want) {
            fail_msg("%s: %s", rows[i].label, err_name(rc));
        }
        json_decref(channel);
    }
}

static void test_challenge(void **state)
{
    char long_text[300] = {0};
    memset(long_text, 'x', sizeof long_text - 1);
    const struct {
        const char *label, *mode, *challenge, *token;
        enum err want;
        const char *answer;
    } rows[] = {
        {"good", "subscribe", "1158201444", "our-token", ERR_OK, "1158201444"},
        {"markup is echoed as it is", "subscribe", "<b>&", "our-token", ERR_OK, "<b>&"},
        {"wrong token", "subscribe", "1", "their-token", ERR_DENIED, ""},
        {"other mode", "unsubscribe", "1", "our-token", ERR_DENIED, ""},
        {"no mode", NULL, "1", "our-token", ERR_INVALID, ""},
        {"no challenge", "subscribe", NULL, "our-token", ERR_INVALID, ""},
        {"no token", "subscribe", "1", NULL, ERR_INVALID, ""},
        {"huge challenge", "subscribe", long_text, "our-token", ERR_INVALID, ""},
        {"huge challenge, wrong token", "subscribe", long_text, "x", ERR_DENIED, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call_data data = {
            .mode = rows[i].mode, .challenge = rows[i].challenge, .token = rows[i].token};
        struct hook_call call = {.header = call_header, .query = call_query, .arg = &data};
        json_t *channel = vector_channel(NULL);
        struct buf answer;
        buf_init(&answer, 1000);
        enum err rc = channel_ops("whatsapp")->challenge(PART, channel, &call, &answer);
        if (rc != rows[i].want || strcmp(buf_str(&answer), rows[i].answer) != 0) {
            fail_msg("%s: %s %s", rows[i].label, err_name(rc), buf_str(&answer));
        }
        buf_fini(&answer);
        json_decref(channel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_challenge),
    };

    return cmocka_run_group_tests(tests, fixture_keys, NULL);
}
