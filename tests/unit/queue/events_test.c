/* events_test.c: which endpoints get an event, and what is written with it. */
#include "queue/base/id.h"
#include "queue/events.h"
#include "store_fixture.h"

static void test_subscriptions(void **state)
{
    static const struct {
        const char *patterns, *type;
        bool want;
    } rows[] = {
        {"['message.received']", "message.received", true},
        {"['message.received']", "message.sent", false},
        {"['message.*']", "message.sent", true},
        {"['message.*']", "conversation.started", false},
        {"['*']", "webhook.test", true},
        {"['escalation.triggered']", "handoff.triggered", true},
        {"['escalation.*']", "handoff.triggered", true},
        {"['handoff.*']", "handoff.triggered", true},
        {"['agent.*']", "agent.message.sent", true},
        {"['mess*']", "message.sent", false},
        {"['lead.created','message.read']", "message.read", true},
        {"[]", "message.read", false},
        {"[1,null]", "message.read", false},
        {"['*']", "no.such.event", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *patterns = json_of(rows[i].patterns);
        if (event_subscribed(patterns, rows[i].type) != rows[i].want) {
            fail_msg("%s and %s", rows[i].patterns, rows[i].type);
        }
        json_decref(patterns);
    }
    assert_false(event_subscribed(NULL, "message.read"));
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern;
        bool want;
    } rows[] = {
        {"*", true},   {"message.*", true},  {"message.sent", true}, {"escalation.triggered", true},
        {"", false},   {"message", false},   {"message.", false},    {".*", false},
        {"**", false}, {"nothing.*", false}, {"escalation.*", true}, {"Message.sent", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (event_subscription_valid(rows[i].pattern) != rows[i].want) {
            fail_msg("%s", rows[i].pattern);
        }
    }
}

static void add_endpoint(struct fixture *f, const char *id, const char *rest)
{
    char text[300];

    snprintf(text, sizeof text, "{'id':'%s',%s}", id, rest);
    put(f, KIND_WEBHOOK, id, text);
}

/* Appends one event and gives its id. */
static void append(struct fixture *f, const char *type, const struct event_about *about, char *id)
{
    struct changes *cs = changes_new();
    struct snapshot *snap;
    json_t *data = json_of("{'text':'x'}");

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    event_append(cs, snap, PART, type, about, data, id);
    snapshot_close(snap);
    json_decref(data);
    assert_int_equal(commit(f, cs), ERR_OK);
}

static uint64_t deliveries(struct fixture *f, const char *webhook)
{
    return count(f, KIND_DELIVERY, INDEX_DELIVERY_WEBHOOK, webhook);
}

static void test_append(void **state)
{
    struct fixture *f = *state;
    const struct event_about about = {"agt_1", "cnv_1"}, other = {"agt_2", "cnv_2"};
    struct queue_shape shape;
    char id[ID_SIZE];

    add_endpoint(f, "whk_1", "'agent_id':'agt_1','status':'active','events':['message.*']");
    add_endpoint(f, "whk_2", "'status':'failing','events':['*']");
    add_endpoint(f, "whk_3", "'agent_id':'agt_1','status':'disabled','events':['*']");
    add_endpoint(f, "whk_4", "'agent_id':'agt_2','status':'active','events':['*']");
    add_endpoint(f, "whk_5", "'agent_id':'agt_1','status':'active','events':['lead.created']");
    append(f, "message.received", &about, id);
    json_t *event = get(f, KIND_EVENT, PART, id, NULL);
    const char *text = json_dumps(event, JSON_COMPACT);
    assert_ptr_equal(strstr(text, "{\"sequence\":1,\"id\":\"evt_"), text);
    free((void *)text);
    assert_string_equal(jx_str(event, "type"), "message.received");
    assert_string_equal(jx_str(event, "api_version"), EVENT_API_VERSION);
    assert_string_equal(jx_str(event, "agent_id"), "agt_1");
    assert_string_equal(jx_str(event, "conversation_id"), "cnv_1");
    assert_string_equal(jx_str(event, "created_at"), jx_str(event, "timestamp"));
    assert_true(jx_bool(event, "livemode", false));
    assert_string_equal(jx_str(jx_obj(event, "data"), "text"), "x");
    json_decref(event);
    append(f, "message.sent", &about, id);
    append(f, "lead.created", &other, id);
    append(f, "knowledge.synced", NULL, NULL);
    assert_int_equal(deliveries(f, "whk_1"), 2);
    assert_int_equal(deliveries(f, "whk_2"), 4);
    assert_int_equal(deliveries(f, "whk_3"), 0);
    assert_int_equal(deliveries(f, "whk_4"), 1);
    assert_int_equal(deliveries(f, "whk_5"), 0);
    store_queue_shape(f->store, QUEUE_DELIVER, &shape);
    assert_int_equal(shape.jobs, 7);
}

/* More endpoints than one page holds. */
static void test_many_endpoints(void **state)
{
    struct fixture *f = *state;
    struct changes *cs = changes_new();

    for (int i = 0; i < 250; i++) {
        char id[20], text[100];
        snprintf(id, sizeof id, "whk_%03d", i);
        snprintf(text, sizeof text, "{'id':'%s','ordered':%s,'events':['*']}", id, i % 2 ? "true" : "false");
        add_put(cs, KIND_WEBHOOK, PART, id, text);
    }
    assert_int_equal(commit(f, cs), ERR_OK);
    append(f, "message.sent", NULL, NULL);
    assert_int_equal(count(f, KIND_DELIVERY, INDEX_NONE, NULL), 250);
}

/* Sequences count within a conversation. */
static void test_sequences(void **state)
{
    struct fixture *f = *state;
    const struct event_about one = {"agt_1", "cnv_1"}, two = {"agt_1", "cnv_2"};
    const struct event_about *const abouts[] = {&one, &two, &one, NULL, &one, NULL};
    const int want[] = {1, 1, 2, 1, 3, 2};

    for (size_t i = 0; i < 6; i++) {
        char id[ID_SIZE];
        append(f, "message.sent", abouts[i], id);
        json_t *event = get(f, KIND_EVENT, PART, id, NULL);
        assert_int_equal(jx_int(event, "sequence", 0), want[i]);
        json_decref(event);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_subscriptions), cmocka_unit_test(test_patterns), STORE_TEST(test_append),
        STORE_TEST(test_many_endpoints),      STORE_TEST(test_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
