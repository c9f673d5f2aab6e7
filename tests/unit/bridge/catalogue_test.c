/* catalogue_test.c: every event has a schema that its example fits, and no row speaks of an event that there
 * is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/webhooks/catalogue.h"
#include "queue/events.h"

/* True if the schema allows a value of this kind. */
static bool type_fits(const json_t *type, const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object",   [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer", [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",   [JSON_NULL] = "null"};
    const char *is = names[json_typeof(value)];
    size_t i;
    json_t *one;
    if (json_is_string(type)) {
        return strcmp(json_string_value(type), is) == 0;
    }
    json_array_foreach (type, i, one) {
        if (strcmp(json_string_value(one), is) == 0) {
            return true;
        }
    }
    return false;
}

/* Fails where value does not fit. */
static void check(const json_t *schema, const json_t *value, const char *where)
{
    size_t i;
    const char *key;
    json_t *item;
    const json_t *type = json_object_get(schema, "type");
    if (type != NULL && !type_fits(type, value)) {
        fail_msg("%s is of another type", where);
    }
    json_array_foreach (jx_arr(schema, "required"), i, item) {
        if (json_object_get(value, json_string_value(item)) == NULL) {
            fail_msg("%s lacks %s", where, json_string_value(item));
        }
    }
    json_object_foreach (jx_obj(schema, "properties"), key, item) {
        if (json_object_get(value, key) != NULL) {
            check(item, json_object_get(value, key), key);
        }
    }
}

static void every_example_fits_its_schema(void **state)
{
    (void)state;
    for (unsigned i = 0; i < event_row_count; i++) {
        json_t *schema = catalogue_schema(event_rows[i].type),
               *example = catalogue_example(event_rows[i].type);
        check(schema, example, event_rows[i].type);
        assert_string_equal(jx_str(example, "type"), event_rows[i].type);
        assert_true(json_object_size(jx_obj(example, "data")) > 0);
        json_decref(schema);
        json_decref(example);
    }
}

static void every_row_speaks_of_an_event(void **state)
{
    static const char *const events[] = {
#define DATA(event, name, object, required) event,
#include "bridge/webhooks/tbl_event_data.h"
#undef DATA
    };
    (void)state;
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        assert_true(event_subscription_valid(events[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_fits_its_schema),
        cmocka_unit_test(every_row_speaks_of_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
