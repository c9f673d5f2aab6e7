/* intake_test.c: raw hooks through the real workers: batches, bad items, duplicates, other numbers, early
 * statuses. */
#include "channels_fixture.h"

#define OPEN  "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"1\",\"changes\":["
#define CLOSE "]}]}"
#define VALUE(number, x) \
    "{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"" number "\"}," x "}}"
#define TEXT(from, id, body)              \
    "{\"from\":\"" from "\",\"id\":\"" id \
    "\",\"timestamp\":\"1\",\"type\":\"text\",\"text\":{\"body\":\"" body "\"}}"

/* Stores a payload as a hook of the channel. */
static void post(struct fixture *f, const char *part, const json_t *channel, const char *payload)
{
    struct changes *cs = changes_new();
    char hook_id[ID_SIZE];

    channel_hook_store(cs, part, jx_str(channel, "id"), payload, strlen(payload), hook_id);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
}

static bool intake_idle(void *arg)
{
    return fixture_jobs(arg, QUEUE_INTAKE) == 0;
}

/* Posts and waits until everything is taken apart. */
static void post_wait(struct fixture *f, const json_t *channel, const char *payload)
{
    post(f, PART, channel, payload);
    fixture_wait(intake_idle, f, "intake");
}

static int64_t counter(struct fixture *f, const char *name)
{
    struct snapshot *snap = fixture_snapshot(f);
    int64_t value = snapshot_counter(snap, PART, name);

    snapshot_close(snap);
    return value;
}

static void test_batch(void **state)
{
    static const char payload[] =
        OPEN VALUE("123",
                   "\"messages\":[" TEXT("16505551234", "a", "one") ",17," TEXT(
                       "16505551234", "b",
                       "two") ","
                              "{\"id\":\"c\",\"type\":\"text\"}," TEXT(
                                  "447700900123", "d",
                                  "three") "],\"errors\":[{\"code\":1}]") ",{\"field\":\"account_alerts\","
                                                                          "\"value\":{\"x\":1}}" CLOSE;
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);

    fixture_start(f);
    post_wait(f, channel, payload);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 3);
    assert_int_equal(fixture_count(f, KIND_CONVERSATION, PART), 2);
    assert_int_equal(fixture_count(f, KIND_QUARANTINE, PART), 2);
    assert_int_equal(fixture_count(f, KIND_NOTICE, PART), 2);
    assert_int_equal(counter(f, "inbound.quarantined"), 2);
    json_t *messages = fixture_all(f, KIND_MESSAGE, PART);
    assert_string_equal(jx_str(json_array_get(messages, 0), "text"), "one");
    assert_string_equal(jx_str(json_array_get(messages, 1), "text"), "two");
    json_decref(messages);
    /* the same once more, and once more with one new item: only that is added */
    post_wait(f, channel, payload);
    post_wait(f, channel,
              OPEN VALUE("123", "\"messages\":[" TEXT("16505551234", "a", "one") "," TEXT(
                                    "16505551234", "e", "four") "," TEXT("16505551234", "b", "two") "]")
                  CLOSE);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 4);
    assert_int_equal(fixture_count(f, KIND_QUARANTINE, PART), 2);
    assert_int_equal(fixture_count(f, KIND_NOTICE, PART), 2);
    assert_int_equal(fixture_count(f, KIND_HOOK, PART), 3);
    assert_int_equal(fixture_count(f, KIND_DEAD, PART), 0);
    json_decref(channel);
}

static void test_unreadable(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);

    fixture_start(f);
    post_wait(f, channel, "certainly no payload");
    post_wait(f, channel, "");
    json_t *all = fixture_all(f, KIND_QUARANTINE, PART);
    assert_int_equal(json_array_size(all), 2);
    assert_non_null(jx_str(jx_at(all, "/0/raw"), "hook_id"));
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 0);
    json_decref(all);
    json_decref(channel);
}

static void test_other_number(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    json_t *body = fixture_whatsapp_body();
    jx_set_str(body, "phone_number_id", "456");
    json_t *second = fixture_channel_of(f, PART, body);

    fixture_start(f);
    post_wait(f, channel,
              OPEN VALUE("123", "\"messages\":[" TEXT("16505551234", "a", "1") "]") "," VALUE(
                  "456", "\"messages\":[" TEXT("16505551234", "b",
                                               "2") "]") "," VALUE("789", "\"messages\":[" TEXT("16505551234",
                                                                                                "c", "3") "]")
                  CLOSE);
    json_t *messages = fixture_all(f, KIND_MESSAGE, PART);
    assert_int_equal(json_array_size(messages), 2);
    assert_string_equal(jx_str(json_array_get(messages, 0), "channel_id"), jx_str(channel, "id"));
    assert_string_equal(jx_str(json_array_get(messages, 1), "channel_id"), jx_str(second, "id"));
    json_t *quarantine = fixture_all(f, KIND_QUARANTINE, PART);
    assert_int_equal(json_array_size(quarantine), 1);
    assert_string_equal(jx_str(jx_at(quarantine, "/0/raw"), "platform_id"), "c");
    json_decref(quarantine);
    json_decref(messages);
    json_decref(channel);
    json_decref(second);
}

/* A batch of one customer's messages, each of which moves the same records. */
static void test_long_batch(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct buf payload;

    buf_init(&payload, 1 << 20);
    buf_adds(&payload, OPEN
             "{\"field\":\"messages\",\"value\":{\"metadata\":{\"phone_number_id\":\"123\"},\"messages\":[");
    for (int i = 0; i < 60; i++) {
        buf_addf(&payload,
                 "%s{\"from\":\"1650555%04d\",\"id\":\"m%d\",\"type\":\"text\",\"text\":{\"body\":\"%d\"}}",
                 i > 0 ? "," : "", i % 3, i, i);
    }
    buf_adds(&payload, "]}}" CLOSE);
    fixture_start(f);
    /* the same batch several times at once, as a platform does that got no answer in time */
    for (int i = 0; i < 4; i++) {
        post(f, PART, channel, buf_str(&payload));
    }
    fixture_wait(intake_idle, f, "intake");
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 60);
    assert_int_equal(fixture_count(f, KIND_CONVERSATION, PART), 3);
    json_t *messages = fixture_all(f, KIND_MESSAGE, PART);
    for (size_t i = 0; i < 60; i++) {
        char want[8];
        snprintf(want, sizeof want, "%zu", i);
        assert_string_equal(jx_str(json_array_get(messages, i), "text"), want);
    }
    json_decref(messages);
    json_decref(channel);
    buf_fini(&payload);
}

/* ---- statuses ---- */

/* A queued message to a customer who has just written; no worker sends it, since its job is held back. */
static struct id queue_reply(struct fixture *f, const json_t *channel, const char *part)
{
    struct message_received got;
    struct changes *cs = changes_new();
    json_t *conversation = NULL;
    struct message_draft draft = {.author_type = "ai", .type = "text", .text = "reply", .confidence = -1};

    assert_int_equal(fixture_receive(f, part, channel, "+16505551234", NULL, "hi", &got), ERR_OK);
    struct snapshot *snap = fixture_snapshot(f);
    assert_int_equal(conversation_get(snap, part, got.conversation_id.text, &conversation, NULL), ERR_OK);
    struct id id = message_send(cs, snap, part, conversation, &draft);
    snapshot_close(snap);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    json_decref(conversation);
    return id;
}

/* Workers that take hooks apart but send nothing: QUEUE_SEND has no handler that ends its jobs. */
static void hold_job(struct job *job, void *arg)
{
    struct changes *cs = changes_new();

    (void)arg;
    changes_postpone(cs, job, 3600000);
    job_finish(job, cs, NULL, NULL);
}

static void start_without_sending(struct fixture *f)
{
    f->workers = workers_new(f->store, 1, 64);
    channels_register(f->workers);
    workers_handle(f->workers, QUEUE_SEND, hold_job, NULL);
    assert_int_equal(workers_start(f->workers), ERR_OK);
}

static void post_status(struct fixture *f, const json_t *channel, const char *platform_id, const char *status,
                        const char *ours)
{
    char *payload = xasprintf(
        OPEN VALUE("123", "\"statuses\":[{\"id\":\"%s\",\"status\":\"%s\",\"timestamp\":\"1\"%s%s%s}]") CLOSE,
        platform_id, status, ours != NULL ? ",\"biz_opaque_callback_data\":\"" : "", ours != NULL ? ours : "",
        ours != NULL ? "\"" : "");

    post(f, PART, channel, payload);
    free(payload);
}

static void test_status_before_answer(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct id id = queue_reply(f, channel, PART);

    start_without_sending(f);
    post_status(f, channel, "wamid.EARLY", "sent", id.text);
    fixture_wait(intake_idle, f, "intake");
    json_t *msg = fixture_get(f, KIND_MESSAGE, PART, id.text, NULL);
    assert_string_equal(jx_str(msg, "status"), "sent");
    assert_string_equal(jx_str(msg, "platform_id"), "wamid.EARLY");
    json_decref(msg);
    /* now the platform's id is enough, in any order */
    post_status(f, channel, "wamid.EARLY", "read", NULL);
    fixture_wait(intake_idle, f, "intake");
    post_status(f, channel, "wamid.EARLY", "delivered", NULL);
    fixture_wait(intake_idle, f, "intake");
    msg = fixture_get(f, KIND_MESSAGE, PART, id.text, NULL);
    assert_string_equal(jx_str(msg, "status"), "read");
    json_decref(msg);
    json_decref(channel);
}

/* Moves time on so that put-off jobs come due. */
static bool intake_idle_later(void *arg)
{
    clock_shift_mono(500);
    clock_shift_wall(500);
    return intake_idle(arg);
}

static void test_status_of_nobody(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);

    start_without_sending(f);
    post_status(f, channel, "wamid.FOREIGN", "sent", NULL);
    post_status(f, channel, "wamid.FOREIGN2", "sent", "msg_01JAAAAAAAAAAAAAAAAAAAAAAA");
    fixture_wait(intake_idle_later, f, "put-off statuses");
    assert_int_equal(counter(f, "inbound.statuses_unknown"), 2);
    assert_int_equal(fixture_count(f, KIND_DEAD, PART), 0);
    json_decref(channel);
}

/* A status about a message of another channel is not applied to it. */
static void test_status_of_other_channel(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    json_t *other = fixture_channel(f, PART);
    struct id id = queue_reply(f, channel, PART);

    start_without_sending(f);
    post_status(f, other, "wamid.X", "read", id.text);
    fixture_wait(intake_idle_later, f, "put-off statuses");
    json_t *msg = fixture_get(f, KIND_MESSAGE, PART, id.text, NULL);
    assert_string_equal(jx_str(msg, "status"), "queued");
    json_decref(msg);
    json_decref(channel);
    json_decref(other);
}

/* ---- posts at random ---- */

#define RANDOM_MESSAGES 60
#define RANDOM_REPLIES  4
#define RANDOM_ITEMS    ((RANDOM_MESSAGES + 3 * RANDOM_REPLIES) * 3)

/* A small generator of its own, so that a failing seed can be run again. */
static unsigned draw(unsigned *seed, unsigned bound)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % bound;
}

/* Every message and every status three times, and something broken now and then. */
static size_t random_items(char *items[RANDOM_ITEMS], const struct id *replies)
{
    static const char *const words[] = {"sent", "delivered", "read"};
    size_t count = 0;

    for (int copy = 0; copy < 3; copy++) {
        for (int i = 0; i < RANDOM_MESSAGES; i++) {
            items[count++] = xasprintf("\"messages\":[" TEXT("1650555%04d", "rnd%d", "%d") "%s]", i % 7, i, i,
                                       i % 5 == 0 ? ",{\"id\":7},null" : "");
        }
        for (int i = 0; i < 3 * RANDOM_REPLIES; i++) {
            items[count++] = xasprintf(
                "\"statuses\":[{\"id\":\"out%d\",\"status\":\"%s\",\"biz_opaque_callback_data\":\"%s\"}]",
                i / 3, words[i % 3], replies[i / 3].text);
        }
    }
    CHECK(count == RANDOM_ITEMS);
    return count;
}

/* Posts the items in random order, one to nine of them in a post. */
static void post_shuffled(struct fixture *f, const json_t *channel, char *items[RANDOM_ITEMS], unsigned *seed)
{
    struct buf payload;

    for (unsigned i = RANDOM_ITEMS - 1; i > 0; i--) {
        unsigned other = draw(seed, i + 1);
        char *item = items[i];
        items[i] = items[other];
        items[other] = item;
    }
    buf_init(&payload, 1 << 16);
    for (unsigned i = 0; i < RANDOM_ITEMS;) {
        unsigned end = i + 1 + draw(seed, 9);
        buf_reset(&payload);
        buf_adds(&payload, OPEN);
        for (bool first = true; i < end && i < RANDOM_ITEMS; i++, first = false) {
            buf_addf(&payload, "%s{\"field\":\"messages\",\"value\":{%s}}", first ? "" : ",", items[i]);
            free(items[i]);
        }
        buf_adds(&payload, CLOSE);
        post(f, PART, channel, buf_str(&payload));
    }
    buf_fini(&payload);
}

static void test_random_posts(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct id replies[RANDOM_REPLIES];
    char *items[RANDOM_ITEMS];
    const char *wanted = getenv("TEST_SEED");
    unsigned seed = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : (unsigned)clock_wall_ms();
    unsigned seen[RANDOM_MESSAGES] = {0};
    size_t i;
    json_t *msg;

    print_message("seed %u\n", seed);
    for (i = 0; i < RANDOM_REPLIES; i++) {
        replies[i] = queue_reply(f, channel, PART);
    }
    (void)random_items(items, replies);
    start_without_sending(f);
    post_shuffled(f, channel, items, &seed);
    fixture_wait(intake_idle, f, "intake");
    json_t *all = fixture_all(f, KIND_MESSAGE, PART);
    json_array_foreach (all, i, msg) {
        const char *id = jx_str_or(msg, "platform_id", "");
        if (strncmp(id, "rnd", 3) == 0) {
            assert_string_equal(jx_str(msg, "text"), id + 3);
            seen[strtoul(id + 3, NULL, 10)]++;
        } else if (strcmp(jx_str(msg, "direction"), "out") == 0) {
            assert_string_equal(jx_str(msg, "status"), "read");
        }
    }
    for (i = 0; i < RANDOM_MESSAGES; i++) {
        assert_int_equal(seen[i], 1);
    }
    assert_int_equal(json_array_size(all), RANDOM_MESSAGES + 2 * RANDOM_REPLIES);
    assert_int_equal(fixture_count(f, KIND_CONVERSATION, PART), 8);
    assert_int_equal(fixture_count(f, KIND_DEAD, PART), 0);
    json_decref(all);
    json_decref(channel);
}

/* A channel that was deleted leaves nothing that is tried for ever. */
static void test_channel_gone(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct changes *cs = changes_new();
    uint64_t rev = 0;
    char part[PARTITION_SIZE];

    post(f, PART, channel, OPEN VALUE("123", "\"messages\":[" TEXT("16505551234", "a", "1") "]") CLOSE);
    json_decref(fixture_get(f, KIND_CHANNEL, PART, jx_str(channel, "id"), &rev));
    channel_delete(cs, PART, jx_str(channel, "id"), rev);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    fixture_start(f);
    fixture_wait(intake_idle, f, "intake");
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 0);
    assert_int_equal(fixture_count(f, KIND_HOOK, PART), 1);
    struct snapshot *snap = fixture_snapshot(f);
    assert_int_equal(channel_partition(snap, jx_str(channel, "id"), part), ERR_NOTFOUND);
    snapshot_close(snap);
    json_decref(channel);
}

/* The set that takes the payload at once, NULL if it goes the usual way. */
static struct changes *at_once(struct fixture *f, const json_t *channel, const char *payload)
{
    struct snapshot *snap = fixture_snapshot(f);
    struct changes *cs = channel_hook_take(f->store, snap, PART, channel, payload, strlen(payload));

    snapshot_close(snap);
    return cs;
}

#define ONE(id, body) OPEN VALUE("123", "\"messages\":[" TEXT("16505551234", id, body) "]") CLOSE

/* A post of one message is one change-set: hook, message and turn, and no job in between. */
static void test_one_message_at_once(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct changes *first = at_once(f, channel, ONE("a", "one"));
    struct changes *same = at_once(f, channel, ONE("a", "one"));
    struct changes *other = at_once(f, channel, ONE("b", "two"));

    assert_non_null(first);
    assert_non_null(same);
    assert_non_null(other);
    assert_int_equal(fixture_submit(f, first), ERR_OK);
    assert_int_equal(fixture_count(f, KIND_HOOK, PART), 1);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 1);
    assert_int_equal(fixture_jobs(f, QUEUE_INTAKE), 0);
    assert_int_equal(fixture_jobs(f, QUEUE_TURN), 1);
    assert_int_equal(fixture_submit(f, same), ERR_SEEN);
    assert_int_equal(fixture_submit(f, other), ERR_CONFLICT); /* it was to begin a conversation of its own */
    assert_int_equal(fixture_count(f, KIND_HOOK, PART), 1);
    other = at_once(f, channel, ONE("b", "two"));
    assert_int_equal(fixture_submit(f, other), ERR_OK);
    assert_int_equal(fixture_count(f, KIND_CONVERSATION, PART), 1);
    assert_int_equal(fixture_count(f, KIND_MESSAGE, PART), 2);
    json_decref(channel);
}

/* A post that was stored after the look at the lane and before the commit is not overtaken. */
static void test_at_once_overtakes_nothing(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct changes *second = at_once(f, channel, ONE("b", "two"));

    assert_non_null(second);
    post(f, PART, channel, ONE("a", "one"));
    assert_int_equal(fixture_submit(f, second), ERR_CONFLICT);
    post(f, PART, channel, ONE("b", "two")); /* as the front does then */
    fixture_start(f);
    fixture_wait(intake_idle, f, "intake");
    json_t *all = fixture_all(f, KIND_MESSAGE, PART);
    assert_int_equal(json_array_size(all), 2);
    assert_string_equal(jx_str(json_array_get(all, 0), "text"), "one");
    assert_string_equal(jx_str(json_array_get(all, 1), "text"), "two");
    json_decref(all);
    json_decref(channel);
}

/* The same of a status. */
static void test_one_status_at_once(void **state)
{
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);
    struct id id = queue_reply(f, channel, PART);
    char *payload = xasprintf(
        OPEN VALUE("123", "\"statuses\":[{\"id\":\"wamid.X\",\"status\":\"sent\",\"timestamp\":\"1\","
                          "\"biz_opaque_callback_data\":\"%s\"}]") CLOSE,
        id.text);

    struct changes *cs = at_once(f, channel, payload), *late = at_once(f, channel, payload);
    assert_non_null(cs);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    assert_int_equal(fixture_submit(f, late), ERR_CONFLICT); /* goes the usual way then */
    json_t *msg = fixture_get(f, KIND_MESSAGE, PART, id.text, NULL);
    assert_string_equal(jx_str(msg, "status"), "sent");
    assert_int_equal(fixture_jobs(f, QUEUE_INTAKE), 0);
    free(payload);
    json_decref(msg);
    json_decref(channel);
}

/* What is not one message for this channel, or could overtake what waits, goes the usual way. */
static void test_not_at_once(void **state)
{
    static const struct {
        const char *label, *payload;
    } cases[] = {
        {"not JSON", "{"},
        {"empty", OPEN VALUE("123", "\"messages\":[]") CLOSE},
        {"two messages", OPEN VALUE("123", "\"messages\":[" TEXT("16505551234", "a", "one") "," TEXT(
                                               "16505551234", "b", "two") "]") CLOSE},
        {"another number", OPEN VALUE("124", "\"messages\":[" TEXT("16505551234", "a", "one") "]") CLOSE},
        {"a bad one", OPEN VALUE("123", "\"messages\":[{\"id\":\"c\",\"type\":\"text\"}]") CLOSE},
        {"a status of nobody",
         OPEN VALUE("123", "\"statuses\":[{\"id\":\"x\",\"status\":\"sent\",\"timestamp\":\"1\","
                           "\"recipient_id\":\"16505551234\"}]") CLOSE},
        {"a notice", OPEN "{\"field\":\"account_alerts\",\"value\":{\"x\":1}}" CLOSE},
    };
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (at_once(f, channel, cases[i].payload) != NULL) {
            fail_msg("%s", cases[i].label);
        }
    }
    post(f, PART, channel, ONE("a", "one")); /* waits: no workers run */
    assert_null(at_once(f, channel, ONE("b", "two")));
    fixture_start(f);
    fixture_wait(intake_idle, f, "intake");
    struct changes *now = at_once(f, channel, ONE("b", "two"));
    assert_non_null(now);
    changes_free(now);
    json_decref(channel);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_random_posts),
        TEST(test_one_message_at_once),
        TEST(test_one_status_at_once),
        TEST(test_at_once_overtakes_nothing),
        TEST(test_not_at_once),
        TEST(test_batch),
        TEST(test_unreadable),
        TEST(test_other_number),
        TEST(test_long_batch),
        TEST(test_status_before_answer),
        TEST(test_status_of_nobody),
        TEST(test_channel_gone),
        TEST(test_status_of_other_channel),
    };

    return cmocka_run_group_tests(tests, fixture_keys, NULL);
}
