/* slack.c: Slack as a notice board and as a human inbox.
 *
 * With an incoming webhook each event that was subscribed to is one line. With a bot token and a channel a
 * handoff opens a thread by chat.postMessage; what the customer writes while a person has the conversation
 * goes into that thread, and what people write there comes back by the Events API as a person's message.
 * "!ai" in the thread gives the conversation back, "!close" closes it. Two KIND_SETTING records tie them
 * together: slack/INTEGRATION/c/CONVERSATION -> {"channel", "ts"}, slack/INTEGRATION/t/TS ->
 * {"conversation_id"}. Texts of customers are escaped, so that nobody is called by <!channel>. Sources:
 * Slack's pages on verifying requests, on the Events API, and on chat.postMessage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "bridge/integrations/run.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"

#define SKEW_S         300
#define SECRET_MAX     1024
#define TEXT_MAX       12000
#define SHOWN_LAST     6 /* messages a new thread begins with */
#define NAME_MAX_BYTES (STORE_ID_MAX + 1)

bool slack_is_inbox(const json_t *integration)
{
    return strcmp(jx_str_or(integration, "type", ""), "slack") == 0 &&
           integration_has(integration, "channel") &&
           (integration_has(integration, "bot_token") || integration_has(integration, "token"));
}

/* ---- texts ---- */

/* Customers' words as Slack shows them literally. */
static void add_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&') {
            buf_adds(out, "&amp;");
        } else if (*text == '<') {
            buf_adds(out, "&lt;");
        } else if (*text == '>') {
            buf_adds(out, "&gt;");
        } else {
            buf_addc(out, *text);
        }
    }
}

/* Slack's escapes undone. */
static void add_plain(struct buf *out, const char *text)
{
    static const char *const marks[][2] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}};
    while (*text != '\0') {
        size_t used = 0;
        for (size_t i = 0; i < 3 && used == 0; i++) {
            size_t len = strlen(marks[i][0]);
            if (strncmp(text, marks[i][0], len) == 0) {
                buf_adds(out, marks[i][1]);
                used = len;
            }
        }
        if (used == 0) {
            buf_addc(out, *text);
            used = 1;
        }
        text += used;
    }
}

/* One message of the conversation as a line. */
static void add_line(struct buf *out, const json_t *message)
{
    const char *text = jx_str_or(message, "text", "");
    bool in = strcmp(jx_str_or(message, "direction", ""), "in") == 0;
    buf_addf(out, "\n*%s:* ", in ? "Customer" : "Agent");
    if (text[0] == '\0') {
        buf_addf(out, "[%s]", jx_str_or(message, "type", "message"));
    }
    add_escaped(out, text);
}

/* The first words of a thread. */
static void add_opening(struct run *run, struct buf *out)
{
    struct snapshot *snap = NULL;
    json_t *messages = NULL, *message;
    size_t i;
    const json_t *data = jx_obj(run->event, "data");
    buf_adds(out, "A customer waits for a person.");
    if (jx_str(data, "reason") != NULL) {
        buf_addf(out, " Reason: ");
        add_escaped(out, jx_str(data, "reason"));
    }
    if (jx_str(data, "note") != NULL) {
        buf_adds(out, "\n");
        add_escaped(out, jx_str(data, "note"));
    }
    if (snapshot_open(job_store(run->job), &snap) == ERR_OK) {
        if (message_history(snap, run->part, jx_str_or(run->event, "conversation_id", "-"), SHOWN_LAST,
                            &messages) == ERR_OK) {
            json_array_foreach (messages, i, message) {
                add_line(out, message);
            }
        }
        snapshot_close(snap);
    }
    json_decref(messages);
    buf_adds(out, "\nAnswer in this thread. !ai gives the conversation back, !close closes it.");
}

/* ---- threads ---- */

/* The setting of a conversation ('c') or a thread ('t'). */
static const char *setting_of(const json_t *integration, char what, const char *of, char out[NAME_MAX_BYTES])
{
    snprintf(out, NAME_MAX_BYTES, "slack/%s/%c/%s", jx_str_or(integration, "id", ""), what, of);
    return out;
}

/* The thread of the event's conversation into vars. False: it has none. human: whether a person has it. */
static bool thread_of(struct run *run, bool *human)
{
    char name[NAME_MAX_BYTES];
    struct snapshot *snap = NULL;
    json_t *thread = NULL, *conversation = NULL;
    const char *id = jx_str_or(run->event, "conversation_id", "-");
    *human = false;
    if (snapshot_open(job_store(run->job), &snap) != ERR_OK) {
        return false;
    }
    bool found = snapshot_get(snap, KIND_SETTING, run->part, setting_of(run->integration, 'c', id, name),
                              &thread, NULL) == ERR_OK;
    if (conversation_get(snap, run->part, id, &conversation, NULL) == ERR_OK) {
        *human = conversation_is_human(conversation);
    }
    snapshot_close(snap);
    if (found) {
        jx_set_str(run->vars, "ts", jx_str(thread, "ts"));
    }
    json_decref(thread);
    json_decref(conversation);
    return found;
}

/* A run_changes_fn: the new thread is the conversation's. */
static enum err keep_thread(struct run *run, struct changes *cs, struct snapshot *snap)
{
    char name[NAME_MAX_BYTES];
    const char *id = jx_str_or(run->event, "conversation_id", "-"), *ts = jx_str_or(run->made, "ts", "-");
    json_t *back = json_pack("{s:s}", "conversation_id", id);
    (void)snap;
    changes_put(cs, KIND_SETTING, run->part, setting_of(run->integration, 'c', id, name), run->made);
    changes_put(cs, KIND_SETTING, run->part, setting_of(run->integration, 't', ts, name), back);
    json_decref(back);
    return ERR_OK;
}

/* A run_changes_fn: the next handoff opens a new thread; replies in the old one still arrive. */
static enum err drop_thread(struct run *run, struct changes *cs, struct snapshot *snap)
{
    char name[NAME_MAX_BYTES];
    (void)snap;
    changes_delete(cs, KIND_SETTING, run->part,
                   setting_of(run->integration, 'c', jx_str_or(run->event, "conversation_id", "-"), name));
    return ERR_OK;
}

/* ---- calls ---- */

/* True if Slack took it; else the run has ended. Slack says no with 200 and "ok": false. */
static bool taken(struct run *run, const struct api_call_result *result)
{
    const char *error = jx_str(result->body, "error");
    bool said_no = json_is_object(result->body) && !jx_bool(result->body, "ok", true);
    if (result->ok && !said_no) {
        return true;
    }
    bool passing =
        error != NULL && (strcmp(error, "ratelimited") == 0 || strcmp(error, "internal_error") == 0 ||
                          strcmp(error, "service_unavailable") == 0);
    run_fail(run, error != NULL ? error : result->why != NULL ? result->why : "refused", !passing);
    return false;
}

static void posted(struct run *run, const struct api_call_result *result)
{
    if (taken(run, result)) {
        run_done(run, NULL);
    }
}

static void closed(struct run *run, const struct api_call_result *result)
{
    if (taken(run, result)) {
        run_done(run, drop_thread);
    }
}

static void opened(struct run *run, const struct api_call_result *result)
{
    if (!taken(run, result)) {
        return;
    }
    if (jx_str(result->body, "ts") == NULL) {
        run_fail(run, "the answer names no message", true);
        return;
    }
    run->made = json_object();
    jx_set_str(run->made, "channel",
               jx_str_or(result->body, "channel", integration_text(run->integration, "channel", "")));
    jx_set_str(run->made, "ts", jx_str(result->body, "ts"));
    run_done(run, keep_thread);
}

/* chat.postMessage with vars.text; threaded: into vars.ts. */
static void post(struct run *run, bool threaded, run_step_fn step)
{
    if (!run_secret(run, "bot_token", "token") && !run_secret(run, "token", "token")) {
        run_fail(run, "the bot token is not set", true);
        return;
    }
    json_t *spec = json_object(), *body = json_object();
    jx_set_str(run->vars, "channel", integration_text(run->integration, "channel", ""));
    jx_set_str(spec, "method", "POST");
    jx_set(spec, "url",
           json_sprintf("%s/chat.postMessage",
                        integration_text(run->integration, "base_url", "https://slack.com/api")));
    jx_set(spec, "headers",
           json_pack("{s:s, s:s}", "Authorization", "Bearer {{token}}", "Content-Type",
                     "application/json; charset=utf-8"));
    jx_set_str(body, "channel", "{{channel}}");
    jx_set_str(body, "text", "{{text}}");
    if (threaded) {
        jx_set_str(body, "thread_ts", "{{ts}}");
    }
    jx_set(spec, "body", body);
    run_call(run, spec, step);
}

/* The human inbox hears of a conversation. */
static void inbox(struct run *run, const char *type)
{
    struct buf text;
    bool human;
    bool threaded = thread_of(run, &human);
    const json_t *message = jx_obj(jx_obj(run->event, "data"), "message");
    run_step_fn step = posted;
    buf_init(&text, TEXT_MAX);
    if (strcmp(type, "handoff.triggered") == 0) {
        add_opening(run, &text);
        step = threaded ? posted : opened;
    } else if (strcmp(type, "message.received") == 0 && threaded && human) {
        add_escaped(&text, jx_str_or(message, "text", ""));
        if (text.len == 0) {
            buf_addf(&text, "[%s]", jx_str_or(message, "type", "message"));
        }
    } else if (strcmp(type, "handoff.resolved") == 0 && threaded) {
        buf_adds(&text, "Resolved: the agent answers again.");
        step = closed;
    }
    bool any = text.len > 0;
    jx_set_str(run->vars, "text", buf_str(&text));
    buf_fini(&text);
    if (any) {
        post(run, threaded, step);
    } else {
        run_done(run, NULL);
    }
}

/* One line about an event for the incoming webhook. */
static void notice(struct run *run, const char *type)
{
    static const char *const told[][2] = {
        {"message", "text"}, {"lead", "status"}, {"appointment", "starts_at"}, {"contact", "name"}};
    struct buf text;
    const json_t *data = jx_obj(run->event, "data");
    buf_init(&text, TEXT_MAX);
    buf_addf(&text, "*%s*", type);
    if (jx_str(data, "reason") != NULL) {
        buf_adds(&text, " ");
        add_escaped(&text, jx_str(data, "reason"));
    }
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        const char *word = jx_str(jx_obj(data, told[i][0]), told[i][1]);
        if (word != NULL && word[0] != '\0') {
            buf_addf(&text, "\n%s: ", told[i][0]);
            add_escaped(&text, word);
        }
    }
    jx_set_str(run->vars, "text", buf_str(&text));
    buf_fini(&text);
    (void)run_secret(run, "webhook_url", "url");
    json_t *spec = json_object();
    jx_set_str(spec, "method", "POST");
    jx_set_str(spec, "url", jx_str_or(run->vars, "url", ""));
    jx_set(spec, "body", json_pack("{s:s}", "text", "{{text}}"));
    run_call(run, spec, posted);
}

void slack_run(struct run *run)
{
    const char *type = jx_str_or(run->event, "type", "");
    bool flow = strcmp(type, "handoff.triggered") == 0 || strcmp(type, "message.received") == 0 ||
                strcmp(type, "handoff.resolved") == 0;
    if (slack_is_inbox(run->integration) && flow) {
        inbox(run, type);
    } else if (integration_has(run->integration, "webhook_url")) {
        notice(run, type);
    } else {
        struct buf text;
        buf_init(&text, TEXT_MAX);
        buf_addf(&text, "*%s*", type);
        jx_set_str(run->vars, "text", buf_str(&text));
        buf_fini(&text);
        post(run, false, posted);
    }
}

/* ---- what comes back ---- */

enum err slack_verify(const json_t *integration, const char *part, const char *time, const char *signature,
                      const char *body, size_t size)
{
    struct buf secret, signed_text;
    uint8_t mac[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    int64_t now_s = clock_wall_ms() / 1000;
    long long at = time != NULL ? strtoll(time, NULL, 10) : 0;
    buf_init(&secret, SECRET_MAX);
    if (time == NULL || signature == NULL || strlen(time) > 20 || at < now_s - SKEW_S ||
        at > now_s + SKEW_S || integration_secret(integration, part, "signing_secret", &secret) != ERR_OK) {
        buf_fini(&secret);
        return ERR_DENIED;
    }
    buf_init(&signed_text, size + 64);
    buf_addf(&signed_text, "v0:%s:", time);
    buf_add(&signed_text, body, size);
    hmac_sha256(secret.data, secret.len, signed_text.data, signed_text.len, mac);
    hex_encode(mac, sizeof(mac), hex);
    wipe(secret.data, secret.len);
    buf_fini(&secret);
    buf_fini(&signed_text);
    bool same =
        strncmp(signature, "v0=", 3) == 0 && equal_ct(signature + 3, strlen(signature + 3), hex, strlen(hex));
    return same ? ERR_OK : ERR_DENIED;
}

/* The name of the person who wrote, as far as the event tells it. */
static const char *name_of(const json_t *event)
{
    const json_t *profile = jx_obj(event, "user_profile");
    const char *name = jx_str(profile, "display_name");
    name = name != NULL && name[0] != '\0' ? name : jx_str(profile, "real_name");
    name = name != NULL && name[0] != '\0' ? name : jx_str(event, "username");
    return name != NULL ? name : jx_str_or(event, "user", "Slack");
}

/* A person's words go to the customer. */
static void say(struct changes *cs, struct snapshot *snap, const char *part, json_t *conversation,
                uint64_t rev, const json_t *event)
{
    struct buf text;
    int64_t now = clock_wall_ms();
    const char *name = name_of(event);
    bool joined = jx_str(jx_obj(conversation, "assigned_to"), "name") != NULL &&
                  conversation_is_human(conversation) &&
                  strcmp(jx_str(jx_obj(conversation, "assigned_to"), "name"), name) == 0;
    buf_init(&text, 4 * TEXT_MAX);
    add_plain(&text, jx_str_or(event, "text", ""));
    struct message_draft draft = {.author_type = "human",
                                  .author_name = name,
                                  .type = "text",
                                  .text = buf_str(&text),
                                  .confidence = -1,
                                  .source = "human"};
    if (!joined) {
        handoff_join(cs, snap, part, conversation, rev, name);
    }
    (void)message_send(cs, snap, part, conversation, &draft);
    jx_set_time(conversation, "last_message_at", now);
    conversation_put(cs, part, conversation, rev);
    buf_fini(&text);
}

/* True for what a person wrote in a thread: no bot's message, no edit, no first message of a thread. */
static bool is_reply(const json_t *event)
{
    const char *ts = jx_str(event, "ts"), *thread = jx_str(event, "thread_ts"),
               *text = jx_str_or(event, "text", "");
    return strcmp(jx_str_or(event, "type", ""), "message") == 0 && jx_str(event, "bot_id") == NULL &&
           jx_str(event, "subtype") == NULL && thread != NULL && ts != NULL && strcmp(ts, thread) != 0 &&
           text[0] != '\0' && strlen(thread) < 64;
}

bool slack_take(struct changes *cs, struct snapshot *snap, const char *part, const json_t *integration,
                const json_t *callback)
{
    char name[NAME_MAX_BYTES];
    uint64_t rev;
    json_t *thread = NULL, *conversation = NULL;
    const json_t *event = jx_obj(callback, "event");
    const char *text = jx_str_or(event, "text", "");
    if (!is_reply(event) ||
        snapshot_get(snap, KIND_SETTING, part, setting_of(integration, 't', jx_str(event, "thread_ts"), name),
                     &thread, NULL) != ERR_OK) {
        return false;
    }
    bool found = conversation_get(snap, part, jx_str_or(thread, "conversation_id", "-"), &conversation,
                                  &rev) == ERR_OK;
    json_decref(thread);
    if (!found) {
        return false;
    }
    snprintf(name, sizeof(name), "slack:%s", jx_str_or(integration, "id", ""));
    changes_once(cs, part, name, jx_str_or(callback, "event_id", jx_str_or(event, "ts", "")));
    if (strcmp(text, "!ai") == 0 || strcmp(text, "!close") == 0) {
        handoff_resolve(cs, snap, part, conversation, rev, text[1] == 'a' ? "ai" : "closed");
    } else {
        say(cs, snap, part, conversation, rev, event);
    }
    json_decref(conversation);
    return true;
}
