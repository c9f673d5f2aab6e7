/* blob_test.c: files named by their bytes: whole or not at all, piece by piece too, and swept only when old
 * and unnamed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utime.h>

#include <cmocka.h>

#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"

#define DAY_MS (24 * 3600 * (int64_t)1000)

static char dir[] = "/tmp/blob_test.XXXXXX";

/* The file of that name was last put so long ago. */
static void grow_old(const char *hex, int64_t age_ms)
{
    char *path = blob_path(hex);
    time_t at = (time_t)((clock_wall_ms() - age_ms) / 1000);
    struct utimbuf times = {at, at};

    assert_int_equal(utime(path, &times), 0);
    free(path);
}

static bool is_there(const char *hex)
{
    size_t size;

    return blob_size(hex, &size) == ERR_OK;
}

static void pieces_make_the_same_blob(void **state)
{
    char whole[65], hex[65], data[70000];
    struct buf out;
    (void)state;

    memset(data, 'x', sizeof data);
    struct blob_sink *sink = blob_sink_new();
    for (size_t at = 0; at < sizeof data; at += 7000) {
        assert_true(blob_sink_add(sink, data + at, 7000));
    }
    assert_int_equal(blob_sink_size(sink), sizeof data);
    assert_int_equal(blob_sink_end(sink, hex), ERR_OK);
    assert_int_equal(blob_put(data, sizeof data, whole), ERR_OK);
    assert_string_equal(hex, whole);
    buf_init(&out, 100000);
    buf_adds(&out, "before ");
    assert_int_equal(blob_get(hex, &out), ERR_OK);
    assert_int_equal(out.len, sizeof data + 7);
    buf_fini(&out);
}

static void what_is_given_up_leaves_nothing(void **state)
{
    char command[128], hex[65];
    (void)state;

    sha256_hex("half", 4, hex);
    struct blob_sink *sink = blob_sink_new();
    assert_true(blob_sink_add(sink, "half", 4));
    blob_sink_free(sink);
    blob_sink_free(NULL);
    assert_false(is_there(hex));
    snprintf(command, sizeof command, "test -z \"$(ls %s | grep part-)\"", dir);
    assert_int_equal(system(command), 0);
}

static void bytes_that_changed_are_not_given(void **state)
{
    char hex[65];
    struct buf out;
    (void)state;

    assert_int_equal(blob_put("true", 4, hex), ERR_OK);
    char *path = blob_path(hex);
    FILE *file = fopen(path, "w");
    fputs("lies", file);
    fclose(file);
    free(path);
    buf_init(&out, 100);
    assert_int_equal(blob_get(hex, &out), ERR_CORRUPT);
    buf_fini(&out);
    assert_null(blob_path("../../etc/passwd"));
}

static const struct {
    const char *label, *bytes;
    size_t size;
    const char *declared, *want;
} types[] = {
    {"a picture whatever is said", "\x89PNG\r\n\x1a\n1234", 12, "text/plain", "image/png"},
    {"a voice message", "OggS\0\0", 6, "audio/ogg; codecs=opus", "audio/ogg"},
    {"a document", "%PDF-1.7", 8, NULL, "application/pdf"},
    {"text as said", "a,b\n", 4, "text/csv; charset=x", "text/csv; charset=utf-8"},
    {"text with a byte of zero", "a\0b", 3, "text/plain", "application/octet-stream"},
    {"text that is no UTF-8",
     "\xff\xfe"
     "a",
     3, "text/plain", "application/octet-stream"},
    {"a page that a browser would run", "<html>", 6, "text/html", "application/octet-stream"},
    {"a picture that is none", "<svg>", 5, "image/png", "application/octet-stream"},
    {"a type that only begins like one", "abc", 3, "text/plainer", "application/octet-stream"},
};

static void bytes_tell_the_type(void **state)
{
    char hex[65];
    (void)state;

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        print_message("%s\n", types[i].label);
        assert_string_equal(blob_sniff(types[i].bytes, types[i].size, types[i].declared), types[i].want);
        assert_int_equal(blob_put(types[i].bytes, types[i].size, hex), ERR_OK);
        assert_string_equal(blob_type(hex, types[i].declared), types[i].want);
    }
    assert_string_equal(blob_type("none", "text/plain"), "application/octet-stream");
}

/* Named are the blobs whose name is arg. */
static bool is_named(const char *hex, void *arg)
{
    return strcmp(hex, arg) == 0;
}

static void only_the_old_and_unnamed_are_swept(void **state)
{
    char named[65], old[65], young[65], renewed[65], pieces[65], part[128];
    struct stat info;
    (void)state;

    assert_int_equal(blob_put("named", 5, named), ERR_OK);
    assert_int_equal(blob_put("old", 3, old), ERR_OK);
    assert_int_equal(blob_put("young", 5, young), ERR_OK);
    assert_int_equal(blob_put("renewed", 7, renewed), ERR_OK);
    assert_int_equal(blob_put("pieces", 6, pieces), ERR_OK);
    const char *aged[] = {named, old, renewed, pieces};
    for (size_t i = 0; i < sizeof aged / sizeof *aged; i++) {
        grow_old(aged[i], 2 * DAY_MS);
    }
    assert_int_equal(blob_put("renewed", 7, renewed), ERR_OK);
    struct blob_sink *sink = blob_sink_new();
    assert_true(blob_sink_add(sink, "pieces", 6));
    assert_int_equal(blob_sink_end(sink, pieces), ERR_OK);
    snprintf(part, sizeof part, "touch -d '2 days ago' %s/part-0123456789abcdef", dir);
    assert_int_equal(system(part), 0);

    assert_int_equal(blob_sweep(clock_wall_ms() - DAY_MS, is_named, named), 2);
    assert_true(is_there(named));
    assert_false(is_there(old));
    assert_true(is_there(young));
    assert_true(is_there(renewed));
    assert_true(is_there(pieces));
    snprintf(part, sizeof part, "%s/part-0123456789abcdef", dir);
    assert_int_not_equal(stat(part, &info), 0);
    assert_int_equal(blob_sweep(clock_wall_ms() - DAY_MS, is_named, named), 0);
}

static int make_dir(void **state)
{
    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    blob_root(dir);
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_make_the_same_blob),
        cmocka_unit_test(what_is_given_up_leaves_nothing),
        cmocka_unit_test(bytes_that_changed_are_not_given),
        cmocka_unit_test(bytes_tell_the_type),
        cmocka_unit_test(only_the_old_and_unnamed_are_swept),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
