/* orphans_test.c: what a record of any account and mode names stays; what none names goes once it is a day
 * old. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utime.h>

#include <cmocka.h>

#include "bridge/app.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/store.h"

#define LIVE   "acc_01ARZ3NDEKTSV4RRFFQ69G5FAV:live"
#define TEST   "acc_01ARZ3NDEKTSV4RRFFQ69G5FAV:test"
#define DAY_MS (24 * 3600 * (int64_t)1000)

static char dir[] = "/tmp/orphans_test.XXXXXX";

/* A blob that was put two days ago. */
static void put_old(const char *text, char hex[65])
{
    assert_int_equal(blob_put(text, strlen(text), hex), ERR_OK);
    char *path = blob_path(hex);
    time_t at = (time_t)((clock_wall_ms() - 2 * DAY_MS) / 1000);
    struct utimbuf times = {at, at};
    assert_int_equal(utime(path, &times), 0);
    free(path);
}

static void add(struct changes *cs, enum kind kind, const char *part, const char *id, const char *field,
                const char *hex)
{
    json_t *body = json_object();
    jx_set_str(body, field, hex);
    changes_put(cs, kind, part, id, body);
    json_decref(body);
}

static bool is_there(const char *hex)
{
    size_t size;
    return blob_size(hex, &size) == ERR_OK;
}

static void unnamed_goes_named_stays(void **state)
{
    struct store *store;
    char uri[64], live[65], test[65], other[65], orphan[65], young[65];
    unsigned removed = 99;
    (void)state;
    snprintf(uri, sizeof uri, "lmdb:%s/store", dir);
    assert_int_equal(store_open(uri, 64u << 20, 100, &store), ERR_OK);
    put_old("live", live);
    put_old("test", test);
    put_old("other", other);
    put_old("orphan", orphan);
    assert_int_equal(blob_put("young", 5, young), ERR_OK);
    struct changes *cs = changes_new();
    add(cs, KIND_FILE, LIVE, "fil_1", "sha256", live);
    add(cs, KIND_FILE, TEST, "fil_2", "sha256", test);
    add(cs, KIND_DOCUMENT, LIVE, "doc_1", "original", other);
    add(cs, KIND_EVENT, LIVE, "evt_1", "sha256", orphan); /* events only tell */
    assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);

    assert_int_equal(orphans_sweep(store, &removed), ERR_OK);
    assert_int_equal(removed, 1);
    assert_true(is_there(live) && is_there(test) && is_there(other) && is_there(young));
    assert_false(is_there(orphan));

    cs = changes_new();
    changes_delete(cs, KIND_FILE, TEST, "fil_2");
    assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);
    assert_int_equal(orphans_sweep(store, &removed), ERR_OK);
    assert_int_equal(removed, 1);
    assert_false(is_there(test));
    store_close(store);
}

static int make_dir(void **state)
{
    char blobs[64];
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(blobs, sizeof blobs, "%s/blobs", dir);
    blob_root(blobs);
    return 0;
}

static int drop_dir(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unnamed_goes_named_stays)};
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
