/* stored_test.c: a delivery's record completed as text is the record completed as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/webhooks/stored.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define NOW_MS       1795248000000 /* 2026-11-21T16:00:00Z */
#define NOTE         "{\"attempt\":1,\"at\":\"2026-11-21T16:00:00Z\",\"status\":204,\"response\":\"\"}"

static const char fresh[] =
    "{\"id\":\"dlv_1\",\"webhook_id\":\"whk_1\",\"event_id\":\"evt_1\",\"event_type\":"
    "\"message.received\",\"status\":\"pending\",\"replay\":true,\"attempts\":[],"
    "\"created_at\":\"2026-11-21T15:59:59Z\"}";

/* The record as JSON calls write it. */
static char *as_json(struct stored *stored)
{
    json_t *record = stored_json(stored), *note;
    assert_int_equal(jx_parse_lenient(NOTE, strlen(NOTE), &note), ERR_OK);
    jx_push(jx_arr(record, "attempts"), note);
    jx_set_str(record, "status", "delivered");
    jx_set_int(record, "tries", 1);
    jx_set_int(record, "response_status", 204);
    jx_set_time(record, "finished_at", NOW_MS);
    jx_set_time(record, "updated_at", NOW_MS);
    return jx_text(record);
}

static bool completed(const struct stored *stored, struct buf *out)
{
    struct buf note;
    buf_init(&note, 1000);
    buf_adds(&note, NOTE);
    bool done = stored_delivered(stored, &note, 204, NOW_MS, out);
    buf_fini(&note);
    return done;
}

static void same_text(void **state)
{
    struct stored stored;
    struct buf out;
    (void)state;
    buf_init(&out, 10000);
    assert_int_equal(stored_take(&stored, fresh, strlen(fresh)), ERR_OK);
    assert_string_equal(stored.event_id, "evt_1");
    assert_string_equal(stored.event_type, "message.received");
    assert_true(stored.pending && stored.replay);
    assert_int_equal(stored.tries, 0);
    assert_true(completed(&stored, &out));
    char *want = as_json(&stored);
    assert_string_equal(buf_str(&out), want);
    free(want);
    buf_fini(&out);
    stored_fini(&stored);
}

static void left_to_json(void **state)
{
    static const struct {
        const char *label, *text;
        enum err rc;
        bool pending;
        unsigned tries;
    } cases[] = {
        {"tried before", "{\"status\":\"pending\",\"attempts\":[{\"attempt\":1}],\"tries\":1}", ERR_OK, true,
         1},
        {"tries without attempts", "{\"status\":\"pending\",\"attempts\":[],\"tries\":3}", ERR_OK, true, 3},
        {"waits for its next", "{\"status\":\"pending\",\"attempts\":[],\"next_attempt_at\":\"x\"}", ERR_OK,
         true, 0},
        {"changed since", "{\"status\":\"pending\",\"attempts\":[],\"updated_at\":\"x\"}", ERR_OK, true, 0},
        {"done", "{\"status\":\"delivered\",\"attempts\":[]}", ERR_OK, false, 0},
        {"another order", "{\"attempts\":[],\"status\":\"pending\"}", ERR_OK, true, 0},
        {"no attempts", "{\"status\":\"pending\"}", ERR_OK, true, 0},
        {"blanks at the end", "{\"status\":\"pending\",\"attempts\":[]} ", ERR_OK, true, 0},
        {"broken", "{\"status\":\"pending\",\"attempts\":[", ERR_CORRUPT, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct stored stored;
        struct buf out;
        buf_init(&out, 10000);
        enum err rc = stored_take(&stored, cases[i].text, strlen(cases[i].text));
        if (rc != cases[i].rc || stored.pending != cases[i].pending || stored.tries != cases[i].tries ||
            completed(&stored, &out) || out.len > 0) {
            fail_msg("%s", cases[i].label);
        }
        buf_fini(&out);
        stored_fini(&stored);
    }
}

static void escapes_are_read(void **state)
{
    static const char text[] =
        "{\"event_id\":\"evt_\\u0031\",\"event_type\":\"a\\u002eb\",\"status\":\"pending\"}";
    struct stored stored;
    (void)state;
    assert_int_equal(stored_take(&stored, text, strlen(text)), ERR_OK);
    assert_string_equal(stored.event_id, "evt_1");
    assert_string_equal(stored.event_type, "a.b");
    stored_fini(&stored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_text),
        cmocka_unit_test(left_to_json),
        cmocka_unit_test(escapes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
