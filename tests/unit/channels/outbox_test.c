/* outbox_test.c: sending through the real workers and the real HTTP client, against a scripted Graph API and
 * the sandbox. */
#include "graph_stub.h"

#include "queue/base/netguard.h"

#define ERROR(code)                                                                                          \
    "{\"error\":{\"message\":\"(#" #code ") told\",\"code\":" #code ",\"error_data\":{\"details\":\"why\"}}" \
    "}"

/* One test's world: a stub, a channel that points to it, a customer who has just written. */
struct play {
    struct fixture *f;
    struct graph_stub stub;
    json_t *channel;
    struct message_received in;
    const char *part;
};

static void play_begin(struct play *p, void **state, const struct stub_row *script, size_t len)
{
    json_t *body = fixture_whatsapp_body();
    char url[64];

    *p = (struct play){.f = *state, .part = PART};
    netguard_allow_all(true);
    stub_start(&p->stub, script, len);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", p->stub.port);
    jx_set_str(body, "graph_url", url);
    jx_set_str(body, "graph_version", "v25.0");
    p->channel = fixture_channel_of(p->f, PART, body);
    assert_int_equal(fixture_receive(p->f, PART, p->channel, "+16505551234", "wamid.IN", "hi", &p->in),
                     ERR_OK);
}

static void play_end(struct play *p)
{
    fixture_stop(p->f);
    stub_stop(&p->stub);
    netguard_reset();
    json_decref(p->channel);
}

/* Queues a draft for the customer. */
static struct id play_send(struct play *p, const struct message_draft *draft)
{
    struct snapshot *snap = fixture_snapshot(p->f);
    struct changes *cs = changes_new();
    json_t *conversation = NULL;

    assert_int_equal(conversation_get(snap, p->part, p->in.conversation_id.text, &conversation, NULL),
                     ERR_OK);
    struct id id = message_send(cs, snap, p->part, conversation, draft);
    snapshot_close(snap);
    assert_int_equal(fixture_submit(p->f, cs), ERR_OK);
    json_decref(conversation);
    return id;
}

static struct id play_text(struct play *p, const char *text)
{
    struct message_draft draft = {.author_type = "ai", .type = "text", .text = text, .confidence = -1};

    return play_send(p, &draft);
}

/* What a test waits for. */
struct wish {
    struct play *p;
    const char *id, *status;
    size_t calls;
    int64_t shift_ms; /* time moves on by this with each look */
};

static bool has_status(void *arg)
{
    struct wish *w = arg;
    json_t *msg = fixture_get(w->p->f, KIND_MESSAGE, w->p->part, w->id, NULL);
    bool yes = msg != NULL && strcmp(jx_str_or(msg, "status", ""), w->status) == 0;

    json_decref(msg);
    if (!yes && w->shift_ms > 0) {
        clock_shift_mono(w->shift_ms);
        clock_shift_wall(w->shift_ms);
    }
    return yes;
}

static void wait_status(struct play *p, const struct id *id, const char *status, int64_t shift_ms)
{
    struct wish wish = {.p = p, .id = id->text, .status = status, .shift_ms = shift_ms};

    fixture_wait(has_status, &wish, status);
}

static bool has_calls(void *arg)
{
    struct wish *w = arg;

    return stub_count(&w->p->stub) >= w->calls;
}

static json_t *play_message(struct play *p, const struct id *id)
{
    json_t *msg = fixture_get(p->f, KIND_MESSAGE, p->part, id->text, NULL);

    assert_non_null(msg);
    return msg;
}

static void set_option(const char *flag, const char *value)
{
    struct buf why;

    buf_init(&why, 200);
    assert_int_equal(option_set_flag(flag, value, &why), ERR_OK);
    buf_fini(&why);
}

static bool no_jobs(void *arg)
{
    return fixture_jobs(arg, QUEUE_SEND) == 0;
}

static void test_accepted(void **state)
{
    struct play p;
    struct buf events;

    play_begin(&p, state, NULL, 0);
    struct id id = play_text(&p, "an answer");
    fixture_start(p.f);
    wait_status(&p, &id, "sent", 0);
    fixture_wait(no_jobs, p.f, "the job's end");
    assert_int_equal(stub_count(&p.stub), 1);
    const struct stub_request *request = &p.stub.requests[0];
    assert_string_equal(request->path, "/v25.0/123/messages");
    assert_string_equal(request->authorization, "Bearer EAAtoken-1234567890");
    assert_string_equal(jx_str(request->body, "messaging_product"), "whatsapp");
    assert_string_equal(jx_str(request->body, "to"), "+16505551234");
    assert_string_equal(jx_str(request->body, "type"), "text");
    assert_string_equal(jx_str(jx_obj(request->body, "text"), "body"), "an answer");
    assert_string_equal(jx_str(request->body, "biz_opaque_callback_data"), id.text);
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(msg, "platform_id"), "wamid.0");
    assert_null(jx_obj(msg, "attempt"));
    fixture_events(p.f, PART, &events);
    assert_string_equal(buf_str(&events), "conversation.started message.received message.sent ");
    json_decref(msg);
    buf_fini(&events);
    play_end(&p);
}

/* The platform writes the number in another way: replies from that one find the same person and thread. */
static void test_recipient_renamed(void **state)
{
    static const struct stub_row script[] = {
        {200,
         "{\"contacts\":[{\"input\":\"+16505551234\",\"wa_id\":\"6505551234\",\"user_id\":\"US.77\"}],"
         "\"messages\":[{\"id\":\"wamid.R\"}]}",
         NULL},
    };
    struct play p;
    struct message_received again;
    json_t *contact = NULL;

    play_begin(&p, state, script, 1);
    struct id id = play_text(&p, "x");
    fixture_start(p.f);
    wait_status(&p, &id, "sent", 0);
    assert_int_equal(fixture_receive(p.f, PART, p.channel, "+6505551234", "wamid.B", "hi", &again), ERR_OK);
    assert_string_equal(again.conversation_id.text, p.in.conversation_id.text);
    struct snapshot *snap = fixture_snapshot(p.f);
    assert_int_equal(contact_find(snap, PART, "bsuid", "US.77", &contact, NULL), ERR_OK);
    snapshot_close(snap);
    assert_int_equal(fixture_count(p.f, KIND_CONTACT, PART), 1);
    json_decref(contact);
    play_end(&p);
}

/* Several messages of one conversation go out one at a time, in order. */
static void test_order(void **state)
{
    static const struct stub_row script[] = {{400, ERROR(130429), NULL}};
    struct play p;
    struct id last = {""};

    play_begin(&p, state, script, 1);
    for (int i = 0; i < 5; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", i);
        last = play_text(&p, text);
    }
    fixture_start(p.f);
    wait_status(&p, &last, "sent", 100);
    assert_int_equal(stub_count(&p.stub), 6);
    for (size_t i = 1; i < 6; i++) {
        const char *text = jx_str(jx_obj(p.stub.requests[i].body, "text"), "body");
        assert_int_equal(text[0] - '0', i - 1);
    }
    play_end(&p);
}

static void test_outcomes(void **state)
{
    static const struct {
        const char *label;
        struct stub_row row;
        const char *status, *code; /* of the message at the end */
        size_t calls;
    } rows[] = {
        {"refused for good", {400, ERROR(131026), NULL}, "failed", "131026", 1},
        {"window closed", {400, ERROR(131047), NULL}, "failed", "131047", 1},
        {"bad request without a code", {422, "oops", NULL}, "failed", "HTTP_422", 1},
        {"rate limit", {400, ERROR(130429), NULL}, "sent", NULL, 2},
        {"pair limit", {400, ERROR(131056), NULL}, "sent", NULL, 2},
        {"rate limit as 429 without a code", {429, "", "Retry-After: 2"}, "sent", NULL, 2},
        {"outage", {503, ERROR(2), NULL}, "sent", NULL, 2},
        {"failure without words", {500, "", NULL}, "sent", NULL, 2},
        {"an error that is text",
         {400, "{\"error\":{\"code\":100,\"error_data\":\"plain\"}}", NULL},
         "failed",
         "100",
         1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct play p;
        play_begin(&p, state, &rows[i].row, 1);
        struct id id = play_text(&p, "x");
        fixture_start(p.f);
        wait_status(&p, &id, rows[i].status, 50);
        json_t *msg = play_message(&p, &id);
        const char *code = jx_str(jx_obj(msg, "error"), "code");
        if (stub_count(&p.stub) != rows[i].calls || (code == NULL) != (rows[i].code == NULL) ||
            (code != NULL && strcmp(code, rows[i].code) != 0)) {
            fail_msg("%s: %zu calls, code %s", rows[i].label, stub_count(&p.stub), code != NULL ? code : "-");
        }
        json_decref(msg);
        play_end(&p);
        fixture_close(state);
        assert_int_equal(fixture_open(state), 0);
    }
}

/* No answer: nothing is repeated within the grace time, then once. */
static void test_unknown_then_again(void **state)
{
    static const struct stub_row script[] = {{0, NULL, NULL}};
    struct play p;
    struct wish wish = {.p = &p, .calls = 1};

    play_begin(&p, state, script, 1);
    set_option("send-doubts", "2");
    struct id id = play_text(&p, "x");
    fixture_start(p.f);
    fixture_wait(has_calls, &wish, "the first call");
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(msg, "status"), "queued");
    assert_true(jx_int(jx_obj(msg, "attempt"), "started_at", 0) > 0);
    json_decref(msg);
    int64_t before = clock_wall_ms();
    wait_status(&p, &id, "sent", 200);
    assert_true(clock_wall_ms() - before >= 40000);
    assert_int_equal(stub_count(&p.stub), 2);
    assert_string_equal(jx_str(p.stub.requests[1].body, "biz_opaque_callback_data"), id.text);
    play_end(&p);
}

/* The platform posts that it delivered the message of that id. */
static void hook_status(struct play *p, const char *id)
{
    struct changes *cs = changes_new();
    char hook_id[ID_SIZE];
    char *payload = xasprintf("{\"object\":\"whatsapp_business_account\",\"entry\":[{\"changes\":[{\"field\":"
                              "\"messages\",\"value\":{"
                              "\"statuses\":[{\"id\":\"wamid.SLY\",\"status\":\"delivered\",\"biz_opaque_"
                              "callback_data\":\"%s\"}]}}]}]}",
                              id);

    channel_hook_store(cs, PART, jx_str(p->channel, "id"), payload, strlen(payload), hook_id);
    assert_int_equal(fixture_submit(p->f, cs), ERR_OK);
    free(payload);
}

/* No answer, but a status that carries our id: never sent again. */
static void status_overtakes(const json_t *body, void *arg)
{
    struct play *p = arg;
    const char *id = jx_str(body, "biz_opaque_callback_data");
    struct wish wish = {.p = p, .id = id, .status = "delivered"};

    hook_status(p, id);
    fixture_wait(has_status, &wish, "the early status");
}

static void test_unknown_resolved_by_status(void **state)
{
    static const struct stub_row script[] = {{0, NULL, NULL}};
    struct play p;

    play_begin(&p, state, script, 1);
    p.stub.before_answer = status_overtakes;
    p.stub.arg = &p;
    struct id id = play_text(&p, "x");
    fixture_start(p.f);
    wait_status(&p, &id, "delivered", 0);
    clock_shift_mono(120000);
    clock_shift_wall(120000);
    fixture_wait(no_jobs, p.f, "the job's end");
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(msg, "platform_id"), "wamid.SLY");
    assert_int_equal(stub_count(&p.stub), 1);
    json_decref(msg);
    play_end(&p);
}

/* The status is applied before the answer is read: the answer changes nothing any more. */
static void test_status_before_answer(void **state)
{
    struct play p;

    play_begin(&p, state, NULL, 0);
    p.stub.before_answer = status_overtakes;
    p.stub.arg = &p;
    struct id id = play_text(&p, "x");
    fixture_start(p.f);
    fixture_wait(no_jobs, p.f, "the job's end");
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(msg, "status"), "delivered");
    assert_string_equal(jx_str(msg, "platform_id"), "wamid.SLY");
    assert_null(jx_obj(msg, "attempt"));
    assert_int_equal(stub_count(&p.stub), 1);
    json_decref(msg);
    play_end(&p);
}

/* A mark without an outcome, as a process that was killed leaves it. */
static void leave_mark(struct play *p, const struct id *id, int64_t started_ms)
{
    uint64_t rev = 0;
    json_t *msg = fixture_get(p->f, KIND_MESSAGE, PART, id->text, &rev);
    struct changes *cs = changes_new();

    jx_set(msg, "attempt",
           json_pack("{s:i,s:I,s:i,s:i}", "count", 1, "started_at", (json_int_t)started_ms, "run", 1, "since",
                     1));
    changes_expect(cs, KIND_MESSAGE, PART, id->text, rev);
    changes_put(cs, KIND_MESSAGE, PART, id->text, msg);
    assert_int_equal(fixture_submit(p->f, cs), ERR_OK);
    json_decref(msg);
}

static void assert_no_event(struct play *p, const char *type)
{
    struct buf events;

    fixture_events(p->f, PART, &events);
    assert_null(strstr(buf_str(&events), type));
    buf_fini(&events);
}

/* By default it is held and said so, to the customer's apps and to a person; a status lifts it even then. */
static void test_crash_is_held(void **state)
{
    struct play p;

    play_begin(&p, state, NULL, 0);
    struct id id = play_text(&p, "x");
    leave_mark(&p, &id, clock_wall_ms());
    fixture_start(p.f);
    wait_status(&p, &id, "failed", 200);
    fixture_wait(no_jobs, p.f, "the job's end");
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(jx_obj(msg, "error"), "code"), "OUTCOME_UNKNOWN");
    json_decref(msg);
    json_t *conversation = fixture_get(p.f, KIND_CONVERSATION, PART, p.in.conversation_id.text, NULL);
    assert_string_equal(jx_str(conversation, "mode"), "human");
    assert_string_equal(jx_str(jx_obj(conversation, "handoff"), "reason"), "reply_unknown");
    assert_int_equal(stub_count(&p.stub), 0);
    hook_status(&p, id.text);
    wait_status(&p, &id, "delivered", 0);
    json_decref(conversation);
    play_end(&p);
}

/* The wait begins when somebody listens again, however long nobody did. */
static void test_crash_then_long_down(void **state)
{
    struct play p;

    play_begin(&p, state, NULL, 0);
    set_option("send-doubts", "2");
    struct id id = play_text(&p, "x");
    leave_mark(&p, &id, clock_wall_ms() - 600000);
    fixture_start(p.f);
    int64_t before = clock_wall_ms();
    wait_status(&p, &id, "sent", 200);
    assert_true(clock_wall_ms() - before >= 45000);
    assert_int_equal(stub_count(&p.stub), 1);
    play_end(&p);
}

/* A wall clock that jumps back does not lengthen the wait, one that jumps ahead does not end it. */
static void test_doubt_and_clock_jumps(void **state)
{
    static const struct stub_row script[] = {{0, NULL, NULL}, {0, NULL, NULL}};
    static const int64_t jumps[] = {-7200000, 36000000};

    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct play p;
        play_begin(&p, state, script, 2);
        struct id id = play_text(&p, "x");
        struct wish wish = {.p = &p, .calls = 1};
        fixture_start(p.f);
        fixture_wait(has_calls, &wish, "the call");
        clock_shift_wall(jumps[i]);
        clock_shift_mono(30000);
        if (jumps[i] < 0) {
            wait_status(&p, &id, "failed", 200);
        } else {
            hook_status(&p, id.text);
            wait_status(&p, &id, "delivered", 0);
            assert_no_event(&p, "message.failed");
        }
        assert_int_equal(stub_count(&p.stub), 1);
        clock_shift_wall(-jumps[i]);
        play_end(&p);
        fixture_close(state);
        assert_int_equal(fixture_open(state), 0);
    }
}

/* A status that was taken in and waits behind others counts: no decision before it is read. */
static void test_doubt_waits_for_what_came_in(void **state)
{
    static const struct stub_row script[] = {{0, NULL, NULL}, {0, NULL, NULL}};
    struct play p;
    char lane[JOB_LANE_MAX];

    play_begin(&p, state, script, 2);
    set_option("send-doubts", "3");
    json_t *payload = json_pack("{s:s,s:s}", "channel_id", jx_str(p.channel, "id"), "hook_id", "hok_none");
    struct changes *cs = changes_new();
    snprintf(lane, sizeof lane, "%s:s0", jx_str(p.channel, "id"));
    changes_push(cs, QUEUE_INTAKE, PART, lane, 120000, payload);
    assert_int_equal(fixture_submit(p.f, cs), ERR_OK);
    struct id id = play_text(&p, "x");
    hook_status(&p, id.text);
    fixture_start(p.f);
    wait_status(&p, &id, "delivered", 200);
    fixture_wait(no_jobs, p.f, "the job's end");
    assert_int_equal(stub_count(&p.stub), 1);
    json_decref(payload);
    play_end(&p);
}

static void test_doubt_without_end(void **state)
{
    static const struct stub_row script[] = {
        {0, NULL, NULL}, {0, NULL, NULL}, {0, NULL, NULL}, {0, NULL, NULL}};
    struct play p;

    play_begin(&p, state, script, 4);
    set_option("send-doubts", "3");
    struct id id = play_text(&p, "x");
    fixture_start(p.f);
    wait_status(&p, &id, "failed", 200);
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(jx_obj(msg, "error"), "code"), "OUTCOME_UNKNOWN");
    assert_int_equal(stub_count(&p.stub), 3);
    json_decref(msg);
    play_end(&p);
}

static void test_expired_and_window(void **state)
{
    struct play p;
    struct message_draft draft = {.author_type = "ai", .type = "text", .text = "x", .confidence = -1};

    play_begin(&p, state, NULL, 0);
    draft.expires_ms = clock_wall_ms() - 1000;
    struct id late = play_send(&p, &draft);
    clock_shift_wall(86400000);
    draft.expires_ms = 0;
    struct id closed = play_send(&p, &draft);
    draft.type = "template";
    json_t *content = json_pack("{s:s,s:{s:s}}", "name", "hello", "language", "code", "en");
    draft.content = content;
    struct id template = play_send(&p, &draft);
    fixture_start(p.f);
    wait_status(&p, &template, "sent", 0);
    json_t *msg = play_message(&p, &late);
    assert_string_equal(jx_str(jx_obj(msg, "error"), "code"), "EXPIRED");
    json_decref(msg);
    msg = play_message(&p, &closed);
    assert_string_equal(jx_str(jx_obj(msg, "error"), "code"), "WINDOW_CLOSED");
    json_decref(msg);
    assert_int_equal(stub_count(&p.stub), 1);
    assert_string_equal(jx_str(jx_obj(p.stub.requests[0].body, "template"), "name"), "hello");
    json_decref(content);
    clock_shift_wall(-86400000);
    play_end(&p);
}

static bool is_paused(void *arg)
{
    struct play *p = arg;
    json_t *channel = fixture_get(p->f, KIND_CHANNEL, PART, jx_str(p->channel, "id"), NULL);
    bool paused = strcmp(jx_str_or(channel, "status", ""), "paused") == 0;

    json_decref(channel);
    return paused;
}

/* A dead token pauses the channel; the message waits and goes out with the new token. */
static void test_channel_pauses(void **state)
{
    static const struct stub_row script[] = {{401, ERROR(190), NULL}};
    struct play p;
    struct buf why, events;
    const char *field = NULL;
    uint64_t rev = 0;

    play_begin(&p, state, script, 1);
    struct id id = play_text(&p, "x");
    fixture_start(p.f);
    fixture_wait(is_paused, &p, "the pause");
    json_t *channel = fixture_get(p.f, KIND_CHANNEL, PART, jx_str(p.channel, "id"), &rev);
    assert_string_equal(jx_str(jx_obj(channel, "reason"), "code"), "190");
    json_t *msg = play_message(&p, &id);
    assert_string_equal(jx_str(msg, "status"), "queued");
    json_decref(msg);
    json_t *change = json_pack("{s:s}", "access_token", "EAAanother-token");
    struct changes *cs = changes_new();
    buf_init(&why, 200);
    assert_int_equal(channel_update(cs, PART, channel, rev, change, &field, &why), ERR_OK);
    assert_int_equal(fixture_submit(p.f, cs), ERR_OK);
    wait_status(&p, &id, "sent", 200);
    assert_int_equal(stub_count(&p.stub), 2);
    assert_string_equal(p.stub.requests[1].authorization, "Bearer EAAanother-token");
    fixture_events(p.f, PART, &events);
    assert_non_null(strstr(buf_str(&events), "channel.updated"));
    buf_fini(&events);
    buf_fini(&why);
    json_decref(change);
    json_decref(channel);
    play_end(&p);
}

/* A graph_url of the channel's own is a customer's URL: loopback is out of reach unless the operator says so.
 */
static void test_private_address_blocked(void **state)
{
    struct play p;

    play_begin(&p, state, NULL, 0);
    netguard_reset();
    (void)play_text(&p, "x");
    fixture_start(p.f);
    fixture_wait(is_paused, &p, "the pause");
    assert_int_equal(stub_count(&p.stub), 0);
    play_end(&p);
}

/* ---- the sandbox ---- */

static void test_sandbox(void **state)
{
    static const struct {
        const char *number, *status, *code, *words;
    } rows[] = {
        {"+16505550000", "read", NULL, "message.sent message.delivered message.read "},
        {"+15550100001", "failed", "131026", "message.failed "},
        {"+15550100002", "failed", "131047", "message.failed handoff.triggered "},
        {"+15550100003", "read", NULL, "message.sent message.delivered message.read "},
        {"+15550100004", "read", NULL, "message.sent message.delivered message.read "},
        {"+15550100005", "sent", NULL, "message.sent "},
        {"+15550100006", "delivered", NULL, "message.sent message.delivered "},
        {"+15550100007", "read", NULL, "message.sent message.delivered message.read "},
        {"+15550100008", "failed", "132015", "message.failed "},
        {"+15550100009", "read", NULL, "message.sent message.delivered message.read "},
        {"+15550100010", "read", NULL, "message.sent message.read "},
        {"+15550100011", "read", NULL, "message.sent message.delivered message.read "},
    };
    struct play p = {.f = *state, .part = PART_TEST};

    p.channel = fixture_channel(p.f, PART_TEST);
    fixture_start(p.f);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf before, after;
        assert_int_equal(fixture_receive(p.f, PART_TEST, p.channel, rows[i].number, NULL, "hi", &p.in),
                         ERR_OK);
        fixture_events(p.f, PART_TEST, &before);
        struct id id = play_text(&p, "reply");
        wait_status(&p, &id, rows[i].status, 0);
        fixture_events(p.f, PART_TEST, &after);
        json_t *msg = play_message(&p, &id);
        if (rows[i].code != NULL) {
            assert_string_equal(jx_str(jx_obj(msg, "error"), "code"), rows[i].code);
        }
        const char *words = buf_str(&after) + before.len;
        size_t skip = strlen(words) > strlen(rows[i].words) ? strlen(words) - strlen(rows[i].words) : 0;
        if (strcmp(words + skip, rows[i].words) != 0) {
            fail_msg("%s: %s", rows[i].number, buf_str(&after) + before.len);
        }
        json_decref(msg);
        buf_fini(&before);
        buf_fini(&after);
    }
    json_decref(p.channel);
}

static bool has_message(void *arg)
{
    return fixture_count(arg, KIND_MESSAGE, PART_TEST) == 1;
}

static void test_sandbox_inbound(void **state)
{
    static const struct {
        const char *label, *body, *field;
    } bad[] = {
        {"nobody", "{\"text\":\"x\"}", "from"},
        {"no number", "{\"from\":\"me\",\"text\":\"x\"}", "from"},
        {"no text", "{\"from\":\"+16505551234\"}", "text"},
        {"no object of the type", "{\"from\":\"+16505551234\",\"type\":\"image\"}", "type"},
    };
    struct fixture *f = *state;
    json_t *channel = fixture_channel(f, PART_TEST);
    const char *field = NULL;
    char *wamid = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct changes *cs = changes_new();
        json_t *body = json_loads(bad[i].body, 0, NULL);
        assert_int_equal(sandbox_inbound(cs, PART_TEST, channel, body, &field, &wamid), ERR_INVALID);
        assert_string_equal(field, bad[i].field);
        assert_false(changes_any(cs));
        changes_free(cs);
        json_decref(body);
    }
    struct changes *cs = changes_new();
    json_t *body = json_pack("{s:s,s:s,s:s}", "from", "+1 650 555 1234", "text", "When are you open?", "name",
                             "Zo\xc3\xab");
    assert_int_equal(sandbox_inbound(cs, PART_TEST, channel, body, &field, &wamid), ERR_OK);
    assert_int_equal(fixture_submit(f, cs), ERR_OK);
    fixture_start(f);
    fixture_wait(has_message, f, "the customer's message");
    json_t *all = fixture_all(f, KIND_MESSAGE, PART_TEST);
    const json_t *msg = json_array_get(all, 0);
    assert_string_equal(jx_str(msg, "text"), "When are you open?");
    assert_string_equal(jx_str(msg, "platform_id"), wamid);
    assert_string_equal(jx_str(jx_obj(msg, "author"), "name"), "Zo\xc3\xab");
    assert_int_equal(fixture_jobs(f, QUEUE_TURN), 1);
    json_decref(all);
    json_decref(body);
    json_decref(channel);
    free(wamid);
}

/* An API channel has nobody to wait for. */
static void test_api_channel(void **state)
{
    struct play p = {.f = *state, .part = PART};

    p.channel = fixture_channel_of(p.f, PART, json_pack("{s:s}", "type", "api"));
    assert_int_equal(fixture_receive(p.f, PART, p.channel, "+16505551234", NULL, "hi", &p.in), ERR_OK);
    struct id id = play_text(&p, "reply");
    fixture_start(p.f);
    wait_status(&p, &id, "delivered", 0);
    json_decref(p.channel);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(test_accepted),
        TEST(test_recipient_renamed),
        TEST(test_order),
        TEST(test_outcomes),
        TEST(test_unknown_then_again),
        TEST(test_unknown_resolved_by_status),
        TEST(test_status_before_answer),
        TEST(test_crash_is_held),
        TEST(test_crash_then_long_down),
        TEST(test_doubt_and_clock_jumps),
        TEST(test_doubt_waits_for_what_came_in),
        TEST(test_doubt_without_end),
        TEST(test_expired_and_window),
        TEST(test_channel_pauses),
        TEST(test_private_address_blocked),
        TEST(test_sandbox),
        TEST(test_sandbox_inbound),
        TEST(test_api_channel),
    };

    return cmocka_run_group_tests(tests, fixture_keys, NULL);
}
