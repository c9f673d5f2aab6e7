/* profile_test.c: what an agent's record accepts, what it makes of it, and that keys stay inside. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/profile/profile.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"

#define PART "acc_01JAAAAAAAAAAAAAAAAAAAAAAA:live"

static char dir[] = "/tmp/chasqui_profile_XXXXXX";
static struct store *store;

static int setup(void **state)
{
    char path[128], uri[128];

    (void)state;
    log_set(LOG_ERROR, LOG_KEYVALUE);
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/master.key", dir);
    snprintf(uri, sizeof uri, "lmdb:%s/store", dir);
    return crypto_master_key_create(path) != ERR_OK || store_open(uri, 16u << 20, 64, &store) != ERR_OK;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    store_close(store);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, 0, NULL);

    assert_non_null(value);
    return value;
}

/* Creates an agent and stores it. */
static json_t *create(const char *body_text)
{
    struct changes *cs = changes_new();
    json_t *body = parse(body_text), *agent = NULL;
    const char *field = NULL;
    struct buf why;

    buf_init(&why, 1024);
    enum err rc = agent_create(cs, PART, NULL, body, &agent, &field, &why);
    if (rc != ERR_OK) {
        fail_msg("%s: %s %s", body_text, field != NULL ? field : "", buf_str(&why));
    }
    assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);
    buf_fini(&why);
    json_decref(body);
    return agent;
}

/* Updates a stored agent; the code that agent_update gave. */
static enum err update(json_t *agent, const char *body_text, char *field_out)
{
    struct changes *cs = changes_new();
    struct snapshot *snap;
    json_t *body = parse(body_text), *old = NULL;
    const char *field = NULL;
    struct buf why;
    uint64_t rev = 0;

    buf_init(&why, 1024);
    assert_int_equal(snapshot_open(store, &snap), ERR_OK);
    assert_int_equal(agent_get(snap, PART, jx_str(agent, "id"), &old, &rev), ERR_OK);
    enum err rc = agent_update(cs, snap, PART, agent, rev, body, &field, &why);
    snapshot_close(snap);
    snprintf(field_out, 128, "%s", field != NULL ? field : "");
    if (rc == ERR_OK) {
        assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);
    } else {
        assert_false(changes_any(cs));
        changes_free(cs);
    }
    buf_fini(&why);
    json_decref(body);
    json_decref(old);
    return rc;
}

static const struct {
    const char *body, *field; /* field NULL: accepted */
} rows[] = {
    {"{\"name\":\"A\"}", NULL},
    {"{}", "/name"},
    {"{\"name\":\"\"}", "/name"},
    {"{\"name\":7}", "/name"},
    {"{\"name\":null}", "/name"},
    {"{\"name\":\"a\\nb\"}", "/name"},
    {"{\"name\":\"A\",\"nmae\":1}", "/nmae"},
    {"{\"name\":\"A\",\"a/b~\":1}", "/a~1b~0"},
    {"{\"name\":\"A\",\"id\":\"agt_x\",\"created_at\":\"2026\",\"channels\":[]}", NULL},
    {"{\"name\":\"A\",\"status\":\"paused\"}", NULL},
    {"{\"name\":\"A\",\"status\":\"off\"}", "/status"},
    {"{\"name\":\"A\",\"status\":\"active|paused\"}", "/status"},
    {"{\"name\":\"A\",\"phone_number\":\"+1 415 555 0123\"}", NULL},
    {"{\"name\":\"A\",\"phone_number\":\"hello\"}", "/phone_number"},
    {"{\"name\":\"A\",\"model\":\"gpt\"}", "/model"},
    {"{\"name\":\"A\",\"model\":{\"provider\":\"magic\"}}", "/model/provider"},
    {"{\"name\":\"A\",\"model\":{\"provider\":\"openai\"}}", "/model/name"},
    {"{\"name\":\"A\",\"model\":{\"provider\":\"openai\",\"name\":\"m\"}}", NULL},
    {"{\"name\":\"A\",\"model\":{\"base_url\":\"ftp://x\"}}", "/model/base_url"},
    {"{\"name\":\"A\",\"model\":{\"base_url\":\"http://u:p@x/\"}}", "/model/base_url"},
    {"{\"name\":\"A\",\"model\":{\"base_url\":\"http:///v1\"}}", "/model/base_url"},
    {"{\"name\":\"A\",\"model\":{\"base_url\":\"http://x/#a\"}}", "/model/base_url"},
    {"{\"name\":\"A\",\"model\":{\"api_key\":\"a\\r\\nX: y\"}}", "/model/api_key"},
    {"{\"name\":\"A\",\"model\":{\"temperature\":2.5}}", "/model/temperature"},
    {"{\"name\":\"A\",\"model\":{\"temperature\":\"0.3\"}}", "/model/temperature"},
    {"{\"name\":\"A\",\"model\":{\"max_output_tokens\":1.5}}", "/model/max_output_tokens"},
    {"{\"name\":\"A\",\"model\":{\"stream\":1}}", "/model/stream"},
    {"{\"name\":\"A\",\"model\":{\"colour\":1}}", "/model/colour"},
    {"{\"name\":\"A\",\"knowledge\":{\"collections\":\"x\"}}", "/knowledge/collections"},
    {"{\"name\":\"A\",\"knowledge\":{\"collections\":[\"doc_01JAAAAAAAAAAAAAAAAAAAAAAA\"]}}",
     "/knowledge/collections/0"},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"tone\":\"FRIENDLY\",\"response_style\":\"CASUAL\"}}}", NULL},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"tone\":\"friendly\"}}}", "/settings/chat/tone"},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"fallback_behavior\":\"PANIC\"}}}",
     "/settings/chat/fallback_behavior"},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"confidence_threshold\":1}}}", NULL},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"confidence_threshold\":0}}}", NULL},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"confidence_threshold\":1.1}}}",
     "/settings/chat/confidence_threshold"},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"confidence_threshold\":\"x\"}}}",
     "/settings/chat/confidence_threshold"},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"citation_style\":\"FOOTER\"}}}", NULL},
    {"{\"name\":\"A\",\"settings\":{\"chat\":{\"conversation_starters\":[\"Prices?\",\"\"]}}}",
     "/settings/chat/conversation_starters/1"},
    {"{\"name\":\"A\",\"settings\":{\"handoff\":{\"keywords\":[\"refund\"],\"low_confidence\":false,"
     "\"announce\":\"\"}}}",
     NULL},
    {"{\"name\":\"A\",\"settings\":{\"handoff\":{\"keywords\":[1]}}}", "/settings/handoff/keywords/0"},
    {"{\"name\":\"A\",\"settings\":{\"handoff\":{\"low_confidence\":\"yes\"}}}",
     "/settings/handoff/low_confidence"},
    {"{\"name\":\"A\",\"settings\":{\"sales\":{}}}", "/settings/sales"},
};

static void validation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct changes *cs = changes_new();
        json_t *body = parse(rows[i].body), *agent = NULL;
        const char *field = NULL;
        struct buf why;
        buf_init(&why, 1024);
        enum err rc = agent_create(cs, PART, NULL, body, &agent, &field, &why);
        if (rows[i].field == NULL) {
            if (rc != ERR_OK) {
                fail_msg("%s: %s %s", rows[i].body, field != NULL ? field : "", buf_str(&why));
            }
        } else {
            assert_int_equal(rc, ERR_INVALID);
            assert_null(agent);
            assert_false(changes_any(cs));
            if (strcmp(field, rows[i].field) != 0 || why.len == 0) {
                fail_msg("%s: %s, wanted %s", rows[i].body, field, rows[i].field);
            }
        }
        changes_free(cs);
        json_decref(agent);
        json_decref(body);
        buf_fini(&why);
    }
}

static void defaults_are_filled_in(void **state)
{
    json_t *agent = create("{\"name\":\"Shop\"}");

    (void)state;
    assert_string_equal(jx_str(agent, "status"), "active");
    assert_string_equal(json_string_value(jx_at(agent, "/model/provider")), "extractive");
    assert_string_equal(json_string_value(jx_at(agent, "/settings/chat/fallback_behavior")), "ESCALATE");
    assert_true(json_is_null(json_object_get(agent, "phone_number")));
    assert_int_equal(json_array_size(jx_at(agent, "/settings/handoff/keywords")), 0);
    json_t *list = agent_collections(agent);
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_array_get(list, 0)), jx_str(agent, "collection_id"));
    struct snapshot *snap;
    json_t *collection = NULL;
    assert_int_equal(snapshot_open(store, &snap), ERR_OK);
    assert_int_equal(
        snapshot_get(snap, KIND_COLLECTION, PART, jx_str(agent, "collection_id"), &collection, NULL), ERR_OK);
    snapshot_close(snap);
    assert_string_equal(jx_str(collection, "agent_id"), jx_str(agent, "id"));
    json_decref(collection);
    json_decref(list);
    json_decref(agent);
}

static void keys_stay_inside(void **state)
{
    json_t *agent = create("{\"name\":\"A\",\"model\":{\"provider\":\"openai\",\"name\":\"m\",\"base_url\":"
                           "\"http://127.0.0.1:1/v1//\",\"api_key\":\"very-secret-key-9876\"}}");
    json_t *shown = agent_public(agent);
    char *stored = jx_text(agent), *text = jx_text(shown), field[128];
    struct buf key;

    (void)state;
    assert_null(strstr(stored, "very-secret"));
    assert_null(strstr(text, "very-secret"));
    assert_null(strstr(text, "v1."));
    assert_true(json_is_true(jx_at(shown, "/model/api_key/set")));
    assert_string_equal(json_string_value(jx_at(shown, "/model/api_key/last4")), "9876");
    assert_string_equal(json_string_value(jx_at(agent, "/model/base_url")), "http://127.0.0.1:1/v1");
    buf_init(&key, 8192);
    assert_int_equal(agent_api_key(PART, agent, &key), ERR_OK);
    assert_string_equal(buf_str(&key), "very-secret-key-9876");
    buf_reset(&key);
    /* What was read can be written back: the key stays. */
    assert_int_equal(update(agent, text, field), ERR_OK);
    assert_int_equal(agent_api_key(PART, agent, &key), ERR_OK);
    assert_string_equal(buf_str(&key), "very-secret-key-9876");
    buf_reset(&key);
    assert_int_equal(update(agent, "{\"model\":{\"api_key\":null}}", field), ERR_OK);
    assert_int_equal(agent_api_key(PART, agent, &key), ERR_NOTFOUND);
    json_t *without = agent_public(agent);
    assert_true(json_is_false(jx_at(without, "/model/api_key/set")));
    json_decref(without);
    buf_fini(&key);
    free(stored);
    free(text);
    json_decref(shown);
    json_decref(agent);
}

static void updates_merge(void **state)
{
    json_t *agent =
        create("{\"name\":\"A\",\"settings\":{\"chat\":{\"tone\":\"CASUAL\"},\"handoff\":{\"keywords\":"
               "[\"a\",\"b\"]}}}");
    char field[128];

    (void)state;
    assert_int_equal(
        update(agent,
               "{\"settings\":{\"chat\":{\"confidence_threshold\":0.25},\"handoff\":{\"keywords\":[\"c\"]}}}",
               field),
        ERR_OK);
    assert_string_equal(json_string_value(jx_at(agent, "/settings/chat/tone")), "CASUAL");
    assert_float_equal(json_number_value(jx_at(agent, "/settings/chat/confidence_threshold")), 0.25, 1e-9);
    assert_int_equal(json_array_size(jx_at(agent, "/settings/handoff/keywords")), 1);
    assert_int_equal(update(agent, "{\"settings\":{\"chat\":{\"tone\":null}}}", field), ERR_OK);
    assert_string_equal(json_string_value(jx_at(agent, "/settings/chat/tone")), "FRIENDLY");
    json_t *before = json_deep_copy(agent);
    assert_int_equal(update(agent, "{\"model\":{\"provider\":\"openai\"}}", field), ERR_INVALID);
    assert_string_equal(field, "/model/name");
    assert_int_equal(update(agent, "{\"name\":null}", field), ERR_INVALID);
    assert_int_equal(
        update(agent, "{\"knowledge\":{\"collections\":[\"col_01JAAAAAAAAAAAAAAAAAAAAAAA\"]}}", field),
        ERR_INVALID);
    assert_string_equal(field, "/knowledge/collections/0");
    assert_true(json_equal(before, agent));
    json_decref(before);
    json_decref(agent);
}

/* A collection of another agent can be attached; it comes after the agent's own. */
static void collections_are_attached(void **state)
{
    json_t *one = create("{\"name\":\"One\"}"), *two = create("{\"name\":\"Two\"}");
    char field[128], body[256];

    (void)state;
    snprintf(body, sizeof body, "{\"knowledge\":{\"collections\":[\"%s\"]}}", jx_str(one, "collection_id"));
    assert_int_equal(update(two, body, field), ERR_OK);
    json_t *list = agent_collections(two);
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_array_get(list, 0)), jx_str(two, "collection_id"));
    assert_string_equal(json_string_value(json_array_get(list, 1)), jx_str(one, "collection_id"));
    json_decref(list);
    json_decref(one);
    json_decref(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validation),
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(keys_stay_inside),
        cmocka_unit_test(updates_merge),
        cmocka_unit_test(collections_are_attached),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
