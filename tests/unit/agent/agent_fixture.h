/* agent_fixture.h: a shop with a store, knowledge, workers and one agent, in a directory of its own.
 *
 * Workers run turns only: what would be sent stays queued, where a test can look at it. */
#ifndef CHASQUI_TESTS_AGENT_FIXTURE_H
#define CHASQUI_TESTS_AGENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "channels/channel.h"
#include "channels/conversation.h"
#include "channels/message.h"
#include "kb/kb.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"
#include "queue/base/netguard.h"
#include "queue/base/option.h"
#include "queue/jobs.h"

#define PART        "acc_01JAAAAAAAAAAAAAAAAAAAAAAA:live"
#define DEADLINE_MS 30000

struct shop {
    char dir[64];
    struct store *store;
    struct kb *kb;
    struct workers *workers;
    json_t *agent, *channel;
    char conversation[ID_SIZE];
    unsigned told; /* customer messages so far */
};

static inline int shop_keys(void **state)
{
    char dir[] = "/tmp/chasqui_agent_keys_XXXXXX", path[96];

    (void)state;
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    log_set(getenv("SHOP_LOG") != NULL ? LOG_INFO : LOG_ERROR, LOG_KEYVALUE);
    snprintf(path, sizeof path, "%s/master.key", dir);
    int bad = crypto_master_key_create(path) != ERR_OK;
    unlink(path);
    rmdir(dir);
    return bad;
}

static inline void shop_option(const char *flag, const char *value)
{
    struct buf why;

    buf_init(&why, 512);
    assert_int_equal(option_set_flag(flag, value, &why), ERR_OK);
    buf_fini(&why);
}

static inline void shop_submit(struct shop *shop, struct changes *cs)
{
    assert_int_equal(store_submit_wait(shop->store, cs, NULL), ERR_OK);
}

static inline int shop_open(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    char uri[128], index[128];

    snprintf(shop->dir, sizeof shop->dir, "/tmp/chasqui_agent_XXXXXX");
    assert_non_null(mkdtemp(shop->dir));
    snprintf(uri, sizeof uri, "lmdb:%s/store", shop->dir);
    snprintf(index, sizeof index, "%s/index", shop->dir);
    option_reset();
    netguard_reset();
    netguard_allow_all(true);
    shop_option("quiet-time", "0s");
    assert_int_equal(store_open(uri, 256u << 20, 1024, &shop->store), ERR_OK);
    assert_int_equal(kb_open(shop->store, index, &shop->kb), ERR_OK);
    *state = shop;
    return 0;
}

static inline void shop_start(struct shop *shop)
{
    shop->workers = workers_new(shop->store, 2, 64);
    agent_register(shop->workers, shop->kb);
    assert_int_equal(workers_start(shop->workers), ERR_OK);
}

static inline void shop_stop(struct shop *shop)
{
    if (shop->workers != NULL) {
        workers_stop(shop->workers, 10000);
        workers_free(shop->workers);
        shop->workers = NULL;
    }
}

static inline int shop_close(void **state)
{
    struct shop *shop = *state;
    char command[96];

    shop_stop(shop);
    kb_close(shop->kb);
    store_close(shop->store);
    json_decref(shop->agent);
    json_decref(shop->channel);
    snprintf(command, sizeof command, "rm -rf '%s'", shop->dir);
    assert_int_equal(system(command), 0);
    free(shop);
    return 0;
}

/* The shop's agent from the given body, and a WhatsApp channel for it. */
static inline void shop_agent(struct shop *shop, const char *body_text)
{
    struct changes *cs = changes_new();
    json_t *body = json_loads(body_text, 0, NULL);
    const char *field = NULL;
    struct buf why;

    assert_non_null(body);
    buf_init(&why, 1024);
    enum err rc = agent_create(cs, PART, NULL, body, &shop->agent, &field, &why);
    if (rc != ERR_OK) {
        fail_msg("%s %s", field != NULL ? field : "", buf_str(&why));
    }
    shop->channel = json_pack("{s:s,s:s,s:s,s:s}", "id", id_new("chn").text, "agent_id",
                              jx_str(shop->agent, "id"), "type", "whatsapp", "status", "active");
    changes_put(cs, KIND_CHANNEL, PART, jx_str(shop->channel, "id"), shop->channel);
    shop_submit(shop, cs);
    json_decref(body);
    buf_fini(&why);
}

struct shop_wait {
    struct loop *loop;
    struct kb *kb;
    uint64_t rev;
};
static inline void shop_indexed(void *arg)
{
    struct shop_wait *wait = arg;

    loop_stop(wait->loop);
}
static inline void shop_ask_indexed(void *arg)
{
    struct shop_wait *wait = arg;

    kb_when_indexed(wait->kb, wait->rev, shop_indexed, wait);
}

/* A document in the agent's own collection, searchable when it returns. */
static inline void shop_document(struct shop *shop, const char *title, const char *content)
{
    struct changes *cs = changes_new();
    struct id id = id_new("doc");
    struct shop_wait wait = {.loop = loop_new("indexed"), .kb = shop->kb};
    json_t *doc = json_pack("{s:s,s:s,s:s,s:s,s:s,s:b,s:[],s:{}}", "id", id.text, "collection_id",
                            jx_str(shop->agent, "collection_id"), "title", title, "content", content,
                            "doc_type", "text", "enabled", 1, "phrasings", "metadata");

    kb_document_prepare(doc);
    changes_expect(cs, KIND_DOCUMENT, PART, id.text, 0);
    changes_put(cs, KIND_DOCUMENT, PART, id.text, doc);
    assert_int_equal(store_submit_wait(shop->store, cs, &wait.rev), ERR_OK);
    loop_post(wait.loop, shop_ask_indexed, &wait);
    loop_run(wait.loop);
    loop_free(wait.loop);
    json_decref(doc);
}

/* What a shop knows in these tests. */
static inline void shop_knowledge(struct shop *shop)
{
    shop_document(
        shop, "Shipping",
        "Orders to Germany and France arrive within three working days. Shipping to Germany "
        "costs 4.90 euros, and it is free from 50 euros on. See https://shop.example.com/shipping.");
    shop_document(shop, "Returns",
                  "You can send back any unused article within 30 days. We refund the price within a week.");
    shop_document(shop, "Opening hours",
                  "Our store in Lyon is open from Monday to Saturday, nine to seven o'clock.");
    shop_document(shop, "Gift cards", "Gift cards are sold at 20, 50 and 100 euros and never expire.");
}

/* A customer's message, as a channel would store it. */
static inline struct id shop_hear(struct shop *shop, const char *type, const char *text)
{
    struct changes *cs = changes_new();
    struct snapshot *snap;
    struct message_received received;
    char platform_id[32];
    json_t *identities = json_pack("[{s:s,s:s}]", "type", "phone", "value", "+4915112345678");

    snprintf(platform_id, sizeof platform_id, "wamid.%u", ++shop->told);
    struct message_inbound in = {.channel = shop->channel,
                                 .identities = identities,
                                 .name = "Jo",
                                 .platform_id = platform_id,
                                 .platform_ms = clock_wall_ms(),
                                 .type = type,
                                 .text = text,
                                 .wants_turn = true,
                                 .turn_delay_ms = option_int(OPT_QUIET_TIME)};
    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(message_receive(cs, snap, PART, &in, &received), ERR_OK);
    snapshot_close(snap);
    shop_submit(shop, cs);
    snprintf(shop->conversation, sizeof shop->conversation, "%s", received.conversation_id.text);
    json_decref(identities);
    return received.message_id;
}

/* The conversation now. New reference. */
static inline json_t *shop_conversation(struct shop *shop, uint64_t *rev)
{
    struct snapshot *snap;
    json_t *conversation = NULL;

    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(conversation_get(snap, PART, shop->conversation, &conversation, rev), ERR_OK);
    snapshot_close(snap);
    return conversation;
}

/* All messages by an author type, oldest first. New reference. */
static inline json_t *shop_messages(struct shop *shop, const char *author)
{
    struct snapshot *snap;
    json_t *all = NULL, *some = json_array(), *message;
    size_t i;

    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(message_history(snap, PART, shop->conversation, 100, &all), ERR_OK);
    snapshot_close(snap);
    json_array_foreach (all, i, message) {
        if (strcmp(json_string_value(jx_at(message, "/author/type")), author) == 0) {
            jx_push(some, json_incref(message));
        }
    }
    json_decref(all);
    return some;
}

/* Waits until condition(shop) holds, or fails. */
static inline void shop_until(struct shop *shop, bool (*condition)(struct shop *shop, void *arg), void *arg,
                              const char *what)
{
    int64_t end = clock_mono_ms() + DEADLINE_MS;

    while (!condition(shop, arg)) {
        if (clock_mono_ms() > end) {
            fail_msg("waited too long: %s", what);
        }
        usleep(2000);
    }
}

static inline bool shop_is_idle(struct shop *shop, void *arg)
{
    struct queue_shape shape;

    (void)arg;
    store_queue_shape(shop->store, QUEUE_TURN, &shape);
    return shape.jobs == 0;
}

/* All turns are over. */
static inline void shop_settle(struct shop *shop)
{
    shop_until(shop, shop_is_idle, NULL, "turns end");
}

/* The newest trace. New reference; NULL if there is none. */
static inline json_t *shop_trace(struct shop *shop)
{
    struct snapshot *snap;
    struct store_page page;
    struct page_query query = {.kind = KIND_TURN, .part = PART, .descending = true, .limit = 1};
    json_t *trace = NULL;

    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    if (page.count > 0) {
        trace = json_incref(page.rows[0].body);
    }
    store_page_free(&page);
    snapshot_close(snap);
    return trace;
}

/* How many events of a type there are. */
static inline unsigned shop_events(struct shop *shop, const char *type)
{
    struct snapshot *snap;
    struct store_page page;
    struct page_query query = {.kind = KIND_EVENT, .part = PART, .limit = 500};
    unsigned n = 0;

    assert_int_equal(snapshot_open(shop->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    for (size_t i = 0; i < page.count; i++) {
        n += strcmp(jx_str_or(page.rows[i].body, "type", ""), type) == 0 ? 1 : 0;
    }
    store_page_free(&page);
    snapshot_close(snap);
    return n;
}

#endif
