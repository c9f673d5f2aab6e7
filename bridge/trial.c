/* trial.c: the adversarial test's job.
 *
 * The agent is copied: same model, instructions and settings, its tools led to an address that nobody has, no
 * channels but one of the API, no webhooks, no flows. So whatever an attack achieves, it achieves nothing: no
 * event reaches an app, no message leaves the machine, nothing is billed. Documents with attacks go into the
 * copy's own collection. Each case is a conversation of a contact made for it; when it is answered it is
 * judged by code and everything of it is deleted. The record of the test holds all progress and is written in
 * the change-set that made it, so a crash repeats at most the step that was under way. The job puts itself
 * off until the last case is done. */
#include "bridge/trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/adversary/cases.h"
#include "agent/profile/profile.h"
#include "channels/channel.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "kb/kb.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/jobs.h"

#define AT_ONCE     8
#define LOOK_MS     150
#define CASE_MS     70000 /* a turn has its end before */
#define HISTORY     20
#define REPLY_MAX   600
#define NOWHERE_URL "https://tool.invalid/"

struct trial {
    struct job *job;
    struct kb *kb;
    const char *home, *part; /* where the record is; the test partition */
    struct snapshot *snap;
    struct changes *cs;
    json_t *record, *work; /* work is the record's */
    uint64_t rev;
    bool changed;
};

json_t *trial_begin(struct changes *cs, const char *home, const char *test, const char *agent_id)
{
    int64_t now = clock_wall_ms();
    struct id id = id_new(kind_row(KIND_TRIAL)->prefix);
    json_t *trial = json_object(), *payload = json_object();

    jx_set_str(trial, "id", id.text);
    jx_set_str(trial, "agent_id", agent_id);
    jx_set_str(trial, "status", "running");
    jx_set_int(trial, "total", (int64_t)adversary_count());
    jx_set_int(trial, "done", 0);
    jx_set_int(trial, "passed", 0);
    jx_set(trial, "score", json_null());
    jx_set_time(trial, "created_at", now);
    jx_set_time(trial, "updated_at", now);
    jx_set(trial, "cases", json_array());
    changes_put(cs, KIND_TRIAL, home, id.text, trial);
    jx_set_str(payload, "trial_id", id.text);
    jx_set_str(payload, "home", home);
    changes_push(cs, QUEUE_TRIAL, test, id.text, 0, payload);
    json_decref(payload);
    return trial;
}

json_t *trial_public(const json_t *trial)
{
    json_t *out = json_copy((json_t *)trial);

    json_object_del(out, "work");
    return out;
}

json_t *trial_brief(const json_t *trial)
{
    json_t *out = trial_public(trial);

    json_object_del(out, "cases");
    return out;
}

/* ---- the copy of the agent ---- */

/* A model's settings with their key in clear, as a caller gives them. */
static void open_key(json_t *model, enum err rc, const struct buf *key)
{
    json_object_del(model, "api_key_last4");
    json_object_del(model, "api_key");
    if (rc == ERR_OK) {
        jx_set_str(model, "api_key", buf_str(key));
    }
}

static json_t *model_of(const char *home, const json_t *agent)
{
    json_t *model = json_deep_copy(jx_obj(agent, "model"));
    struct buf key;

    model = model != NULL ? model : json_object();
    json_object_del(model, "transcription");
    buf_init(&key, 8192);
    enum err rc = agent_api_key(home, agent, &key);
    open_key(model, rc, &key);
    if (jx_obj(model, "fallback") != NULL) {
        buf_reset(&key);
        rc = agent_fallback_key(home, agent, &key);
        open_key(jx_obj(model, "fallback"), rc, &key);
    }
    wipe(key.data, key.len);
    buf_fini(&key);
    return model;
}

/* The agent's tools, led to nowhere and without what they would carry there. */
static json_t *tools_of(const json_t *agent)
{
    json_t *tools = json_deep_copy(jx_arr(agent, "tools")), *tool;
    size_t i;

    tools = tools != NULL ? tools : json_array();
    json_array_foreach (tools, i, tool) {
        json_t *call = jx_obj(tool, "call");
        jx_set_str(call, "url", NOWHERE_URL);
        json_object_del(call, "headers");
        json_object_del(call, "body");
    }
    return tools;
}

/* What the copy is made of. Knowledge of the other mode is out of reach for it. */
static json_t *body_of(const struct trial *t, const json_t *agent)
{
    json_t *body = json_object(), *knowledge = json_object();
    bool same = strcmp(t->home, t->part) == 0;

    jx_set_str(body, "name", jx_str_or(agent, "name", "Agent"));
    jx_set_str(body, "system_prompt", jx_str_or(agent, "system_prompt", ""));
    jx_set(body, "model", model_of(t->home, agent));
    jx_set(body, "settings", json_deep_copy(jx_obj(agent, "settings")));
    jx_set(body, "tools", tools_of(agent));
    jx_set(knowledge, "collections", same ? agent_collections(agent) : json_array());
    jx_set(body, "knowledge", knowledge);
    return body;
}

/* A document of the copy's own collection. New reference. */
static json_t *blank_document(const json_t *copy)
{
    int64_t now = clock_wall_ms();
    json_t *doc = json_object();

    jx_set_str(doc, "id", id_new(kind_row(KIND_DOCUMENT)->prefix).text);
    jx_set_str(doc, "collection_id", jx_str(copy, "collection_id"));
    jx_set_str(doc, "agent_id", jx_str(copy, "id"));
    jx_set(doc, "metadata", json_object());
    jx_set_time(doc, "created_at", now);
    jx_set_time(doc, "updated_at", now);
    return doc;
}

/* The documents that carry attacks. */
static void add_documents(struct trial *t, const json_t *copy)
{
    for (size_t i = 0; i < adversary_count(); i++) {
        struct adversary_case c = adversary_case(i);
        if (c.way != WAY_DOCUMENT) {
            continue;
        }
        json_t *doc = blank_document(copy);
        char *content = xasprintf("%s %s.\n\n## *\n\n%s", c.question, c.fact, c.text);
        jx_set_str(doc, "title", c.question);
        jx_set_str(doc, "content", content);
        jx_set_str(doc, "doc_type", "markdown");
        jx_set_bool(doc, "enabled", true);
        free(content);
        kb_document_prepare(doc);
        changes_put(t->cs, KIND_DOCUMENT, t->part, jx_str_or(doc, "id", ""), doc);
        json_decref(doc);
    }
}

/* Makes the copy with its channel and documents. */
static enum err seed(struct trial *t)
{
    json_t *agent = NULL, *copy = NULL, *channel = NULL, *body = NULL;
    const char *field = NULL;
    struct buf why;
    enum err rc = agent_get(t->snap, t->home, jx_str_or(t->record, "agent_id", ""), &agent, NULL);

    buf_init(&why, 1024);
    if (rc == ERR_OK) {
        body = body_of(t, agent);
        rc = agent_create(t->cs, t->part, NULL, body, &copy, &field, &why);
    }
    json_decref(body);
    if (rc == ERR_OK) {
        body = json_pack("{s:s,s:s}", "type", "api", "name", "Adversarial test");
        rc = channel_create(t->cs, t->part, jx_str(copy, "id"), body, &channel, &field, &why);
        json_decref(body);
    }
    if (rc == ERR_OK) {
        add_documents(t, copy);
        t->work = json_pack("{s:s,s:s,s:i,s:[]}", "agent_id", jx_str(copy, "id"), "channel_id",
                            jx_str(channel, "id"), "next", 0, "open");
        jx_set(t->record, "work", t->work);
        t->changed = true;
    }
    buf_fini(&why);
    json_decref(channel);
    json_decref(copy);
    json_decref(agent);
    return rc;
}

/* ---- one case ---- */

/* Lets a new customer say what case i says. */
static enum err start_case(struct trial *t, const json_t *channel, size_t i)
{
    struct adversary_case c = adversary_case(i);
    struct message_received got;
    char thread[80];

    snprintf(thread, sizeof thread, "%.40s-%zu", jx_str_or(t->record, "id", ""), i);
    json_t *identities = json_pack("[{s:s,s:s}]", "type", "external", "value", thread);
    struct message_inbound in = {.channel = channel,
                                 .identities = identities,
                                 .name = c.way == WAY_NAME ? c.text : NULL,
                                 .thread = thread,
                                 .type = "text",
                                 .text = c.way == WAY_DIRECT ? c.text : c.question,
                                 .wants_turn = true};
    enum err rc = message_receive(t->cs, t->snap, t->part, &in, &got);
    json_decref(identities);
    if (rc == ERR_OK) {
        jx_push(jx_arr(t->work, "open"),
                json_pack("{s:I,s:s,s:s,s:I}", "case", (json_int_t)i, "conversation_id",
                          got.conversation_id.text, "message_id", got.message_id.text, "since",
                          (json_int_t)clock_wall_ms()));
        t->changed = true;
    }
    return rc;
}

/* Starts as many cases as may run at once. */
static enum err start_cases(struct trial *t)
{
    json_t *channel = NULL;
    size_t next = (size_t)jx_int(t->work, "next", 0);
    enum err rc = channel_get(t->snap, t->part, jx_str_or(t->work, "channel_id", ""), &channel, NULL);

    while (rc == ERR_OK && next < adversary_count() && json_array_size(jx_arr(t->work, "open")) < AT_ONCE) {
        rc = start_case(t, channel, next);
        next += rc == ERR_OK;
    }
    jx_set_int(t->work, "next", (int64_t)next);
    json_decref(channel);
    return rc;
}

/* The trace of the turn that sent, or answered, a message. New reference or NULL; id: of the trace. */
static json_t *trace_of(const struct trial *t, const char *message_id)
{
    struct store_page page;
    struct page_query query = {
        .kind = KIND_TURN, .part = t->part, .index = INDEX_TURN_MESSAGE, .match = {message_id}, .limit = 1};
    json_t *trace = NULL;

    if (snapshot_page(t->snap, &query, &page) == ERR_OK) {
        trace = page.count > 0 ? json_incref(page.rows[0].body) : NULL;
        store_page_free(&page);
    }
    return trace;
}

/* What a conversation came to. */
struct outcome {
    struct buf text;
    unsigned sources;
    json_t *trace;
};

/* Gathers what was said, and deletes the messages. */
static void gather(struct trial *t, const char *conversation_id, struct outcome *out)
{
    json_t *messages = NULL, *message;
    size_t i;

    if (message_history(t->snap, t->part, conversation_id, HISTORY, &messages) != ERR_OK) {
        return;
    }
    json_array_foreach (messages, i, message) {
        const char *id = jx_str_or(message, "id", "");
        json_t *trace = trace_of(t, id);
        if (strcmp(jx_str_or(message, "direction", ""), "out") == 0) {
            buf_adds(&out->text, out->text.len > 0 ? "\n" : "");
            buf_adds(&out->text, jx_str_or(message, "text", ""));
            out->sources += (unsigned)json_array_size(jx_arr(message, "citations"));
        }
        if (trace != NULL) {
            changes_delete(t->cs, KIND_TURN, t->part, jx_str_or(trace, "id", ""));
            json_decref(out->trace);
            out->trace = trace;
        }
        changes_delete(t->cs, KIND_MESSAGE, t->part, id);
    }
    json_decref(messages);
}

/* The line of the report. */
static void report(struct trial *t, const struct adversary_case *c, const struct outcome *out, bool answered)
{
    json_t *line = json_object(), *agent = NULL;
    enum err rc = agent_get(t->snap, t->part, jx_str_or(t->work, "agent_id", ""), &agent, NULL);
    struct adversary_answer answer = {.text = buf_str(&out->text),
                                      .persona = rc == ERR_OK ? jx_str(agent, "system_prompt") : NULL,
                                      .tools = jx_arr(out->trace, "tools"),
                                      .sources = out->sources};
    const char *why = answered ? adversary_judge(c, &answer) : NULL;
    size_t size = out->text.len < REPLY_MAX ? out->text.len : REPLY_MAX;

    while (size > 0 && size == REPLY_MAX && ((unsigned char)answer.text[size] & 0xc0) == 0x80) {
        size--;
    }
    jx_set_str(line, "attack", c->attack);
    jx_set_str(line, "category", c->category);
    jx_set_str(line, "language", c->language);
    jx_set_str(line, "way", adversary_way_name(c->way));
    jx_set_str(line, "said", c->text);
    jx_set_strn(line, "reply", answer.text, size);
    jx_set_str(line, "outcome", jx_str_or(out->trace, "outcome", "none"));
    jx_set_str(line, "verdict", !answered ? "no_answer" : why == NULL ? "pass" : "fail");
    if (why != NULL) {
        jx_set_str(line, "why", why);
    }
    jx_push(jx_arr(t->record, "cases"), line);
    jx_set_int(t->record, "done", jx_int(t->record, "done", 0) + 1);
    jx_set_int(t->record, "passed", jx_int(t->record, "passed", 0) + (answered && why == NULL));
    json_decref(agent);
}

/* Nothing of the case's customer stays. */
static void forget(struct trial *t, const json_t *conversation, size_t number)
{
    char key[100];

    snprintf(key, sizeof key, "external:%.40s-%zu", jx_str_or(t->record, "id", ""), number);
    changes_delete(t->cs, KIND_IDENTITY, t->part, key);
    changes_delete(t->cs, KIND_CONTACT, t->part, jx_str_or(conversation, "contact_id", "-"));
    changes_delete(t->cs, KIND_CONVERSATION, t->part, jx_str_or(conversation, "id", "-"));
}

/* True if the case is over, one way or the other; it is then in the report. */
static bool look_case(struct trial *t, const json_t *open)
{
    json_t *conversation = NULL;
    const char *id = jx_str_or(open, "conversation_id", "");
    size_t number = (size_t)jx_int(open, "case", 0);
    uint64_t rev = 0;
    struct outcome out = {0};

    if (conversation_get(t->snap, t->part, id, &conversation, &rev) != ERR_OK) {
        conversation = json_object();
    }
    bool answered = strcmp(jx_str_or(conversation, "answered", ""), jx_str_or(open, "message_id", "~")) >= 0;
    bool late = clock_wall_ms() - jx_int(open, "since", 0) > CASE_MS || rev == 0;
    if (answered || late) {
        struct adversary_case c = adversary_case(number);
        buf_init(&out.text, 1 << 20);
        gather(t, id, &out);
        report(t, &c, &out, answered);
        if (rev > 0) {
            changes_expect(t->cs, KIND_CONVERSATION, t->part, id, rev);
            forget(t, conversation, number);
        }
        t->changed = true;
        json_decref(out.trace);
        buf_fini(&out.text);
    }
    json_decref(conversation);
    return answered || late;
}

static void look_cases(struct trial *t)
{
    json_t *open = jx_arr(t->work, "open");

    for (size_t i = json_array_size(open); i > 0; i--) {
        if (look_case(t, json_array_get(open, i - 1))) {
            json_array_remove(open, i - 1);
        }
    }
}

/* ---- the end ---- */

/* The copy goes with all that was made for it. */
static void drop_copy(struct trial *t)
{
    const char *id = jx_str_or(t->work, "agent_id", "-");
    json_t *copy = NULL, *channel = NULL;
    uint64_t rev;
    struct store_page page;

    if (agent_get(t->snap, t->part, id, &copy, NULL) != ERR_OK) {
        return;
    }
    const char *collection = jx_str_or(copy, "collection_id", "-");
    struct page_query query = {.kind = KIND_DOCUMENT,
                               .part = t->part,
                               .index = INDEX_DOCUMENT_COLLECTION,
                               .match = {collection},
                               .limit = 1000};
    if (snapshot_page(t->snap, &query, &page) == ERR_OK) {
        for (size_t i = 0; i < page.count; i++) {
            changes_delete(t->cs, KIND_DOCUMENT, t->part, page.rows[i].id);
        }
        store_page_free(&page);
    }
    if (channel_get(t->snap, t->part, jx_str_or(t->work, "channel_id", "-"), &channel, &rev) == ERR_OK) {
        channel_delete(t->cs, t->part, jx_str_or(channel, "id", "-"), rev);
        json_decref(channel);
    }
    changes_delete(t->cs, KIND_COLLECTION, t->part, collection);
    changes_delete(t->cs, KIND_AGENT, t->part, id);
    json_decref(copy);
}

/* The score, where the trust score looks for it. */
static void settle(struct trial *t)
{
    int64_t now = clock_wall_ms();
    double score = (double)jx_int(t->record, "passed", 0) / (double)adversary_count();
    char *name = xasprintf("adversarial:%s", jx_str_or(t->record, "agent_id", ""));
    json_t *setting = json_object();

    jx_set(setting, "score", json_real(score));
    jx_set_time(setting, "at", now);
    changes_put(t->cs, KIND_SETTING, t->home, name, setting);
    free(name);
    json_decref(setting);
    drop_copy(t);
    jx_set_str(t->record, "status", "done");
    jx_set(t->record, "score", json_real(score));
    json_object_del(t->record, "work");
    log_info("trial.done", "trial=%s agent=%s passed=%lld of=%zu", jx_str_or(t->record, "id", ""),
             jx_str_or(t->record, "agent_id", ""), (long long)jx_int(t->record, "passed", 0),
             adversary_count());
}

static void give_up(struct trial *t, enum err rc)
{
    if (t->work != NULL) {
        drop_copy(t);
        json_object_del(t->record, "work");
    }
    jx_set_str(t->record, "status", "failed");
    jx_set_str(t->record, "reason", rc == ERR_NOTFOUND ? "The agent is gone." : err_name(rc));
    t->changed = true;
}

/* One look at the test. True: it is over. */
static bool step(struct trial *t)
{
    struct kb_stats stats;
    enum err rc = ERR_OK;

    t->work = jx_obj(t->record, "work");
    if (t->work == NULL) {
        rc = seed(t);
    } else {
        kb_stats(t->kb, &stats);
        if (jx_int(t->work, "next", 0) == 0 && stats.feed_rev < t->rev) {
            return false; /* the documents cannot be found yet */
        }
        look_cases(t);
        rc = start_cases(t);
    }
    if (rc != ERR_OK) {
        changes_free(t->cs);
        t->cs = changes_new();
        give_up(t, rc);
        return true;
    }
    bool over = (size_t)jx_int(t->work, "next", 0) == adversary_count() &&
                json_array_size(jx_arr(t->work, "open")) == 0;
    if (over) {
        settle(t);
    }
    return over;
}

/* Writes what the look came to. */
static void finish(struct trial *t, bool over)
{
    const char *id = jx_str_or(t->record, "id", "");

    if (t->changed || over) {
        jx_set_time(t->record, "updated_at", clock_wall_ms());
        changes_expect(t->cs, KIND_TRIAL, t->home, id, t->rev);
        changes_put(t->cs, KIND_TRIAL, t->home, id, t->record);
    }
    if (over) {
        changes_ack(t->cs, t->job);
    } else {
        changes_postpone(t->cs, t->job, LOOK_MS);
    }
    job_finish(t->job, t->cs, NULL, NULL);
}

static void trial_run(struct job *job, void *arg)
{
    struct trial t = {.job = job,
                      .kb = arg,
                      .home = jx_str_or(job_payload(job), "home", ""),
                      .part = job_partition(job),
                      .cs = changes_new()};
    const char *id = jx_str_or(job_payload(job), "trial_id", "");
    enum err rc = snapshot_open(job_store(job), &t.snap);

    if (rc == ERR_OK) {
        rc = snapshot_get(t.snap, KIND_TRIAL, t.home, id, &t.record, &t.rev);
        if (rc == ERR_OK && strcmp(jx_str_or(t.record, "status", ""), "running") == 0) {
            finish(&t, step(&t));
            snapshot_close(t.snap);
            json_decref(t.record);
            return;
        }
        snapshot_close(t.snap);
    }
    json_decref(t.record);
    if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        changes_ack(t.cs, job);
    } else {
        changes_fail(t.cs, job, err_name(rc));
    }
    job_finish(job, t.cs, NULL, NULL);
}

void trial_register(struct workers *workers, struct kb *kb)
{
    workers_handle(workers, QUEUE_TRIAL, trial_run, kb);
}
