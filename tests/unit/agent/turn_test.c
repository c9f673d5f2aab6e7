/* turn_test.c: turns of an agent without a model server: answers, fallbacks, people, bursts. */
#include "agent/turn/turn.h"
#include "agent_fixture.h"

/* The AI said exactly one thing, and it holds this. */
static void assert_one_reply(struct shop *shop, const char *part, const char *source)
{
    json_t *replies = shop_messages(shop, "ai");

    assert_int_equal(json_array_size(replies), 1);
    const json_t *reply = json_array_get(replies, 0);
    if (strstr(jx_str_or(reply, "text", ""), part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", jx_str(reply, "text"), part);
    }
    assert_string_equal(jx_str(reply, "source"), source);
    json_decref(replies);
}

/* The conversation went to a person for this reason; the AI said nothing. */
static void assert_handed(struct shop *shop, const char *reason, const char *announced)
{
    json_t *conversation = shop_conversation(shop, NULL);
    json_t *system = shop_messages(shop, "system"), *ai = shop_messages(shop, "ai");
    json_t *trace = shop_trace(shop);

    assert_string_equal(jx_str(conversation, "mode"), "human");
    assert_string_equal(jx_str(conversation, "status"), "handoff");
    assert_string_equal(json_string_value(jx_at(conversation, "/handoff/reason")), reason);
    assert_int_equal(json_array_size(ai), 0);
    assert_int_equal(json_array_size(system), announced != NULL ? 1 : 0);
    if (announced != NULL) {
        assert_non_null(strstr(jx_str(json_array_get(system, 0), "text"), announced));
        assert_string_equal(jx_str(trace, "message_id"), jx_str(json_array_get(system, 0), "id"));
    }
    assert_int_equal(shop_events(shop, "handoff.triggered"), 1);
    assert_string_equal(jx_str(trace, "outcome"), "handoff");
    assert_string_equal(jx_str(trace, "reason"), reason);
    json_decref(conversation);
    json_decref(system);
    json_decref(ai);
    json_decref(trace);
}

/* One question to an agent of this body. */
static void ask(struct shop *shop, const char *agent, const char *text)
{
    shop_agent(shop, agent);
    shop_knowledge(shop);
    shop_start(shop);
    shop_hear(shop, "text", text);
    shop_settle(shop);
}

static void answers_from_knowledge(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "How much is shipping to Germany?");
    assert_one_reply(shop, "4.90", "knowledge");
    json_t *replies = shop_messages(shop, "ai"), *trace = shop_trace(shop),
           *conversation = shop_conversation(shop, NULL);
    const json_t *reply = json_array_get(replies, 0);
    assert_string_equal(json_string_value(jx_at(reply, "/citations/0/title")), "Shipping");
    assert_true(jx_num(reply, "confidence", 0) >= 0.5);
    assert_string_equal(jx_str(reply, "turn_id"), jx_str(trace, "id"));
    assert_non_null(jx_str(reply, "expires_at"));
    assert_string_equal(jx_str(trace, "outcome"), "reply");
    assert_string_equal(jx_str(trace, "message_id"), jx_str(reply, "id"));
    assert_string_equal(jx_str(trace, "provider"), "extractive");
    assert_int_equal(json_array_size(jx_arr(trace, "steps")), STEP_COUNT);
    assert_true(json_array_size(jx_arr(trace, "passages")) >= 1);
    assert_string_equal(jx_str(conversation, "answered"), jx_str(trace, "question_id"));
    assert_string_equal(jx_str(conversation, "mode"), "ai");
    assert_int_equal(shop_events(shop, "handoff.triggered"), 0);
    json_decref(replies);
    json_decref(trace);
    json_decref(conversation);
}

static void cites_as_told(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\",\"settings\":{\"chat\":{\"citation_style\":\"FOOTER\"}}}",
        "How much is shipping to Germany?");
    assert_one_reply(shop, "Source: Shipping", "knowledge");
}

static void hands_over_what_it_does_not_know(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "Can your mechanic repair a violin bow on Mars?");
    assert_handed(shop, "low_confidence", "I don't know that one for certain");
}

static void announces_in_the_accounts_words(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\",\"settings\":{\"handoff\":{\"announce\":\"Un momento.\"}}}",
        "Can your mechanic repair a violin bow on Mars?");
    assert_handed(shop, "low_confidence", "Un momento.");
}

static void announces_nothing_if_told_so(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\",\"settings\":{\"handoff\":{\"announce\":\"\"}}}",
        "Can your mechanic repair a violin bow on Mars?");
    assert_handed(shop, "low_confidence", NULL);
}

static void an_empty_knowledge_base_hands_over(void **state)
{
    struct shop *shop = *state;

    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_start(shop);
    shop_hear(shop, "text", "How much is shipping to Germany?");
    shop_settle(shop);
    assert_handed(shop, "low_confidence", "colleague");
}

static void asks_to_clarify_once(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\",\"settings\":{\"chat\":{\"fallback_behavior\":\"ASK_CLARIFY\"}}}",
        "Zebra violin Mars?");
    assert_one_reply(shop, "tell me a little more", "fallback");
    shop_hear(shop, "text", "Violin zebra Jupiter?");
    shop_settle(shop);
    json_t *conversation = shop_conversation(shop, NULL);
    assert_string_equal(jx_str(conversation, "mode"), "human");
    json_decref(conversation);
}

static void suggests_topics(void **state)
{
    struct shop *shop = *state;

    ask(shop,
        "{\"name\":\"Ana\",\"settings\":{\"chat\":{\"fallback_behavior\":\"SUGGEST_TOPICS\",\"conversation_"
        "starters\":[\"Where is my order?\"]}}}",
        "Zebra violin Mars?");
    assert_one_reply(shop, "- Where is my order?", "fallback");
}

static void says_so_where_nobody_takes_over(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\",\"settings\":{\"handoff\":{\"low_confidence\":false}}}",
        "Zebra violin Mars?");
    assert_one_reply(shop, "I don't know", "fallback");
}

static void tries_anyway(void **state)
{
    struct shop *shop = *state;

    ask(shop,
        "{\"name\":\"Ana\",\"settings\":{\"chat\":{\"fallback_behavior\":\"TRY_ANYWAY\",\"confidence_"
        "threshold\":1}}}",
        "How much is shipping to Germany?");
    assert_one_reply(shop, "4.90", "knowledge");
}

static void a_wish_for_a_person_is_granted(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "How much is shipping? No, let me talk to a human.");
    assert_handed(shop, "requested", "colleague");
}

static void a_keyword_hands_over(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\",\"settings\":{\"handoff\":{\"keywords\":[\"lawyer\"]}}}",
        "My Lawyer asks what shipping costs");
    assert_handed(shop, "keyword", "colleague");
}

static void greets_back(void **state)
{
    struct shop *shop = *state;

    ask(shop,
        "{\"name\":\"Ana\",\"settings\":{\"chat\":{\"conversation_starters\":[\"What does shipping "
        "cost?\"]}}}",
        "Hallo!");
    assert_one_reply(shop, "Wie kann ich helfen?\n\n- What does shipping cost?", "flow");
}

static void pictures_go_to_a_person(void **state)
{
    struct shop *shop = *state;

    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_start(shop);
    shop_hear(shop, "image", "");
    shop_settle(shop);
    assert_handed(shop, "message_type", "colleague");
}

static void stickers_get_silence(void **state)
{
    struct shop *shop = *state;

    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_start(shop);
    struct id id = shop_hear(shop, "sticker", "");
    shop_settle(shop);
    json_t *replies = shop_messages(shop, "ai"), *conversation = shop_conversation(shop, NULL);
    assert_int_equal(json_array_size(replies), 0);
    assert_string_equal(jx_str(conversation, "answered"), id.text);
    json_decref(replies);
    json_decref(conversation);
}

static void an_old_message_goes_to_a_person(void **state)
{
    struct shop *shop = *state;

    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_knowledge(shop);
    shop_hear(shop, "text", "How much is shipping to Germany?");
    clock_shift_wall(16 * 60 * 1000);
    shop_start(shop);
    shop_settle(shop);
    assert_handed(shop, "stale", "colleague");
    clock_shift_wall(-16 * 60 * 1000);
}

static void a_paused_agent_is_silent(void **state)
{
    struct shop *shop = *state;
    struct snapshot *snap;

    ask(shop, "{\"name\":\"Ana\",\"status\":\"paused\"}", "How much is shipping to Germany?");
    json_t *replies = shop_messages(shop, "ai");
    assert_int_equal(json_array_size(replies), 0);
    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(snapshot_counter(snap, PART, "turns.silent.paused"), 1);
    snapshot_close(snap);
    json_decref(replies);
}

/* Three messages, each with its job: one answer that knows of all three. */
static void a_burst_gets_one_answer(void **state)
{
    struct shop *shop = *state;
    struct snapshot *snap;

    shop_option("quiet-time", "400ms");
    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_knowledge(shop);
    shop_start(shop);
    shop_hear(shop, "text", "Good evening");
    shop_hear(shop, "text", "I live in Germany");
    struct id newest = shop_hear(shop, "text", "how much is shipping?");
    shop_settle(shop);
    assert_one_reply(shop, "4.90", "knowledge");
    json_t *conversation = shop_conversation(shop, NULL);
    assert_string_equal(jx_str(conversation, "answered"), newest.text);
    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(snapshot_counter(snap, PART, "turns.silent.nothing_new"), 2);
    assert_int_equal(snapshot_counter(snap, PART, "turns.replied"), 1);
    snapshot_close(snap);
    json_decref(conversation);
}

/* Two questions in a row: both are answered, in one message. */
static void a_burst_of_two_questions(void **state)
{
    struct shop *shop = *state;

    shop_option("quiet-time", "300ms");
    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_knowledge(shop);
    shop_start(shop);
    shop_hear(shop, "text", "How much is shipping to Germany?");
    shop_hear(shop, "text", "Do gift cards expire?");
    shop_settle(shop);
    assert_one_reply(shop, "4.90", "knowledge");
    assert_one_reply(shop, "never expire", "knowledge");
    json_t *replies = shop_messages(shop, "ai");
    assert_int_equal(json_array_size(jx_arr(json_array_get(replies, 0), "citations")), 2);
    json_decref(replies);
}

/* Each question of a conversation gets its own answer, and what came before helps to understand it. */
static void a_conversation_goes_on(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "How much is shipping to Germany?");
    shop_hear(shop, "text", "Do gift cards expire?");
    shop_settle(shop);
    json_t *replies = shop_messages(shop, "ai");
    assert_int_equal(json_array_size(replies), 2);
    assert_non_null(strstr(jx_str(json_array_get(replies, 1), "text"), "never expire"));
    json_decref(replies);
}

/* Turns waiting in the queue while nobody runs them are done after a restart. */
static void a_restart_loses_nothing(void **state)
{
    struct shop *shop = *state;

    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_knowledge(shop);
    shop_hear(shop, "text", "How much is shipping to Germany?");
    shop_start(shop);
    workers_stop(shop->workers, 0);
    assert_int_equal(workers_start(shop->workers), ERR_OK);
    shop_settle(shop);
    assert_one_reply(shop, "4.90", "knowledge");
}

/* ---- people ---- */

enum change { JOIN, RESOLVE_AI, RESOLVE_CLOSED, TRIGGER };

static void change(struct shop *shop, enum change what)
{
    struct changes *cs = changes_new();
    struct snapshot *snap;
    uint64_t rev = 0;
    json_t *conversation = shop_conversation(shop, &rev);

    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    if (what == JOIN) {
        handoff_join(cs, snap, PART, conversation, rev, "Mia");
    } else if (what == TRIGGER) {
        handoff_trigger(cs, snap, PART, conversation, rev, "requested", "by hand", NULL);
    } else {
        handoff_resolve(cs, snap, PART, conversation, rev, what == RESOLVE_AI ? "ai" : "closed");
    }
    snapshot_close(snap);
    shop_submit(shop, cs);
    json_decref(conversation);
}

/* A person takes over, and gives back: what was written to the person is not answered again. */
static void a_person_takes_and_gives_back(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "How much is shipping to Germany?");
    change(shop, JOIN);
    shop_hear(shop, "text", "Do gift cards expire?");
    shop_settle(shop);
    assert_one_reply(shop, "4.90", "knowledge");
    assert_int_equal(shop_events(shop, "agent.joined"), 1);
    change(shop, RESOLVE_AI);
    assert_int_equal(shop_events(shop, "handoff.resolved"), 1);
    shop_hear(shop, "text", "When is the store in Lyon open?");
    shop_settle(shop);
    json_t *replies = shop_messages(shop, "ai");
    assert_int_equal(json_array_size(replies), 2);
    assert_non_null(strstr(jx_str(json_array_get(replies, 1), "text"), "Monday"));
    json_decref(replies);
}

/* What a race is about: the AI's newest reply against the person's joining. */
struct race {
    uint64_t joined_rev, reply_rev;
    size_t replies;
};

/* Joins as often as it takes; the revision that did it. */
static uint64_t join_now(struct shop *shop)
{
    for (;;) {
        struct changes *cs = changes_new();
        struct snapshot *snap;
        uint64_t rev = 0, joined = 0;
        json_t *conversation = shop_conversation(shop, &rev);
        assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
        handoff_join(cs, snap, PART, conversation, rev, "Mia");
        snapshot_close(snap);
        json_decref(conversation);
        enum err rc = store_submit_wait(shop->store, cs, &joined);
        if (rc == ERR_OK) {
            return joined;
        }
        assert_int_equal(rc, ERR_CONFLICT);
    }
}

/* The revision of the AI's newest reply, and how many there are. */
static void find_reply(struct shop *shop, struct race *race)
{
    json_t *replies = shop_messages(shop, "ai"), *message = NULL;
    struct snapshot *snap;

    race->replies = json_array_size(replies);
    race->reply_rev = 0;
    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    if (race->replies > 0) {
        const char *id = jx_str(json_array_get(replies, race->replies - 1), "id");
        assert_int_equal(snapshot_get(snap, KIND_MESSAGE, PART, id, &message, &race->reply_rev), ERR_OK);
    }
    snapshot_close(snap);
    json_decref(message);
    json_decref(replies);
}

/* A person joins at any moment of a turn: no reply has a revision above the joining's, and none is half
 * there. */
static void races_with_a_person(void **state)
{
    struct shop *shop = *state;
    struct race race = {0};
    unsigned won = 0;

    shop_agent(shop, "{\"name\":\"Ana\"}");
    shop_knowledge(shop);
    shop_start(shop);
    for (unsigned i = 0; i < 100; i++) {
        size_t before = race.replies;
        clock_shift_wall(15000);
        shop_hear(shop, "text", i % 2 == 0 ? "How much is shipping to Germany?" : "Do gift cards expire?");
        int64_t until = clock_mono_us() + (int64_t)(random_below(3000));
        while (clock_mono_us() < until) {
        }
        race.joined_rev = join_now(shop);
        shop_settle(shop);
        find_reply(shop, &race);
        assert_true(race.replies <= before + 1);
        assert_true(race.reply_rev < race.joined_rev);
        won += race.replies == before ? 1 : 0;
        change(shop, RESOLVE_AI);
    }
    assert_true(won > 0);
    assert_true(race.replies > 0);
}

static void closing_ends_it(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "How much is shipping to Germany?");
    change(shop, RESOLVE_CLOSED);
    json_t *conversation = shop_conversation(shop, NULL);
    assert_string_equal(jx_str(conversation, "status"), "closed");
    assert_int_equal(shop_events(shop, "conversation.ended"), 1);
    json_decref(conversation);
}

static void a_second_handoff_tells_nobody(void **state)
{
    struct shop *shop = *state;

    ask(shop, "{\"name\":\"Ana\"}", "How much is shipping to Germany?");
    change(shop, TRIGGER);
    change(shop, TRIGGER);
    assert_int_equal(shop_events(shop, "handoff.triggered"), 1);
}

#define TURN_TEST(name) cmocka_unit_test_setup_teardown(name, shop_open, shop_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TURN_TEST(answers_from_knowledge),
        TURN_TEST(cites_as_told),
        TURN_TEST(hands_over_what_it_does_not_know),
        TURN_TEST(announces_in_the_accounts_words),
        TURN_TEST(announces_nothing_if_told_so),
        TURN_TEST(an_empty_knowledge_base_hands_over),
        TURN_TEST(asks_to_clarify_once),
        TURN_TEST(suggests_topics),
        TURN_TEST(says_so_where_nobody_takes_over),
        TURN_TEST(tries_anyway),
        TURN_TEST(a_wish_for_a_person_is_granted),
        TURN_TEST(a_keyword_hands_over),
        TURN_TEST(greets_back),
        TURN_TEST(pictures_go_to_a_person),
        TURN_TEST(stickers_get_silence),
        TURN_TEST(an_old_message_goes_to_a_person),
        TURN_TEST(a_paused_agent_is_silent),
        TURN_TEST(a_burst_gets_one_answer),
        TURN_TEST(a_burst_of_two_questions),
        TURN_TEST(a_conversation_goes_on),
        TURN_TEST(a_restart_loses_nothing),
        TURN_TEST(a_person_takes_and_gives_back),
        TURN_TEST(races_with_a_person),
        TURN_TEST(closing_ends_it),
        TURN_TEST(a_second_handoff_tells_nobody),
    };

    return cmocka_run_group_tests(tests, shop_keys, NULL);
}
