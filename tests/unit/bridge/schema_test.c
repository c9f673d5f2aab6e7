/* schema_test.c: bodies against the tables of fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/api/schema.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void bodies(void **state)
{
    static const struct {
        const char *label;
        enum schema_id schema;
        const char *body;
        bool partial;
        const char *field; /* NULL: fine */
        bool unknown;
    } cases[] = {
        {"fine", SCHEMA_KEY, "{\"name\":\"x\",\"scopes\":[\"read\"]}", false, NULL, false},
        {"missing", SCHEMA_KEY, "{}", false, "name", false},
        {"missing is fine in a part", SCHEMA_AGENT, "{}", true, NULL, false},
        {"empty", SCHEMA_KEY, "{\"name\":\"\"}", false, "name", false},
        {"not text", SCHEMA_KEY, "{\"name\":1}", false, "name", false},
        {"null where none may be", SCHEMA_KEY, "{\"name\":null}", false, "name", false},
        {"null where it may be", SCHEMA_KEY, "{\"name\":\"x\",\"expires_at\":null}", false, NULL, false},
        {"unknown", SCHEMA_KEY, "{\"name\":\"x\",\"id\":\"key_1\"}", false, "id", true},
        {"no choice", SCHEMA_KEY, "{\"name\":\"x\",\"mode\":\"liv\"}", false, "mode", false},
        {"a choice", SCHEMA_KEY, "{\"name\":\"x\",\"mode\":\"live\"}", false, NULL, false},
        {"not a time", SCHEMA_KEY, "{\"name\":\"x\",\"expires_at\":\"soon\"}", false, "expires_at", false},
        {"text among numbers", SCHEMA_KEY, "{\"name\":\"x\",\"scopes\":[1]}", false, "scopes", false},
        {"no array", SCHEMA_KEY, "{\"name\":\"x\",\"scopes\":\"read\"}", false, "scopes", false},
        {"too long", SCHEMA_KEY,
         "{\"name\":"
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaa\"}",
         false, "name", false},
        {"a whole number", SCHEMA_ROTATE, "{\"overlap_s\":60}", false, NULL, false},
        {"a fraction", SCHEMA_ROTATE, "{\"overlap_s\":60.5}", false, "overlap_s", false},
        {"negative", SCHEMA_ROTATE, "{\"overlap_s\":-1}", false, "overlap_s", false},
        {"too large", SCHEMA_ROTATE, "{\"overlap_s\":604801}", false, "overlap_s", false},
        {"nested", SCHEMA_AGENT, "{\"name\":\"x\",\"model\":{\"provider\":5}}", false, "model/provider",
         false},
        {"nested unknown", SCHEMA_HUMAN, "{\"text\":\"x\",\"author\":{\"id\":\"1\"}}", false, "author/id",
         true},
        {"open", SCHEMA_CHANNEL, "{\"type\":\"whatsapp\",\"phone_number_id\":\"1\"}", false, NULL, false},
        {"url", SCHEMA_WEBHOOK, "{\"url\":\"ftp://x\",\"events\":[\"*\"]}", false, "url", false},
        {"boolean", SCHEMA_WEBHOOK, "{\"url\":\"https://x\",\"events\":[\"*\"],\"ordered\":1}", false,
         "ordered", false},
        {"nothing allowed", SCHEMA_EMPTY, "{\"a\":1}", false, "a", true},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *body;
        struct schema_fault fault;
        assert_int_equal(jx_parse_strict(cases[i].body, strlen(cases[i].body), &body, NULL), ERR_OK);
        enum err rc = schema_check(cases[i].schema, body, cases[i].partial, &fault);
        if ((rc == ERR_OK) != (cases[i].field == NULL) ||
            (rc != ERR_OK &&
             (strcmp(fault.field, cases[i].field) != 0 || fault.unknown != cases[i].unknown))) {
            fail_msg("%s: %s %s", cases[i].label, err_name(rc), fault.field);
        }
        json_decref(body);
    }
}

static void urls(void **state)
{
    static const struct {
        const char *url;
        bool want;
    } cases[] = {
        {"https://example.com/a?b=c@d", true},
        {"http://[::1]:8080/", true},
        {"https://u:p@example.com/", false},
        {"https://", false},
        {"https:///path", false},
        {"file:///etc/passwd", false},
        {"https://a b/", false},
        {"https://a\\@b/", false},
        {"HTTPS://x", false},
        {"https://x@y", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (schema_url_ok(cases[i].url) != cases[i].want) {
            fail_msg("%s", cases[i].url);
        }
    }
}

/* Each row belongs to a schema, no name comes twice in one, and every field has words. */
static void table(void **state)
{
    (void)state;
    for (unsigned i = 0; i < field_row_count; i++) {
        assert_in_range(field_rows[i].schema, 1, SCHEMA_COUNT - 1);
        assert_true(strlen(field_rows[i].text) > 3);
        for (unsigned k = 0; k < i; k++) {
            assert_false(field_rows[k].schema == field_rows[i].schema &&
                         strcmp(field_rows[k].name, field_rows[i].name) == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies), cmocka_unit_test(urls),
                                       cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
