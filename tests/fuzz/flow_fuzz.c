/* flow_fuzz.c: what callers write as a flow: checked, then played. Input: the JSON of a flow.
 *
 * A flow that is refused has its pointer and reason; one that may be published ends its test run, within the
 * bound of steps, whatever it says, and says the same a second time. */
#include <stdlib.h>
#include <string.h>

#include "agent/flow/flow.h"
#include "tests/fuzz/fuzz.h"

static void take(json_t *result, void *arg)
{
    json_t **out = arg;

    CHECK(*out == NULL && result != NULL);
    *out = result;
}

/* What a test run writes down. New reference. */
static json_t *played(const json_t *flow)
{
    json_t *messages = json_pack("[s, s, {s:s, s:s}, s, s]", "go", "1", "text", "x", "button", "b",
                                 "a@b.example", "2026-01-02");
    json_t *result = NULL;

    flow_rehearse(NULL, NULL, "acc_x:test", flow, messages, false, take, &result);
    CHECK(result != NULL);
    json_t *transcript = json_incref(jx_arr(result, "transcript"));
    json_decref(result);
    json_decref(messages);
    return transcript;
}

void fuzz_one(const char *data, size_t size)
{
    const char *field = NULL;
    struct buf why;
    json_t *flow = NULL;

    if (jx_parse_strict(data, size, &flow, NULL) != ERR_OK) {
        return;
    }
    buf_init(&why, 4096);
    enum err rc = flow_check(flow, &field, &why);
    CHECK(rc == ERR_OK || (rc == ERR_INVALID && field[0] == '/' && why.len > 0));
    if (rc == ERR_OK && jx_arr(flow, "steps") != NULL) {
        flow_name_steps(jx_arr(flow, "steps"));
        rc = flow_check_whole(flow, &field, &why);
        CHECK(rc == ERR_OK || (rc == ERR_INVALID && field[0] == '/' && why.len > 0));
        if (rc == ERR_OK) {
            json_t *once = played(flow), *twice = played(flow);
            CHECK(json_equal(once, twice));
            json_decref(once);
            json_decref(twice);
        }
    }
    buf_fini(&why);
    json_decref(flow);
}
