/* receive_test.c: customers' messages into a real store: people, threads, the window, duplicates, races. */
#include "channels_fixture.h"

static json_t *conversation_of(struct fixture *f, const char *part, const struct message_received *got)
{
    json_t *conversation = fixture_get(f, KIND_CONVERSATION, part, got->conversation_id.text, NULL);

    assert_non_null(conversation);
    return conversation;
}

static void test_first_message(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;
    struct buf events;

    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "wamid.1", "hello", &got), ERR_OK);
    json_t *conversation = conversation_of(f, PART, &got);
    json_t *msg = fixture_get(f, KIND_MESSAGE, PART, got.message_id.text, NULL);
    assert_string_equal(jx_str(conversation, "status"), "open");
    assert_string_equal(jx_str(conversation, "mode"), "ai");
    assert_string_equal(jx_str(conversation, "channel"), "whatsapp");
    assert_string_equal(jx_str(conversation, "agent_id"), "agt_1");
    assert_true(conversation_window_open(conversation, clock_wall_ms() + 86000000));
    assert_false(conversation_window_open(conversation, clock_wall_ms() + 86400000));
    assert_string_equal(jx_str(msg, "direction"), "in");
    assert_string_equal(jx_str(msg, "status"), "received");
    assert_string_equal(jx_str(msg, "text"), "hello");
    assert_string_equal(jx_str(jx_obj(msg, "author"), "name"), "Ana");
    assert_int_equal(fixture_jobs(f, QUEUE_TURN), 1);
    fixture_events(f, PART, &events);
    assert_string_equal(buf_str(&events), "conversation.started message.received ");
    assert_int_equal(fixture_count(f, KIND_CONTACT, PART), 1);
    assert_int_equal(fixture_count(f, KIND_CONTACT, PART_TEST), 0);
    buf_fini(&events);
    json_decref(conversation);
    json_decref(msg);
    json_decref(channel);
}

static void test_duplicate(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    json_t *other = fixture_channel(f, PART);
    struct message_received got;

    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "wamid.1", "hello", &got), ERR_OK);
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "wamid.1", "hello", &got), ERR_SEEN);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 1);
    assert_int_equal(fixture_jobs(f, QUEUE_TURN), 1);
    /* the same id on another channel, or without an id, is another message */
    assert_int_equal(fixture_receive(f, PART, other, "+16505551234", "wamid.1", "hello", &got), ERR_OK);
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", NULL, "hello", &got), ERR_OK);
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", NULL, "hello", &got), ERR_OK);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 4);
    assert_int_equal(fixture_count(f, KIND_CONTACT, PART), 1);
    assert_int_equal(fixture_count(f, KIND_CONVERSATION, PART), 2);
    json_decref(channel);
    json_decref(other);
}

/* Sets mode or status of a conversation. */
static void conversation_set(struct fixture *f, const struct message_received *got, const char *field,
                             const char *value)
{
    uint64_t rev = 0;
    json_t *conversation = fixture_get(f, KIND_CONVERSATION, PART, got->conversation_id.text, &rev);
    struct changes *cs = changes_new();

    jx_set_str(conversation, field, value);
    conversation_put(cs, PART, conversation, rev);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_decref(conversation);
}

static void test_human_and_closed(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received first, second, third;

    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "a", "1", &first), ERR_OK);
    conversation_set(f, &first, "mode", "human");
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "b", "2", &second), ERR_OK);
    assert_string_equal(second.conversation_id.text, first.conversation_id.text);
    assert_int_equal(fixture_jobs(f, QUEUE_TURN), 1);
    conversation_set(f, &first, "status", "closed");
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "c", "3", &third), ERR_OK);
    assert_string_not_equal(third.conversation_id.text, first.conversation_id.text);
    assert_int_equal(fixture_jobs(f, QUEUE_TURN), 2);
    json_decref(channel);
}

/* Receives with any identities and time. */
static enum err receive_as(struct fixture *f, const json_t *channel, const char *identities,
                           int64_t platform_ms, const char *thread, struct message_received *got)
{
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *cs = changes_new();
    json_t *list = json_loads(identities, 0, NULL);
    struct message_inbound in = {.channel = channel,
                                 .identities = list,
                                 .platform_ms = platform_ms,
                                 .thread = thread,
                                 .type = "text",
                                 .text = "x"};

    enum err rc = message_receive(cs, snap, PART, &in, got);
    snapshot_close(snap);
    json_decref(list);
    if (rc != ERR_OK) {
        changes_free(cs);
        return rc;
    }
    return fixture_submit(f, cs);
}

#define PHONE "{\"type\":\"phone\",\"value\":\"+16505551234\"}"
#define BSUID "{\"type\":\"bsuid\",\"value\":\"US.77\"}"
#define NAME  "{\"type\":\"username\",\"value\":\"ana\"}"

static void test_merge(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received by_phone, by_bsuid, both, later;
    json_t *contact = NULL, *same = NULL;

    assert_int_equal(receive_as(f, channel, "[" PHONE "]", 0, NULL, &by_phone), ERR_OK);
    assert_int_equal(receive_as(f, channel, "[" BSUID "]", 0, NULL, &by_bsuid), ERR_OK);
    assert_string_not_equal(by_phone.conversation_id.text, by_bsuid.conversation_id.text);
    assert_int_equal(receive_as(f, channel, "[" PHONE "," BSUID "]", 0, NULL, &both), ERR_OK);
    assert_string_equal(both.conversation_id.text, by_phone.conversation_id.text);

    struct snapshot *snap = fixture_snapshot(f);
    assert_int_equal(contact_find(snap, PART, "bsuid", "US.77", &contact, NULL), ERR_OK);
    assert_int_equal(contact_find(snap, PART, "phone", "+16505551234", &same, NULL), ERR_OK);
    assert_string_equal(jx_str(contact, "id"), jx_str(same, "id"));
    assert_string_equal(contact_identity(contact, "phone"), "+16505551234");
    assert_string_equal(contact_identity(contact, "bsuid"), "US.77");
    snapshot_close(snap);
    /* the other's thread is this person's now; the young contact points to the old one */
    json_t *moved = conversation_of(f, PART, &by_bsuid);
    assert_string_equal(jx_str(moved, "contact_id"), jx_str(contact, "id"));
    assert_int_equal(receive_as(f, channel, "[" BSUID "]", 0, NULL, &later), ERR_OK);
    json_t *all = fixture_all(f, KIND_CONTACT, PART);
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(jx_str(json_array_get(all, 1), "merged_into"), jx_str(contact, "id"));
    json_decref(all);
    json_decref(moved);
    json_decref(contact);
    json_decref(same);
    json_decref(channel);
}

/* The open thread of the younger contact goes on if the older one has none. */
static void test_merge_keeps_thread(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    json_t *elsewhere = fixture_channel(f, PART);
    struct message_received old, young, both;

    assert_int_equal(receive_as(f, elsewhere, "[" PHONE "]", 0, NULL, &old), ERR_OK);
    assert_int_equal(receive_as(f, channel, "[" BSUID "]", 0, NULL, &young), ERR_OK);
    assert_int_equal(receive_as(f, channel, "[" BSUID "," PHONE "]", 0, NULL, &both), ERR_OK);
    assert_string_equal(both.conversation_id.text, young.conversation_id.text);
    json_t *a = conversation_of(f, PART, &old);
    json_t *b = conversation_of(f, PART, &young);
    assert_string_equal(jx_str(a, "contact_id"), jx_str(b, "contact_id"));
    json_decref(a);
    json_decref(b);
    json_decref(channel);
    json_decref(elsewhere);
}

/* A username wanders from one person to another and never merges them. */
static void test_username_is_weak(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;
    json_t *one = NULL, *two = NULL, *named = NULL;

    assert_int_equal(receive_as(f, channel, "[" PHONE "," NAME "]", 0, NULL, &got), ERR_OK);
    assert_int_equal(receive_as(f, channel, "[" BSUID "," NAME "]", 0, NULL, &got), ERR_OK);
    struct snapshot *snap = fixture_snapshot(f);
    assert_int_equal(contact_find(snap, PART, "phone", "+16505551234", &one, NULL), ERR_OK);
    assert_int_equal(contact_find(snap, PART, "bsuid", "US.77", &two, NULL), ERR_OK);
    assert_int_equal(contact_find(snap, PART, "username", "ana", &named, NULL), ERR_OK);
    snapshot_close(snap);
    assert_string_not_equal(jx_str(one, "id"), jx_str(two, "id"));
    assert_string_equal(jx_str(named, "id"), jx_str(two, "id"));
    assert_null(contact_identity(one, "username"));
    json_decref(one);
    json_decref(two);
    json_decref(named);
    json_decref(channel);
}

static void test_newest_identity_first(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;
    json_t *contact = NULL;

    assert_int_equal(receive_as(f, channel, "[" PHONE "]", 0, NULL, &got), ERR_OK);
    assert_int_equal(
        receive_as(f, channel, "[{\"type\":\"phone\",\"value\":\"+16505559999\"}," PHONE "]", 0, NULL, &got),
        ERR_OK);
    struct snapshot *snap = fixture_snapshot(f);
    assert_int_equal(contact_find(snap, PART, "phone", "+16505551234", &contact, NULL), ERR_OK);
    snapshot_close(snap);
    assert_string_equal(contact_identity(contact, "phone"), "+16505559999");
    assert_int_equal(json_array_size(jx_arr(contact, "identities")), 2);
    json_decref(contact);
    json_decref(channel);
}

static void test_bad_identities(void **state)
{
    static const char *const rows[] = {"[]", "[{\"type\":\"phone\"}]", "[{\"type\":\"fax\",\"value\":\"1\"}]",
                                       "[{\"type\":\"phone\",\"value\":\"\"}]", "[7]"};
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(receive_as(f, channel, rows[i], 0, NULL, &got), ERR_INVALID);
    }
    /* longer than a key may be: found again all the same */
    char big[600];
    snprintf(big, sizeof big, "[{\"type\":\"external\",\"value\":\"%0400d\"}]", 7);
    struct message_received again;
    assert_int_equal(receive_as(f, channel, big, 0, NULL, &got), ERR_OK);
    assert_int_equal(receive_as(f, channel, big, 0, NULL, &again), ERR_OK);
    assert_string_equal(got.conversation_id.text, again.conversation_id.text);
    json_decref(channel);
}

static void test_window_time(void **state)
{
    struct fixture *f = *state;
    int64_t now = clock_wall_ms();
    const struct {
        const char *label;
        int64_t platform_ms, want_end;
    } rows[] = {
        {"none", 0, now + 86400000},
        {"an hour ago", now - 3600000, now + 82800000},
        {"a year ago", now - 31536000000, now + 86400000},
        {"next week", now + 604800000, now + 86400000},
        {"a minute ahead", now + 60000, now + 86460000},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *channel = fixture_channel(f, PART);
        struct message_received got;
        int64_t end = 0;
        bool date_only;
        assert_int_equal(receive_as(f, channel, "[" PHONE "]", rows[i].platform_ms, NULL, &got), ERR_OK);
        json_t *conversation = conversation_of(f, PART, &got);
        assert_true(clock_parse(jx_str(conversation, "window_expires_at"), &end, &date_only));
        if (end < rows[i].want_end - 5000 || end > rows[i].want_end + 5000) {
            fail_msg("%s: off by %lld ms", rows[i].label, (long long)(end - rows[i].want_end));
        }
        json_decref(conversation);
        json_decref(channel);
    }
}

static void test_window_never_back(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;
    int64_t now = clock_wall_ms();

    assert_int_equal(receive_as(f, channel, "[" PHONE "]", now, NULL, &got), ERR_OK);
    json_t *before = conversation_of(f, PART, &got);
    assert_int_equal(receive_as(f, channel, "[" PHONE "]", now - 7200000, NULL, &got), ERR_OK);
    json_t *after = conversation_of(f, PART, &got);
    assert_string_equal(jx_str(before, "window_expires_at"), jx_str(after, "window_expires_at"));
    json_decref(before);
    json_decref(after);
    json_decref(channel);
}

/* What the platform itself notes about a customer is no message of his. */
static void test_system_opens_no_window(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    json_t *identities = fixture_identity("phone", "+16505551234");
    struct message_inbound in = {
        .channel = channel, .identities = identities, .type = "system", .text = "moved"};
    struct message_received got;
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *cs = changes_new();

    assert_int_equal(message_receive(cs, snap, PART, &in, &got), ERR_OK);
    snapshot_close(snap);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_t *conversation = conversation_of(f, PART, &got);
    assert_false(conversation_window_open(conversation, clock_wall_ms()));
    json_decref(conversation);
    json_decref(identities);
    json_decref(channel);
}

static void test_thread(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel_of(f, PART, json_pack("{s:s}", "type", "api"));
    struct message_received a, b, c, d;

    assert_int_equal(receive_as(f, channel, "[{\"type\":\"external\",\"value\":\"u1\"}]", 0, "t1", &a),
                     ERR_OK);
    assert_int_equal(receive_as(f, channel, "[{\"type\":\"external\",\"value\":\"u1\"}]", 0, "t2", &b),
                     ERR_OK);
    assert_int_equal(receive_as(f, channel, "[{\"type\":\"external\",\"value\":\"u1\"}]", 0, "t1", &c),
                     ERR_OK);
    assert_string_equal(a.conversation_id.text, c.conversation_id.text);
    assert_string_not_equal(a.conversation_id.text, b.conversation_id.text);
    json_t *conversation = conversation_of(f, PART, &a);
    assert_true(json_is_null(json_object_get(conversation, "window_expires_at")));
    assert_true(conversation_window_open(conversation, clock_wall_ms()));
    json_decref(conversation);
    conversation_set(f, &a, "status", "closed");
    assert_int_equal(receive_as(f, channel, "[{\"type\":\"external\",\"value\":\"u1\"}]", 0, "t1", &d),
                     ERR_OK);
    assert_string_equal(a.conversation_id.text, d.conversation_id.text);
    conversation = conversation_of(f, PART, &d);
    assert_string_equal(jx_str(conversation, "status"), "open");
    json_decref(conversation);
    json_decref(channel);
}

/* Two messages of one new customer at the same moment: the second is decided again, one thread results. */
static void test_race(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    json_t *identities = fixture_identity("phone", "+16505551234");
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *one = changes_new(), *two = changes_new();
    struct message_inbound in = {.channel = channel, .identities = identities, .type = "text", .text = "x"};
    struct message_received got;

    in.platform_id = "a";
    assert_int_equal(message_receive(one, snap, PART, &in, &got), ERR_OK);
    in.platform_id = "b";
    assert_int_equal(message_receive(two, snap, PART, &in, &got), ERR_OK);
    snapshot_close(snap);
    assert_int_equal(fixture_submit(f, one), ERR_OK);
    assert_int_equal(fixture_submit(f, two), ERR_CONFLICT);
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "b", "x", &got), ERR_OK);
    assert_int_equal(fixture_count(f, KIND_CONVERSATION, PART), 1);
    assert_int_equal(fixture_count(f, KIND_CONTACT, PART), 1);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 2);
    json_decref(identities);
    json_decref(channel);
}

/* As before, but the customer is known and only his thread is new. */
static void test_race_on_thread(void **state)
{
    struct fixture *f = *state;
    json_t *elsewhere = fixture_channel(f, PART);
    json_t *channel = fixture_channel(f, PART);
    json_t *identities = fixture_identity("phone", "+16505551234");
    struct message_inbound in = {
        .channel = channel, .identities = identities, .name = "Ana", .type = "text", .text = "x"};
    struct message_received got;

    assert_int_equal(fixture_receive(f, PART, elsewhere, "+16505551234", "z", "x", &got), ERR_OK);
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *one = changes_new(), *two = changes_new();
    assert_int_equal(message_receive(one, snap, PART, &in, &got), ERR_OK);
    assert_int_equal(message_receive(two, snap, PART, &in, &got), ERR_OK);
    snapshot_close(snap);
    assert_int_equal(fixture_submit(f, one), ERR_OK);
    assert_int_equal(fixture_submit(f, two), ERR_CONFLICT);
    json_decref(identities);
    json_decref(channel);
    json_decref(elsewhere);
}

/* Queues a draft in the thread; its id. */
static struct id send_text(struct fixture *f, const char *conversation_id, const char *text)
{
    struct snapshot *snap = fixture_snapshot(f);
    json_t *conversation = NULL;
    struct changes *cs = changes_new();
    json_t *citations = json_pack("[s]", "doc_1");
    struct message_draft draft = {.author_type = "ai",
                                  .type = "text",
                                  .text = text,
                                  .citations = citations,
                                  .confidence = 0.5,
                                  .source = "knowledge"};

    assert_int_equal(conversation_get(snap, PART, conversation_id, &conversation, NULL), ERR_OK);
    struct id id = message_send(cs, snap, PART, conversation, &draft);
    snapshot_close(snap);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_decref(citations);
    json_decref(conversation);
    return id;
}

/* Moves a stored message; whether anything was added. */
static bool advance(struct fixture *f, const char *id, const char *status)
{
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *cs = changes_new();
    json_t *msg = NULL;
    json_t *error = json_pack("{s:s,s:s,s:s}", "code", "131026", "title", "t", "detail", "d");
    uint64_t rev = 0;

    assert_int_equal(snapshot_get(snap, KIND_MESSAGE, PART, id, &msg, &rev), ERR_OK);
    bool moved = message_advance(cs, snap, PART, msg, rev, status, error);
    snapshot_close(snap);
    assert_int_equal(changes_any(cs), moved);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_decref(msg);
    json_decref(error);
    return moved;
}

static void test_ladder(void **state)
{
    static const struct {
        const char *label, *walk, *status, *events;
    } rows[] = {
        {"in order", "sent delivered read", "read", "message.sent message.delivered message.read "},
        {"backwards", "read delivered sent", "read", "message.sent message.read "},
        {"twice", "sent sent delivered delivered", "delivered", "message.sent message.delivered "},
        {"sent is skipped", "delivered", "delivered", "message.sent message.delivered "},
        {"failed at once", "failed", "failed", "message.failed "},
        {"failed after sent", "sent failed", "failed", "message.sent message.failed "},
        {"failed after delivered", "sent delivered failed", "delivered", "message.sent message.delivered "},
        {"delivered after failed", "sent failed delivered", "delivered",
         "message.sent message.failed message.delivered "},
        {"sent after failed", "failed sent", "failed", "message.failed "},
        {"a word of its own", "teleported", "queued", ""},
    };
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;
    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "a", "1", &got), ERR_OK);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf before, after;
        char walk[64];
        char *rest = walk;
        struct id id = send_text(f, got.conversation_id.text, "reply");
        fixture_events(f, PART, &before);
        snprintf(walk, sizeof walk, "%s", rows[i].walk);
        for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
            advance(f, id.text, word);
        }
        fixture_events(f, PART, &after);
        json_t *msg = fixture_get(f, KIND_MESSAGE, PART, id.text, NULL);
        if (strcmp(jx_str(msg, "status"), rows[i].status) != 0 ||
            strcmp(buf_str(&after) + before.len, rows[i].events) != 0) {
            fail_msg("%s: %s, %s", rows[i].label, jx_str(msg, "status"), buf_str(&after) + before.len);
        }
        assert_int_equal(jx_obj(msg, "error") != NULL, strcmp(rows[i].status, "failed") == 0);
        json_decref(msg);
        buf_fini(&before);
        buf_fini(&after);
    }
    json_decref(channel);
}

static void test_bubbles(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct message_received got;
    json_t *history = NULL;
    struct buf text, joined;

    assert_int_equal(fixture_receive(f, PART, channel, "+16505551234", "a", "1", &got), ERR_OK);
    buf_init(&text, 1 << 16);
    buf_init(&joined, 1 << 16);
    for (int i = 0; i < 200; i++) {
        buf_addf(&text, "%sSentence number %d says something of some length.", i > 0 ? " " : "", i);
    }
    struct id first = send_text(f, got.conversation_id.text, buf_str(&text));
    struct snapshot *snap = fixture_snapshot(f);
    assert_int_equal(message_history(snap, PART, got.conversation_id.text, 50, &history), ERR_OK);
    snapshot_close(snap);
    assert_int_equal(json_array_size(history), 4);
    assert_string_equal(jx_str(json_array_get(history, 1), "id"), first.text);
    assert_int_equal(fixture_jobs(f, QUEUE_SEND), 3);
    for (size_t i = 1; i < 4; i++) {
        const json_t *msg = json_array_get(history, i);
        assert_true(strlen(jx_str(msg, "text")) <= 4096);
        assert_int_equal(jx_arr(msg, "citations") != NULL, i == 1);
        buf_addf(&joined, "%s%s", i > 1 ? " " : "", jx_str(msg, "text"));
    }
    assert_string_equal(buf_str(&joined), buf_str(&text));
    json_decref(history);
    json_decref(channel);
    buf_fini(&text);
    buf_fini(&joined);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_first_message),
        TEST(test_duplicate),
        TEST(test_human_and_closed),
        TEST(test_merge),
        TEST(test_merge_keeps_thread),
        TEST(test_username_is_weak),
        TEST(test_newest_identity_first),
        TEST(test_bad_identities),
        TEST(test_window_time),
        TEST(test_window_never_back),
        TEST(test_system_opens_no_window),
        TEST(test_thread),
        TEST(test_race),
        TEST(test_race_on_thread),
        TEST(test_ladder),
        TEST(test_bubbles),
    };

    return cmocka_run_group_tests(tests, fixture_keys, NULL);
}
