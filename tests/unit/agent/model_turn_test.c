/* model_turn_test.c: turns with a model server on loopback: what it says, what it breaks, who comes between.
 */
#include "agent_fixture.h"

#include "agent/model/dialect.h"
#include "model_server.h"

#define HELLO(text)                           \
    {                                         \
        .body = SERVER_DELTA(text) SERVER_END \
    }
#define ERROR_JSON "{\"error\":{\"message\":\"no\",\"type\":\"server_error\",\"code\":500}}"
#define QUESTION   "How much is shipping to Germany?"
#define UNKNOWN    "Can your mechanic repair a violin bow on Mars?"

/* The shop's agent with this server; extra: more of its body, beginning with a comma. */
static void hire(struct shop *shop, const struct model_server *server, const char *extra)
{
    char body[1024];

    dialect_reset();
    snprintf(body, sizeof body,
             "{\"name\":\"Ana\",\"system_prompt\":\"PERSONA\",\"model\":{\"provider\":\"openai\",\"name\":"
             "\"fake\","
             "\"base_url\":\"http://127.0.0.1:%d/v1\",\"api_key\":\"model-key-0123456789\"}%s}",
             server->port, extra);
    shop_agent(shop, body);
    shop_knowledge(shop);
    shop_start(shop);
}

/* What the AI said, in order. New reference. */
static void assert_said(struct shop *shop, size_t count, const char *last, const char *source)
{
    json_t *replies = shop_messages(shop, "ai");

    if (json_array_size(replies) != count) {
        fail_msg("%zu replies, wanted %zu", json_array_size(replies), count);
    }
    if (count > 0) {
        const json_t *reply = json_array_get(replies, count - 1);
        assert_string_equal(jx_str(reply, "text"), last);
        assert_string_equal(jx_str(reply, "source"), source);
    }
    json_decref(replies);
}

static void assert_handed(struct shop *shop, const char *reason)
{
    json_t *conversation = shop_conversation(shop, NULL);

    assert_string_equal(jx_str(conversation, "mode"), "human");
    assert_string_equal(json_string_value(jx_at(conversation, "/handoff/reason")), reason);
    assert_int_equal(shop_events(shop, "handoff.triggered"), 1);
    json_decref(conversation);
}

static void a_stream_becomes_a_reply(void **state)
{
    static const struct server_step script[] = {
        {.body = SERVER_DELTA("Shipping ") SERVER_DELTA("is 4.90 euros [1].") SERVER_END}};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, ",\"settings\":{\"chat\":{\"citation_style\":\"INLINE\"}}");
    shop_hear(shop, "text", QUESTION);
    shop_settle(shop);
    assert_said(shop, 1, "Shipping is 4.90 euros (Shipping).", "model");
    assert_string_equal(server.auth, "Authorization: Bearer model-key-0123456789");
    assert_non_null(strstr(server.bodies[0], "PERSONA"));
    assert_non_null(strstr(server.bodies[0], "4.90 euros"));
    assert_non_null(strstr(server.bodies[0], QUESTION));
    json_t *trace = shop_trace(shop);
    assert_string_equal(json_string_value(jx_at(trace, "/attempts/0/class")), "ok");
    assert_string_equal(json_string_value(jx_at(trace, "/attempts/0/model")), "fake-1");
    assert_int_equal(json_integer_value(jx_at(trace, "/attempts/0/tokens/input")), 90);
    char *text = jx_text(trace);
    assert_null(strstr(text, "4.90 euros"));
    assert_null(strstr(text, QUESTION));
    free(text);
    json_decref(trace);
    model_server_stop(&server);
}

static void a_json_answer_becomes_a_reply(void **state)
{
    static const struct server_step script[] = {
        {.head = SERVER_JSON_HEAD("200 OK"),
         .body = "{\"choices\":[{\"message\":{\"content\":\"It is 4.90.\"},\"finish_reason\":\"stop\"}]}"}};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    shop_settle(shop);
    assert_said(shop, 1, "It is 4.90.", "model");
    model_server_stop(&server);
}

/* Faults that may pass: the second or third attempt gives the answer. */
static void faults_that_pass(void **state)
{
    static const struct {
        struct server_step first;
        unsigned requests;
    } cases[] = {
        {{.head = SERVER_JSON_HEAD("500 Oops"), .body = ERROR_JSON}, 2},
        {{.head = SERVER_JSON_HEAD("429 Slow"), .body = ERROR_JSON}, 2},
        {{.head = SERVER_JSON_HEAD("503 Loading"), .body = "{\"error\":{\"message\":\"Loading model\"}}"}, 2},
        {{.body = SERVER_DELTA("half an ans")}, 2},
        {{.body = SERVER_DELTA("a") "data: {\"error\":{\"message\":\"overloaded\"}}\n\n"}, 2},
        {{.body = SERVER_END}, 2},
        {{.body = "", .reset = true}, 2},
        {{.head = SERVER_JSON_HEAD("400 Bad"),
          .body = "{\"error\":{\"code\":\"unsupported_parameter\",\"param\":\"stream_options\",\"message\":"
                  "\"x\"}}"},
         2},
        {{.head = SERVER_JSON_HEAD("400 Bad"),
          .body = "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"x\"}}"},
         2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server_step script[] = {cases[i].first, HELLO("It is 4.90.")};
        struct model_server server;
        void *inner = NULL;
        (void)state;
        shop_open(&inner);
        model_server_start(&server, script, 2);
        hire(inner, &server, "");
        shop_hear(inner, "text", QUESTION);
        shop_settle(inner);
        assert_said(inner, 1, "It is 4.90.", "model");
        assert_int_equal(model_server_requests(&server), cases[i].requests);
        if (i == 7) {
            assert_non_null(strstr(server.bodies[0], "stream_options"));
            assert_null(strstr(server.bodies[1], "stream_options"));
        }
        shop_close(&inner);
        model_server_stop(&server);
    }
}

/* A model that is down: the knowledge's own words if they answer, else a person; never silence, never a long
 * wait. */
static void a_model_that_is_down(void **state)
{
    static const struct {
        struct server_step step;
        unsigned requests;
    } cases[] = {
        {{.head = SERVER_JSON_HEAD("500 Oops"), .body = ERROR_JSON}, 3},
        {{.head = SERVER_JSON_HEAD("401 No"), .body = ERROR_JSON}, 1},
        {{.head = SERVER_JSON_HEAD("429 Slow") "Retry-After: 600\r\n", .body = ERROR_JSON}, 1},
        {{.head = SERVER_JSON_HEAD("429 Poor"),
          .body = "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"x\"}}"},
         1},
        {{.head = SERVER_JSON_HEAD("200 OK"), .body = "<html>not JSON</html>"}, 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_server server;
        void *inner = NULL;
        shop_open(&inner);
        model_server_start(&server, &cases[i].step, 1);
        hire(inner, &server, "");
        shop_hear(inner, "text", QUESTION);
        shop_settle(inner);
        json_t *replies = shop_messages(inner, "ai"), *trace = shop_trace(inner);
        assert_int_equal(json_array_size(replies), 1);
        assert_non_null(strstr(jx_str(json_array_get(replies, 0), "text"), "4.90"));
        assert_string_equal(jx_str(json_array_get(replies, 0), "source"), "knowledge");
        assert_string_equal(jx_str(trace, "fallback"), "extractive");
        assert_int_equal(json_array_size(jx_arr(trace, "attempts")), cases[i].requests);
        assert_int_equal(model_server_requests(&server), cases[i].requests);
        json_decref(replies);
        json_decref(trace);
        shop_close(&inner);
        model_server_stop(&server);
    }
}

static void a_model_that_is_down_and_no_knowledge(void **state)
{
    static const struct server_step script[] = {{.head = SERVER_JSON_HEAD("401 No"), .body = ERROR_JSON}};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, ",\"settings\":{\"chat\":{\"fallback_behavior\":\"TRY_ANYWAY\"}}");
    shop_hear(shop, "text", UNKNOWN);
    shop_settle(shop);
    assert_said(shop, 0, NULL, NULL);
    assert_handed(shop, "model_failure");
    model_server_stop(&server);
}

static void below_the_threshold_no_model_is_asked(void **state)
{
    static const struct server_step script[] = {HELLO("I can do anything.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, "");
    shop_hear(shop, "text", UNKNOWN);
    shop_settle(shop);
    assert_said(shop, 0, NULL, NULL);
    assert_handed(shop, "low_confidence");
    assert_int_equal(model_server_requests(&server), 0);
    model_server_stop(&server);
}

static void try_anyway_asks_the_model(void **state)
{
    static const struct server_step script[] = {HELLO("Sorry, no violins.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, ",\"settings\":{\"chat\":{\"fallback_behavior\":\"TRY_ANYWAY\"}}");
    shop_hear(shop, "text", UNKNOWN);
    shop_settle(shop);
    assert_said(shop, 1, "Sorry, no violins.", "model");
    model_server_stop(&server);
}

static void a_greeting_reaches_the_model(void **state)
{
    static const struct server_step script[] = {HELLO("Hello, I am Ana.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, "");
    shop_hear(shop, "text", "Hello!");
    shop_settle(shop);
    assert_said(shop, 1, "Hello, I am Ana.", "model");
    model_server_stop(&server);
}

/* The model says it has no answer, leaks, or refuses: the fallback, or a person; its words are not shown. */
static void withheld_drafts(void **state)
{
    static const struct {
        struct server_step step;
        const char *reason;
    } cases[] = {
        {HELLO("[[no_answer]]"), "low_confidence"},
        {{.body = SERVER_DELTA("[[no_") SERVER_DELTA("answer]]\\n") SERVER_END}, "low_confidence"},
        {HELLO("The key is ck_live_0123456789abcdefghijABCDEFGH"), "filtered"},
        {{.body = SERVER_DELTA(
              "x") "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\"}]}\n\ndata: "
                   "[DONE]\n\n"},
         "filtered"},
        {{.body =
              "data: {\"choices\":[{\"delta\":{\"refusal\":\"No.\"},\"finish_reason\":\"stop\"}]}\n\ndata: "
              "[DONE]\n\n"},
         "filtered"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_server server;
        void *inner = NULL;
        shop_open(&inner);
        model_server_start(&server, &cases[i].step, 1);
        hire(inner, &server, "");
        shop_hear(inner, "text", QUESTION);
        shop_settle(inner);
        assert_said(inner, 0, NULL, NULL);
        assert_handed(inner, cases[i].reason);
        assert_int_equal(model_server_requests(&server), 1);
        shop_close(&inner);
        model_server_stop(&server);
    }
}

static void foreign_links_are_removed(void **state)
{
    static const struct server_step script[] = {
        HELLO("See https://shop.example.com/shipping or https://evil.example.net/pay now.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    shop_settle(shop);
    assert_said(shop, 1, "See https://shop.example.com/shipping or now.", "model");
    json_t *trace = shop_trace(shop);
    assert_int_equal(jx_int(trace, "links_removed", 0), 1);
    json_decref(trace);
    model_server_stop(&server);
}

/* The private-address defence holds for model servers, too. */
static void a_private_server_is_not_reached(void **state)
{
    static const struct server_step script[] = {HELLO("I am inside.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 1);
    netguard_reset();
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    shop_settle(shop);
    json_t *trace = shop_trace(shop);
    assert_string_equal(json_string_value(jx_at(trace, "/attempts/0/class")), "blocked");
    assert_string_equal(jx_str(trace, "fallback"), "extractive");
    assert_int_equal(model_server_requests(&server), 0);
    json_decref(trace);
    model_server_stop(&server);
}

/* ---- who comes between ---- */

static bool has_requests(struct shop *shop, void *arg)
{
    struct {
        struct model_server *server;
        unsigned count;
    } *want = arg;

    (void)shop;
    return model_server_requests(want->server) >= want->count;
}

static void until_requests(struct shop *shop, struct model_server *server, unsigned count)
{
    struct {
        struct model_server *server;
        unsigned count;
    } want = {server, count};

    shop_until(shop, has_requests, &want, "the model is asked");
}

static void a_person_joins_while_the_model_writes(void **state)
{
    static const struct server_step script[] = {
        {.body = SERVER_DELTA("It is 4.90.") SERVER_END, .held = true}};
    struct shop *shop = *state;
    struct model_server server;
    struct changes *cs = changes_new();
    struct snapshot *snap;
    uint64_t rev = 0;

    model_server_start(&server, script, 1);
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    until_requests(shop, &server, 1);
    json_t *conversation = shop_conversation(shop, &rev);
    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    handoff_join(cs, snap, PART, conversation, rev, "Mia");
    snapshot_close(snap);
    shop_submit(shop, cs);
    model_server_release(&server);
    shop_settle(shop);
    assert_said(shop, 0, NULL, NULL);
    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(snapshot_counter(snap, PART, "turns.silent.human"), 1);
    assert_int_equal(snapshot_counter(snap, PART, "turns.replied"), 0);
    snapshot_close(snap);
    assert_int_equal(model_server_requests(&server), 1);
    json_decref(conversation);
    model_server_stop(&server);
}

/* What the customer adds while the model writes is part of the one answer. */
static void a_newer_message_while_the_model_writes(void **state)
{
    static const struct server_step script[] = {
        {.body = SERVER_DELTA("It is 4.90.") SERVER_END, .held = true}, HELLO("To both: yes.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 2);
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    until_requests(shop, &server, 1);
    shop_hear(shop, "text", "Do gift cards expire?");
    model_server_release(&server);
    shop_settle(shop);
    assert_said(shop, 1, "To both: yes.", "model");
    assert_non_null(strstr(server.bodies[1], "Germany?\\nDo gift cards expire?"));
    json_t *trace = shop_trace(shop);
    assert_int_equal(jx_int(trace, "runs", 0), 2);
    json_decref(trace);
    model_server_stop(&server);
}

/* Stopped in the middle of a generation: after the next start the customer gets the one reply. */
static void a_stop_while_the_model_writes(void **state)
{
    static const struct server_step script[] = {{.body = SERVER_DELTA("First.") SERVER_END, .held = true},
                                                HELLO("Second.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 2);
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    until_requests(shop, &server, 1);
    assert_int_equal(workers_stop(shop->workers, 0), 1);
    assert_said(shop, 0, NULL, NULL);
    assert_int_equal(workers_start(shop->workers), ERR_OK);
    shop_settle(shop);
    assert_said(shop, 1, "Second.", "model");
    model_server_stop(&server);
}

/* Stopped while a retry is waited for. */
static void a_stop_between_attempts(void **state)
{
    static const struct server_step script[] = {
        {.head = SERVER_JSON_HEAD("429 Slow") "Retry-After: 20\r\n", .body = ERROR_JSON}, HELLO("Second.")};
    struct shop *shop = *state;
    struct model_server server;

    model_server_start(&server, script, 2);
    hire(shop, &server, "");
    shop_hear(shop, "text", QUESTION);
    until_requests(shop, &server, 1);
    workers_stop(shop->workers, 50);
    assert_int_equal(workers_start(shop->workers), ERR_OK);
    shop_settle(shop);
    assert_said(shop, 1, "Second.", "model");
    model_server_stop(&server);
}

/* ---- watching ---- */

struct watcher {
    struct shop *shop;
    struct loop *loop;
    struct agent_watch *watch;
    char heard[512];
    size_t size;
    bool with_message;
};

static void heard(const struct agent_news *news, void *arg)
{
    static const char *const names[] = {"started", "delta", "replied", "handed", "silent", "failed"};
    struct watcher *w = arg;

    w->size += (size_t)snprintf(w->heard + w->size, sizeof w->heard - w->size, "%s:%s;", names[news->kind],
                                news->text != NULL ? news->text : "");
    if (news->final) {
        w->with_message = news->message != NULL;
        assert_string_not_equal(news->answers, "");
        agent_watch_stop(w->watch);
        loop_stop(w->loop);
    }
}

static void watch_and_ask(void *arg)
{
    struct watcher *w = arg;

    w->watch = agent_watch_start(PART, w->shop->conversation, heard, w);
}

/* Runs a second turn of the conversation under a watch. */
static void watch(struct shop *shop, const char *text, struct watcher *w)
{
    *w = (struct watcher){.shop = shop, .loop = loop_new("watcher")};
    assert_int_equal(agent_watch_any(PART, shop->conversation), false);
    loop_post(w->loop, watch_and_ask, w);
    shop_stop(shop);
    shop_hear(shop, "text", text);
    assert_int_equal(loop_start(w->loop), ERR_OK);
    int64_t end = clock_mono_ms() + DEADLINE_MS;
    while (!agent_watch_any(PART, shop->conversation) && clock_mono_ms() < end) {
        usleep(1000);
    }
    shop_start(shop);
    loop_join(w->loop);
    loop_free(w->loop);
    assert_int_equal(agent_watch_any(PART, shop->conversation), false);
}

static void watchers_hear_the_turn(void **state)
{
    static const struct server_step script[] = {
        HELLO("Hello."),
        {.body = SERVER_DELTA("It ") SERVER_DELTA("is 4.90.") SERVER_END},
        {.body = SERVER_DELTA("[[no_") SERVER_DELTA("answer]]") SERVER_END}};
    struct shop *shop = *state;
    struct model_server server;
    struct watcher w;

    model_server_start(&server, script, 3);
    hire(shop, &server, "");
    shop_hear(shop, "text", "Hello!");
    shop_settle(shop);
    watch(shop, QUESTION, &w);
    assert_non_null(strstr(w.heard, "started:;delta:It "));
    assert_non_null(strstr(w.heard, "is 4.90.;replied:;"));
    assert_true(w.with_message);
    watch(shop, "Do gift cards expire?", &w);
    assert_string_equal(w.heard, "started:;handed:;");
    assert_true(w.with_message);
    model_server_stop(&server);
}

#define TURN_TEST(name) cmocka_unit_test_setup_teardown(name, shop_open, shop_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TURN_TEST(a_stream_becomes_a_reply),
        TURN_TEST(a_json_answer_becomes_a_reply),
        cmocka_unit_test(faults_that_pass),
        cmocka_unit_test(a_model_that_is_down),
        TURN_TEST(a_model_that_is_down_and_no_knowledge),
        TURN_TEST(below_the_threshold_no_model_is_asked),
        TURN_TEST(try_anyway_asks_the_model),
        TURN_TEST(a_greeting_reaches_the_model),
        cmocka_unit_test(withheld_drafts),
        TURN_TEST(foreign_links_are_removed),
        TURN_TEST(a_private_server_is_not_reached),
        TURN_TEST(a_person_joins_while_the_model_writes),
        TURN_TEST(a_newer_message_while_the_model_writes),
        TURN_TEST(a_stop_while_the_model_writes),
        TURN_TEST(a_stop_between_attempts),
        TURN_TEST(watchers_hear_the_turn),
    };

    return cmocka_run_group_tests(tests, shop_keys, NULL);
}
