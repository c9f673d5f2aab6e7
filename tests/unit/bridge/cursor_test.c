/* cursor_test.c: a cursor leads back to its place in its own list and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "bridge/api/cursor.h"
#include "queue/base/crypto.h"

static int with_key(void **state)
{
    char dir[] = "/tmp/cursor_test.XXXXXX", path[64];
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof(path), "%s/master.key", dir);
    enum err rc = crypto_master_key_create(path);
    unlink(path);
    rmdir(dir);
    return rc == ERR_OK ? 0 : -1;
}

static void there_and_back(void **state)
{
    struct buf cursor, place;
    (void)state;
    buf_init(&cursor, 1000);
    buf_init(&place, 1000);
    assert_int_equal(cursor_make("acc_1:live /api/v1/events/", "evt_01", &cursor), ERR_OK);
    assert_null(strstr(buf_str(&cursor), "evt_01"));
    assert_int_equal(cursor_read("acc_1:live /api/v1/events/", buf_str(&cursor), &place), ERR_OK);
    assert_string_equal(buf_str(&place), "evt_01");
    buf_fini(&cursor);
    buf_fini(&place);
}

static void refused_elsewhere_and_altered(void **state)
{
    static const char *const lists[] = {"acc_2:live /api/v1/events/", "acc_1:test /api/v1/events/",
                                        "acc_1:live /api/v1/events/?type=x", ""};
    struct buf cursor, place;
    (void)state;
    buf_init(&cursor, 1000);
    buf_init(&place, 1000);
    assert_int_equal(cursor_make("acc_1:live /api/v1/events/", "evt_01", &cursor), ERR_OK);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        assert_int_equal(cursor_read(lists[i], buf_str(&cursor), &place), ERR_INVALID);
    }
    for (size_t i = 0; i < cursor.len; i++) {
        char kept = cursor.data[i];
        cursor.data[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(cursor_read("acc_1:live /api/v1/events/", buf_str(&cursor), &place), ERR_INVALID);
        cursor.data[i] = kept;
    }
    assert_int_equal(cursor_read("acc_1:live /api/v1/events/", "", &place), ERR_INVALID);
    assert_int_equal(cursor_read("acc_1:live /api/v1/events/", "v1.", &place), ERR_INVALID);
    assert_int_equal(place.len, 0);
    buf_fini(&cursor);
    buf_fini(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_and_back),
                                       cmocka_unit_test(refused_elsewhere_and_altered)};
    return cmocka_run_group_tests(tests, with_key, NULL);
}
