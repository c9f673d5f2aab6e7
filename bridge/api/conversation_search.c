/* conversation_search.c: conversations by what was said in them and by who said it.
 *
 * There is no index of words to keep up with each message, which is the busiest write of the house; a search
 * passes over what is stored instead: contacts, then conversations, then messages from the newest on. It does
 * so in slices of a few ms on the request's loop, each with a snapshot of its own, so that neither other
 * requests nor the store wait. Most messages are ruled out by their bytes, without being parsed. A search
 * ends when FOUND_MOST conversations are found, all is passed, or its time is over; then the header
 * X-Search-Complete says "false", and what was found is the newest. */
#include <stdlib.h>
#include <string.h>

#include "agent/common/words.h"
#include "bridge/api/call.h"
#include "bridge/api/conversations.h"
#include "bridge/api/list.h"
#include "queue/base/clock.h"
#include "queue/base/loop.h"

#define FOUND_MOST    500
#define CONTACTS_MOST 500
#define WORDS_MOST    8
#define QUERY_MOST    200 /* bytes */
#define SLICE_US      4000
#define TIME_MS       5000
#define SNIPPET       160

enum phase { PHASE_CONTACTS, PHASE_CONVERSATIONS, PHASE_MESSAGES, PHASE_DONE };

struct search {
    struct call *c;
    struct conversation_filter filter;
    char *words[WORDS_MOST]; /* folded, each with a space before it */
    size_t word_count;
    enum phase phase;
    char at[STORE_ID_MAX + 1]; /* the last record passed, "" at the begin of a phase */
    json_t *contacts;          /* ids of those who are called so */
    json_t *found;             /* id of a conversation -> its public shape with "match" */
    int64_t slice_us, until_ms;
    bool paused;
    struct snapshot *snap;
};

static void search_free(struct search *s)
{
    for (size_t i = 0; i < s->word_count; i++) {
        free(s->words[i]);
    }
    json_decref(s->contacts);
    json_decref(s->found);
    free(s);
}

/* ---- does a text match ---- */

/* True if the ASCII word stands somewhere in the bytes, in either case. */
static bool bytes_hold(const char *data, size_t size, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; i + len <= size; i++) {
        size_t n = 0;
        while (n < len && ((unsigned char)data[i + n] | 0x20) == ((unsigned char)word[n] | 0x20)) {
            n++;
        }
        if (n == len) {
            return true;
        }
    }
    return false;
}

static bool is_ascii(const char *data, size_t size)
{
    unsigned char any = 0;

    for (size_t i = 0; i < size; i++) {
        any |= (unsigned char)data[i];
    }
    return any < 0x80;
}

/* False if no text in these bytes can match; true says nothing. */
static bool may_match(const struct search *s, const char *data, size_t size)
{
    if (!is_ascii(data, size)) {
        return true; /* folding may turn its letters into others */
    }
    for (size_t i = 0; i < s->word_count; i++) {
        if (!bytes_hold(data, size, s->words[i] + 1)) {
            return false;
        }
    }
    return true;
}

/* Every word begins a word of the text; in scripts without spaces it may stand anywhere. */
static bool text_matches(const struct search *s, const char *text)
{
    char *folded = words_fold(text), *spaced = xasprintf(" %s", folded);
    bool all = true;

    for (size_t i = 0; all && i < s->word_count; i++) {
        bool anywhere = (unsigned char)s->words[i][1] >= 0xe0;
        all = strstr(spaced, s->words[i] + (anywhere ? 1 : 0)) != NULL;
    }
    free(spaced);
    free(folded);
    return all;
}

/* ---- what was found ---- */

/* Adds a conversation unless it is there already or the filters do not want it. message may be NULL. */
static void found_add(struct search *s, const char *conversation_id, const json_t *message)
{
    json_t *conversation = NULL;

    if (json_object_get(s->found, conversation_id) != NULL ||
        snapshot_get(s->snap, KIND_CONVERSATION, s->c->part, conversation_id, &conversation, NULL) !=
            ERR_OK) {
        return;
    }
    if (conversation_filter_keep(conversation, &s->filter)) {
        json_t *shown = conversation_public(conversation);
        if (message != NULL) {
            json_t *match = json_object();
            const char *text = jx_str_or(message, "text", "");
            size_t cut = strlen(text) < SNIPPET ? strlen(text) : SNIPPET;
            while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80) {
                cut--;
            }
            jx_set_str(match, "message_id", jx_str(message, "id"));
            jx_set_strn(match, "text", text, cut);
            jx_set_str(match, "created_at", jx_str(message, "created_at"));
            jx_set(shown, "match", match);
        }
        jx_set(s->found, conversation_id, shown);
    }
    json_decref(conversation);
}

/* A contact's name and addresses. */
static void look_contact(struct search *s, const char *id, const json_t *contact)
{
    const json_t *identities = jx_arr(contact, "identities");
    bool match = text_matches(s, jx_str_or(contact, "name", ""));

    for (size_t i = 0; !match && i < json_array_size(identities); i++) {
        match = text_matches(s, jx_str_or(json_array_get(identities, i), "value", ""));
    }
    if (match && json_object_size(s->contacts) < CONTACTS_MOST) {
        jx_set(s->contacts, id, json_true());
    }
}

/* A conversation of such a contact, or one with such a tag. */
static void look_conversation(struct search *s, const char *id, const json_t *conversation)
{
    const json_t *tags = jx_arr(conversation, "tags");
    bool match = json_object_get(s->contacts, jx_str_or(conversation, "contact_id", "")) != NULL;

    for (size_t i = 0; !match && i < json_array_size(tags); i++) {
        match = text_matches(s, json_string_value(json_array_get(tags, i)));
    }
    if (match) {
        found_add(s, id, NULL);
    }
}

static void look_message(struct search *s, const char *id, const json_t *message)
{
    (void)id;
    if (text_matches(s, jx_str_or(message, "text", ""))) {
        found_add(s, jx_str_or(message, "conversation_id", ""), message);
    }
}

/* ---- passing over the records ---- */

static const struct {
    enum kind kind;
    bool by_bytes; /* the bytes can rule a record out */
    void (*look)(struct search *s, const char *id, const json_t *record);
} phases[] = {
    [PHASE_CONTACTS] = {KIND_CONTACT, true, look_contact},
    [PHASE_CONVERSATIONS] = {KIND_CONVERSATION, false, look_conversation},
    [PHASE_MESSAGES] = {KIND_MESSAGE, true, look_message},
};

/* One record; false when the slice is over or enough is found. */
static bool pass(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct search *s = arg;
    json_t *record = NULL;

    (void)rev;
    memcpy(s->at, id, strlen(id) + 1);
    if ((!phases[s->phase].by_bytes || may_match(s, data, size)) &&
        jx_parse_lenient(data, size, &record) == ERR_OK) {
        phases[s->phase].look(s, id, record);
        json_decref(record);
    }
    s->paused = clock_mono_us() - s->slice_us > SLICE_US || json_object_size(s->found) >= FOUND_MOST;
    return !s->paused;
}

/* Newest activity first. */
static int by_activity(const void *a, const void *b)
{
    const json_t *const *left = a, *const *right = b;

    return strcmp(jx_str_or(*right, "last_message_at", ""), jx_str_or(*left, "last_message_at", ""));
}

/* Ends the call with the page asked for. */
static void search_reply(struct search *s, bool complete)
{
    size_t count = json_object_size(s->found), i = 0;
    json_t **rows = xcalloc(count + 1, sizeof *rows), *sorted = json_array();
    const char *id;
    json_t *conversation;

    json_object_foreach (s->found, id, conversation) {
        rows[i++] = conversation;
    }
    qsort(rows, count, sizeof *rows, by_activity);
    for (i = 0; i < count; i++) {
        json_array_append(sorted, rows[i]);
    }
    free(rows);
    http_reply_header(s->c->req, "X-Search-Complete", complete ? "true" : "false");
    struct call *c = s->c;
    call_keep(c, sorted);
    search_free(s);
    list_reply_array(c, sorted);
}

/* Passes over the records of the phase from where the slice before ended. */
static enum err phase_run(struct search *s)
{
    struct page_query query = {.kind = phases[s->phase].kind, .part = s->c->part, .descending = true};
    char before[STORE_ID_MAX + 1];

    memcpy(before, s->at, sizeof before);
    query.to = before[0] != '\0' ? before : NULL;
    return snapshot_scan(s->snap, &query, pass, s);
}

/* One slice. */
static void slice(void *arg)
{
    struct search *s = arg;
    enum err rc = snapshot_open(s->c->api->app->store, &s->snap);

    s->slice_us = clock_mono_us();
    s->paused = false;
    while (rc == ERR_OK && !s->paused && s->phase != PHASE_DONE) {
        rc = phase_run(s);
        if (!s->paused) {
            s->phase++;
            s->at[0] = '\0';
        }
    }
    snapshot_close(s->snap);
    s->snap = NULL;
    bool over = json_object_size(s->found) >= FOUND_MOST || clock_mono_ms() > s->until_ms;
    if (rc != ERR_OK) {
        struct call *c = s->c;
        search_free(s);
        call_refuse(c, rc, NULL, "");
    } else if (s->phase == PHASE_DONE || over) {
        search_reply(s, s->phase == PHASE_DONE);
    } else {
        (void)loop_after(http_loop(s->c->req), 0, slice, s);
    }
}

/* Cuts the folded query into words. */
static void words_read(struct search *s, const char *query)
{
    char *folded = words_fold(query), *rest = folded;

    for (char *word = strtok_r(folded, " ", &rest); word != NULL && s->word_count < WORDS_MOST;
         word = strtok_r(NULL, " ", &rest)) {
        s->words[s->word_count++] = xasprintf(" %s", word);
    }
    free(folded);
}

void conversations_search(struct call *c, const char *query, const struct conversation_filter *filter)
{
    if (strlen(query) > QUERY_MOST) {
        call_fail(c, API_BAD_FIELD, "q", "q may have up to %d bytes.", QUERY_MOST);
        return;
    }
    struct search *s = xcalloc(1, sizeof *s);
    s->c = c;
    s->filter = *filter;
    words_read(s, query);
    if (s->word_count == 0) {
        free(s);
        call_fail(c, API_BAD_FIELD, "q", "q must hold a letter or a digit.");
        return;
    }
    s->contacts = json_object();
    s->found = json_object();
    s->until_ms = clock_mono_ms() + TIME_MS;
    call_rest(c);
    call_wait(c);
    (void)loop_after(http_loop(c->req), 0, slice, s);
}
