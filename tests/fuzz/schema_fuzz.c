/* schema_fuzz.c: bodies of requests against the table of schemas. Input: a schema's name, a line feed, the
 * body.
 *
 * A body that is refused has its field and reason; one that is taken whole is also taken as a change of some
 * fields; and the answer does not depend on the order in which it was written. */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/schema.h"
#include "tests/fuzz/fuzz.h"

/* The schema of that name, any other one if there is none. */
static enum schema_id schema_of(const char *name)
{
    for (int id = 0; id < SCHEMA_COUNT; id++) {
        if (strcmp(schema_name((enum schema_id)id), name) == 0) {
            return (enum schema_id)id;
        }
    }
    return (enum schema_id)fuzz_pick(name, strlen(name), 0, SCHEMA_COUNT);
}

/* The same fields, last first. */
static json_t *turned(const json_t *body)
{
    json_t *out = json_object();
    size_t count = json_object_size(body);
    const char **keys = xcalloc(count + 1, sizeof *keys);
    size_t n = 0;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)body, key, value) {
        keys[n++] = key;
    }
    while (n-- > 0) {
        jx_set(out, keys[n], json_incref(json_object_get(body, keys[n])));
    }
    free(keys);
    return out;
}

void fuzz_one(const char *data, size_t size)
{
    struct schema_fault fault;
    char *name = fuzz_line(&data, &size);
    enum schema_id id = schema_of(name);
    json_t *body = NULL;

    if (jx_parse_strict(data, size, &body, NULL) == ERR_OK) {
        json_t *other = turned(body);
        enum err rc = schema_check(id, body, false, &fault);
        CHECK(rc == ERR_OK || (rc == ERR_INVALID && fault.why[0] != '\0'));
        CHECK(schema_check(id, other, false, &fault) == rc);
        enum err partial = schema_check(id, body, true, &fault);
        CHECK(rc != ERR_OK || partial == ERR_OK);
        json_decref(other);
        json_decref(body);
    }
    char *text = fuzz_text(data, size);
    CHECK(!schema_url_ok(text) || strncmp(text, "http", 4) == 0);
    free(text);
    free(name);
}
