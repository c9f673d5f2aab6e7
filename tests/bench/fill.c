/* fill.c: makes a daemon's store as large as one asks, for measuring what that costs. The daemon must not
 * run.
 *
 * Usage: bench_fill STORE PART MESSAGES: STORE is the directory of the store, PART the account's part of it
 * ("acc_...:test"); it must hold one conversation with two messages at least, which the API made: all others
 * are copies of it under new ids, with contacts of their own. A conversation has 20 messages, each fiftieth
 * 120. Some ids are printed on the way, one a line: "short CONVERSATION PHONE" or "long CONVERSATION PHONE".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/buf.h"
#include "queue/base/clock.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/store.h"

#define MAP_SIZE (64ull << 30)
#define SHORT    20
#define LONG     120
#define LONG_ONE 50   /* each so manieth conversation is long */
#define SET      1000 /* messages written by one change-set, about */
#define SHOWN    400  /* ids of each sort printed, about */
#define PHONES   5550000000ull

static const char *part;
static json_t *conversation, *contact, *message[2];

/* A copy of the first row of a query; exits without one. */
static json_t *sample(struct snapshot *snap, enum kind kind, enum index_id index, const char *match,
                      size_t place)
{
    struct page_query query = {.kind = kind, .part = part, .index = index, .match = {match}, .limit = 2};
    struct store_page page;

    if (snapshot_page(snap, &query, &page) != ERR_OK || page.count <= place) {
        fprintf(stderr, "nothing to copy: kind %d\n", (int)kind);
        exit(1);
    }
    json_t *row = json_deep_copy(page.rows[place].body);
    store_page_free(&page);
    return row;
}

static enum err take_samples(struct store *store)
{
    struct snapshot *snap;
    enum err rc = snapshot_open(store, &snap);

    if (rc != ERR_OK) {
        return rc;
    }
    conversation = sample(snap, KIND_CONVERSATION, INDEX_NONE, NULL, 0);
    const char *id = jx_str(conversation, "id");
    message[0] = sample(snap, KIND_MESSAGE, INDEX_MESSAGE_CONVERSATION, id, 0);
    message[1] = sample(snap, KIND_MESSAGE, INDEX_MESSAGE_CONVERSATION, id, 1);
    rc = snapshot_get(snap, KIND_CONTACT, part, jx_str(conversation, "contact_id"), &contact, NULL);
    snapshot_close(snap);
    return rc;
}

/* A contact of that number; its id. */
static struct id put_contact(struct changes *cs, const char *phone)
{
    struct id id = id_new("con");
    char key[64];
    json_t *row = json_deep_copy(contact), *owner = json_object();

    jx_set_str(row, "id", id.text);
    jx_set(row, "identities", json_pack("[{s:s, s:s}]", "type", "phone", "value", phone));
    changes_put(cs, KIND_CONTACT, part, id.text, row);
    snprintf(key, sizeof key, "phone:%s", phone);
    jx_set_str(owner, "contact_id", id.text);
    changes_put(cs, KIND_IDENTITY, part, key, owner);
    json_decref(row);
    json_decref(owner);
    return id;
}

static void put_message(struct changes *cs, unsigned place, const char *talk, const char *person)
{
    struct id id = id_new("msg");
    char platform[48];
    json_t *row = json_copy(message[place % 2]);

    snprintf(platform, sizeof platform, "wamid.%s", id.text);
    jx_set_str(row, "id", id.text);
    jx_set_str(row, "conversation_id", talk);
    jx_set_str(row, "contact_id", person);
    jx_set_str(row, "platform_id", platform);
    json_object_del(row, "outbox");
    json_object_del(row, "turn_id");
    changes_put(cs, KIND_MESSAGE, part, id.text, row);
    json_decref(row);
}

/* One conversation with its messages; how many those are. */
static unsigned put_conversation(struct changes *cs, unsigned long number, bool show)
{
    struct id id = id_new("cnv");
    char phone[24];
    unsigned count = number % LONG_ONE == 0 ? LONG : SHORT;

    snprintf(phone, sizeof phone, "+1%010llu", PHONES + number);
    struct id person = put_contact(cs, phone);
    json_t *row = json_deep_copy(conversation);
    jx_set_str(row, "id", id.text);
    jx_set_str(row, "contact_id", person.text);
    json_object_del(row, "thread");
    changes_put(cs, KIND_CONVERSATION, part, id.text, row);
    json_decref(row);
    for (unsigned i = 0; i < count; i++) {
        put_message(cs, i, id.text, person.text);
    }
    if (show) {
        printf("%s %s %s\n", count == LONG ? "long" : "short", id.text, phone);
    }
    return count;
}

static enum err fill(struct store *store, unsigned long want)
{
    enum err rc = ERR_OK;
    unsigned long have = 0, number = 0, apart = want / LONG_ONE / SHOWN / SHORT + 1;

    while (have < want && rc == ERR_OK) {
        struct changes *cs = changes_new();
        for (unsigned long goal = have + SET; have < goal && have < want; number++) {
            bool show = number / LONG_ONE % apart == 0 && number % LONG_ONE < 2;
            have += put_conversation(cs, number, show);
        }
        rc = store_submit_wait(store, cs, NULL);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct store *store;
    char uri[4200];

    if (argc != 4) {
        fprintf(stderr, "usage: %s STORE PART MESSAGES\n", argv[0]);
        return 2;
    }
    log_set(LOG_WARN, LOG_KEYVALUE);
    part = argv[2];
    snprintf(uri, sizeof uri, "lmdb:%s", argv[1]);
    enum err rc = store_open(uri, MAP_SIZE, 4096, &store);
    rc = rc == ERR_OK ? take_samples(store) : rc;
    rc = rc == ERR_OK ? fill(store, strtoul(argv[3], NULL, 10)) : rc;
    store_close(store);
    if (rc != ERR_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err_text(rc));
    }
    return rc == ERR_OK ? 0 : 1;
}
