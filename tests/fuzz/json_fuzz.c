/* json_fuzz.c: both ways into JSON, and the one way out.
 *
 * What the strict parser takes the lenient one takes too and reads the same; what was read can be written,
 * what was written can be read, and writing it again changes no byte: a stored record must never become
 * unreadable. */
#include <stdlib.h>
#include <string.h>

#include "queue/base/codec.h"
#include "queue/base/json.h"
#include "tests/fuzz/fuzz.h"

#define DUMP_MAX (64u << 20)

/* What we write is what jansson would. */
static void same_as_jansson(const json_t *root, const struct buf *ours)
{
    char *theirs = json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

    CHECK(theirs != NULL && strcmp(theirs, buf_str(ours)) == 0);
    free(theirs);
}

/* Both ways in take what jansson takes, and read the same. */
static void read_as_jansson(const char *data, size_t size, const json_t *strict, const json_t *lenient)
{
    json_t *loose = json_loadb(data, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    json_t *tight = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    struct buf ours;

    CHECK((loose == NULL) == (lenient == NULL));
    CHECK(strict == NULL || (tight != NULL && json_is_object(tight)));
    if (loose != NULL) {
        char *theirs = json_dumps(loose, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        buf_init(&ours, DUMP_MAX);
        jx_dump(lenient, &ours);
        CHECK(strstr(theirs, "e308") != NULL ||
              strcmp(theirs, buf_str(&ours)) == 0); /* e308: ours are bounded */
        buf_fini(&ours);
        free(theirs);
    }
    json_decref(loose);
    json_decref(tight);
}

/* Writes, reads and writes again. */
static void there_and_back(const json_t *root)
{
    struct buf first, second;
    json_t *again = NULL;

    buf_init(&first, DUMP_MAX);
    buf_init(&second, DUMP_MAX);
    jx_dump(root, &first);
    CHECK(buf_ok(&first));
    same_as_jansson(root, &first);
    CHECK(jx_parse_lenient(buf_str(&first), first.len, &again) == ERR_OK);
    jx_dump(again, &second);
    CHECK(first.len == second.len && memcmp(buf_str(&first), buf_str(&second), first.len) == 0);
    json_decref(again);
    buf_fini(&first);
    buf_fini(&second);
}

/* Getters never fail, whatever they are asked for. */
static void look(const json_t *root, const char *data, size_t size)
{
    char *text = fuzz_text(data, size);
    const char *key;
    json_t *value;

    jx_at(root, text);
    json_object_foreach ((json_t *)root, key, value) {
        jx_str(root, key);
        jx_int(root, key, 0);
        jx_num(root, key, 0);
        jx_bool(root, key, false);
        CHECK(jx_str_or(root, key, "-") != NULL);
        jx_obj(jx_obj(root, key), key);
        jx_arr(root, key);
    }
    free(text);
}

/* Any bytes may be set as a text; they come out as UTF-8. */
static void set_text(const char *data, size_t size)
{
    json_t *obj = json_object();

    jx_set_strn(obj, "text", data, size);
    const json_t *value = json_object_get(obj, "text");
    CHECK(utf8_valid(json_string_value(value), json_string_length(value)));
    there_and_back(obj);
    json_decref(obj);
}

void fuzz_one(const char *data, size_t size)
{
    json_t *strict = NULL, *lenient = NULL;
    struct buf why;

    buf_init(&why, 256);
    enum err rc = jx_parse_strict(data, size, &strict, &why);
    enum err rc_lenient = jx_parse_lenient(data, size, &lenient);
    if (rc == ERR_OK) {
        CHECK(json_is_object(strict) && why.len == 0 && rc_lenient == ERR_OK && json_equal(strict, lenient));
        there_and_back(strict);
        look(strict, data, size);
    } else {
        CHECK(rc == ERR_INVALID && strict == NULL && buf_ok(&why) && why.len > 0);
    }
    if (rc_lenient == ERR_OK) {
        there_and_back(lenient);
        look(lenient, data, size);
    }
    read_as_jansson(data, size, strict, lenient);
    set_text(data, size);
    json_decref(strict);
    json_decref(lenient);
    buf_fini(&why);
}
