/* door_test.c: a channel kept ready is never older than what the store holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "channels_fixture.h"

/* What a post that names the id is shown. */
static enum err at_door(struct fixture *f, const char *id, char part[PARTITION_SIZE], json_t **channel)
{
    struct snapshot *snap = fixture_snapshot(f);
    enum err rc = channel_at_door(snap, id, part, channel);

    snapshot_close(snap);
    return rc;
}

/* Applies an update or, with body NULL, deletes. */
static void change(struct fixture *f, const char *id, json_t *body)
{
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *cs = changes_new();
    const char *field = NULL;
    json_t *channel = NULL;
    uint64_t rev = 0;
    struct buf why;

    buf_init(&why, 200);
    assert_int_equal(channel_get(snap, PART, id, &channel, &rev), ERR_OK);
    snapshot_close(snap);
    if (body != NULL) {
        assert_int_equal(channel_update(cs, PART, channel, rev, body, &field, &why), ERR_OK);
    } else {
        channel_delete(cs, PART, id, rev);
    }
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_decref(channel);
    json_decref(body);
    buf_fini(&why);
}

static void test_same_record_until_it_changes(void **state)
{
    struct fixture *f = *state;
    json_t *made = fixture_channel(f, PART);
    const char *id = jx_str(made, "id");
    char part[PARTITION_SIZE];
    json_t *first = NULL, *second = NULL, *third = NULL;
    struct buf secret;

    assert_int_equal(at_door(f, id, part, &first), ERR_OK);
    assert_string_equal(part, PART);
    assert_true(json_equal(first, made));
    memset(part, 0, sizeof part);
    assert_int_equal(at_door(f, id, part, &second), ERR_OK);
    assert_string_equal(part, PART);
    assert_ptr_equal(first, second);

    change(f, id, json_pack("{s:s}", "app_secret", "another-secret-of-it"));
    assert_int_equal(at_door(f, id, part, &third), ERR_OK);
    buf_init(&secret, 100);
    assert_int_equal(channel_secret(part, third, "app_secret", &secret), ERR_OK);
    assert_string_equal(buf_str(&secret), "another-secret-of-it");
    buf_fini(&secret);
    json_decref(first);
    json_decref(second);
    json_decref(third);
    json_decref(made);
}

static void test_gone_and_unknown(void **state)
{
    struct fixture *f = *state;
    json_t *made = fixture_channel(f, PART);
    char id[64], part[PARTITION_SIZE];
    json_t *channel = NULL;

    snprintf(id, sizeof id, "%s", jx_str(made, "id"));
    assert_int_equal(at_door(f, id, part, &channel), ERR_OK);
    json_decref(channel);
    change(f, id, NULL);
    assert_int_equal(at_door(f, id, part, &channel), ERR_NOTFOUND);
    assert_null(channel);
    assert_int_equal(at_door(f, "", part, &channel), ERR_NOTFOUND);
    assert_int_equal(at_door(f, "chn_no", part, &channel), ERR_NOTFOUND);
    json_decref(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_record_until_it_changes, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(test_gone_and_unknown, fixture_open, fixture_close),
    };
    return cmocka_run_group_tests(tests, fixture_keys, NULL);
}
