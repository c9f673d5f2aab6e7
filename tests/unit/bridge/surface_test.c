/* surface_test.c: prefixes and the case rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/api/surface.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct surface *camel(void)
{
    const char *rest;
    return surface_of("/v1/me", &rest);
}

static void prefixes(void **state)
{
    static const struct {
        const char *path;
        unsigned bit;
        const char *rest;
    } cases[] = {
        {"/api/v1/me/", ON_API, "/me/"},
        {"/api/v1", ON_API, "/"},
        {"/v1/me", ON_V1, "/me"},
        {"/v1", ON_V1, "/"},
        {"/v10/me", ON_ROOT | ON_ADMIN, "/v10/me"},
        {"/healthz", ON_ROOT | ON_ADMIN, "/healthz"},
        {"/api/v2/me", ON_ROOT | ON_ADMIN, "/api/v2/me"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *rest;
        assert_int_equal(surface_of(cases[i].path, &rest)->bit, cases[i].bit);
        assert_string_equal(rest, cases[i].rest);
    }
}

static void names(void **state)
{
    static const struct {
        const char *snake, *camel;
    } cases[] = {{"page_size", "pageSize"},     {"id", "id"},
                 {"api_version", "apiVersion"}, {"last4", "last4"},
                 {"webhook_id", "webhookId"},   {"created_at", "createdAt"}};
    struct buf out;
    (void)state;
    buf_init(&out, 100);
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&out);
        case_camel(cases[i].snake, &out);
        assert_string_equal(buf_str(&out), cases[i].camel);
        buf_reset(&out);
        case_snake(cases[i].camel, &out);
        assert_string_equal(buf_str(&out), cases[i].snake);
    }
    buf_fini(&out);
}

/* What text becomes on the way in or out. */
static char *worn(const char *text, bool in)
{
    struct buf clash;
    json_t *value, *turned;
    buf_init(&clash, 100);
    assert_int_equal(jx_parse_lenient(text, strlen(text), &value), ERR_OK);
    turned = in ? surface_in(camel(), value, &clash) : surface_out(camel(), value);
    char *out = turned != NULL ? jx_text(turned) : strdup(buf_str(&clash));
    json_decref(value);
    json_decref(turned);
    buf_fini(&clash);
    return out;
}

static void bodies(void **state)
{
    static const struct {
        const char *label;
        bool in;
        const char *text, *want;
    } cases[] = {
        {"out, deep", false, "{\"a_b\":[{\"c_d\":{\"e_f\":1}}]}", "{\"aB\":[{\"cD\":{\"eF\":1}}]}"},
        {"out, customers' own", false, "{\"metadata\":{\"my_key\":{\"x_y\":1}},\"x_y\":1}",
         "{\"metadata\":{\"my_key\":{\"x_y\":1}},\"xY\":1}"},
        {"out, custom fields", false, "{\"custom_fields\":{\"a_b\":1}}", "{\"customFields\":{\"a_b\":1}}"},
        {"in", true, "{\"externalId\":\"e_1\",\"metadata\":{\"myKey\":1}}",
         "{\"external_id\":\"e_1\",\"metadata\":{\"myKey\":1}}"},
        {"in, canonical names too", true, "{\"external_id\":1}", "{\"external_id\":1}"},
        {"in, custom fields", true, "{\"customFields\":{\"aB\":1}}", "{\"custom_fields\":{\"aB\":1}}"},
        {"in, twice", true, "{\"externalId\":1,\"external_id\":2}", "external_id"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *got = worn(cases[i].text, cases[i].in);
        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s: %s", cases[i].label, got);
        }
        free(got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(prefixes), cmocka_unit_test(names),
                                       cmocka_unit_test(bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
