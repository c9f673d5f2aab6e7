/* profile.c: the agent's record: validation by the table, sealing, the public shape. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/profile/profile.h"

#include "agent/profile/fields.h"
#include "agent/profile/sections.h"
#include "agent/profile/tools_check.h"
#include "channels/contact.h"
#include "queue/address.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/jobs.h"

#define OPENAI_URL    "https://api.openai.com/v1"
#define ANTHROPIC_URL "https://api.anthropic.com"
#define SEALED_MAX    16384
#define CONTEXT_MAX   (PARTITION_SIZE + STORE_ID_MAX + 2)

static const struct field rows[] = {
#define X(pointer, type, min, max, choices, fallback) {pointer, type, min, max, choices, fallback},
#include "agent/profile/tbl_agent.h"
#undef X
};
#define ROWS (sizeof rows / sizeof *rows)

enum err agent_get(struct snapshot *snap, const char *part, const char *id, json_t **agent, uint64_t *rev)
{
    return snapshot_get(snap, KIND_AGENT, part, id, agent, rev);
}

/* The objects of a record or body that hold an API key: the model, the model that writes down voice messages,
 * the model that is asked when the first fails, who embeds and who reranks passages. NULL if this one is not
 * there. */
enum { HOLDER_MODEL, HOLDER_TRANSCRIPTION, HOLDER_FALLBACK, HOLDER_EMBEDDING, HOLDER_RERANK, KEY_HOLDERS };
static json_t *key_holder(const json_t *agent, unsigned which)
{
    static const char *const pointers[KEY_HOLDERS] = {"/model", "/model/transcription", "/model/fallback",
                                                      "/knowledge/embedding", "/knowledge/rerank"};
    json_t *holder = jx_at(agent, pointers[which]);

    return json_is_object(holder) ? holder : NULL;
}

/* What a sealed key is bound to: a value moved to another agent does not open. */
static void seal_context(char out[CONTEXT_MAX], const char *part, const json_t *agent)
{
    snprintf(out, CONTEXT_MAX, "%s/%s", part, jx_str_or(agent, "id", ""));
}

/* Names a field and says why; for rules that span several fields. */
static enum err refuse(const char **field, struct buf *why, const char *pointer, const char *reason)
{
    if (field != NULL) {
        *field = pointer;
    }
    if (why != NULL) {
        buf_adds(why, reason);
    }
    return ERR_INVALID;
}

/* A copy of the body without read-only fields and without a key in its public shape. */
static json_t *body_copy(const json_t *body)
{
    json_t *copy = json_deep_copy(body);

    fields_strip(rows, ROWS, copy);
    for (unsigned i = 0; i < KEY_HOLDERS; i++) {
        json_t *holder = key_holder(copy, i);
        if (json_object_get(jx_obj(holder, "api_key"), "set") != NULL) {
            json_object_del(holder, "api_key");
        }
    }
    return copy;
}

/* The stored spelling of a base URL has no slash at its end. */
static void trim_url(json_t *model)
{
    const char *url = jx_str(model, "base_url");

    if (url == NULL) {
        return;
    }
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/') {
        n--;
    }
    char *text = xstrndup(url, n);
    jx_set_str(model, "base_url", text);
    free(text);
}

/* The number as E.164. */
static void normalise_phone(json_t *agent)
{
    char out[24];
    const char *phone = jx_str(agent, "phone_number");

    if (phone != NULL && contact_phone_normalise(phone, out)) {
        jx_set_str(agent, "phone_number", out);
    } else {
        jx_set(agent, "phone_number", json_null());
    }
}

/* Replaces a clear key by its sealed form and keeps its last four characters for people to recognise. */
static enum err seal_key(const char *part, const json_t *agent, json_t *holder, const char *clear)
{
    struct buf out;
    char context[CONTEXT_MAX];
    size_t size = strlen(clear);

    if (!crypto_master_key_ready()) {
        return ERR_DENIED;
    }
    seal_context(context, part, agent);
    buf_init(&out, SEALED_MAX);
    enum err rc = seal(context, clear, size, &out);
    if (rc == ERR_OK) {
        jx_set_str(holder, "api_key", buf_str(&out));
        jx_set_str(holder, "api_key_last4", size >= 12 ? clear + size - 4 : "");
    }
    buf_fini(&out);
    return rc;
}

/* Seals the keys that the body gives in clear. */
static enum err seal_keys(const char *part, const json_t *agent, const json_t *body)
{
    enum err rc = ERR_OK;

    for (unsigned i = 0; rc == ERR_OK && i < KEY_HOLDERS; i++) {
        const char *clear = jx_str(key_holder(body, i), "api_key");
        if (clear != NULL) {
            rc = seal_key(part, agent, key_holder(agent, i), clear);
        }
    }
    return rc;
}

/* Servers besides the model's: each needs what it cannot be called without. */
static const struct side_server {
    unsigned holder;
    const char *key;
    const char *pointer, *reason;
} side_needs[] = {
    {HOLDER_TRANSCRIPTION, "base_url", "/model/transcription/base_url",
     "is needed to have voice messages written down"},
    {HOLDER_TRANSCRIPTION, "name", "/model/transcription/name",
     "is needed to have voice messages written down"},
    {HOLDER_EMBEDDING, "base_url", "/knowledge/embedding/base_url", "is needed to embed passages"},
    {HOLDER_EMBEDDING, "name", "/knowledge/embedding/name", "is needed to embed passages"},
    {HOLDER_RERANK, "base_url", "/knowledge/rerank/base_url", "is needed to rerank passages"},
    {HOLDER_RERANK, "shape", "/knowledge/rerank/shape", "is needed to rerank passages"},
};

static enum err check_sides(json_t *agent, const char **field, struct buf *why)
{
    for (size_t i = 0; i < sizeof side_needs / sizeof *side_needs; i++) {
        const struct side_server *need = &side_needs[i];
        json_t *own = key_holder(agent, need->holder);
        if (own == NULL) {
            continue;
        }
        trim_url(own);
        if (jx_str(own, "api_key") == NULL) {
            json_object_del(own, "api_key_last4");
        }
        if (jx_str(own, need->key) == NULL) {
            return refuse(field, why, need->pointer, need->reason);
        }
    }
    return ERR_OK;
}

/* Where a provider's own server is; a base URL is optional for these. */
static const struct {
    const char *provider, *base_url;
} servers[] = {{"openai", OPENAI_URL}, {"anthropic", ANTHROPIC_URL}};

/* A model server needs a model's name and an address. name_field: for the complaint. */
static enum err check_server(json_t *model, const char *name_field, const char **field, struct buf *why)
{
    const char *provider = jx_str_or(model, "provider", "");
    const char *url = NULL;

    trim_url(model);
    if (jx_str(model, "api_key") == NULL) {
        json_object_del(model, "api_key_last4");
    }
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        url = strcmp(servers[i].provider, provider) == 0 ? servers[i].base_url : url;
    }
    if (url == NULL) {
        return ERR_OK;
    }
    if (jx_str(model, "name") == NULL) {
        return refuse(field, why, name_field, "is needed with this provider");
    }
    if (jx_str(model, "base_url") == NULL) {
        jx_set_str(model, "base_url", url);
    }
    return ERR_OK;
}

/* Rules that span fields: the model and the one behind it. */
static enum err check_model(json_t *agent, const char **field, struct buf *why)
{
    json_t *model = jx_obj(agent, "model"), *second = jx_obj(model, "fallback");
    enum err rc = check_server(model, "/model/name", field, why);

    if (rc == ERR_OK && second != NULL) {
        if (jx_str(second, "provider") == NULL) {
            jx_set_str(second, "provider", "openai");
        }
        rc = check_server(second, "/model/fallback/name", field, why);
    }
    return rc;
}

/* Merges a checked body into the record and settles defaults, the model and the key. */
static enum err settle(const char *part, json_t *agent, const json_t *body, const char **field,
                       struct buf *why)
{
    fields_merge(agent, body);
    const char *missing = fields_fill(rows, ROWS, agent);
    if (missing != NULL) {
        return refuse(field, why, missing, "is required");
    }
    normalise_phone(agent);
    enum err rc = check_model(agent, field, why);
    if (rc == ERR_OK) {
        rc = sections_check(agent, field, why);
    }
    if (rc == ERR_OK) {
        rc = check_sides(agent, field, why);
    }
    if (rc == ERR_OK) {
        rc = tools_check(agent, field, why);
    }
    return rc == ERR_OK ? seal_keys(part, agent, body) : rc;
}

/* The collection that belongs to an agent and goes with it. */
static void add_collection(struct changes *cs, const char *part, const json_t *agent, int64_t now)
{
    const char *id = jx_str(agent, "collection_id");
    json_t *collection = json_object();

    jx_set_str(collection, "id", id);
    jx_set_str(collection, "name", jx_str(agent, "name"));
    jx_set_str(collection, "agent_id", jx_str(agent, "id"));
    jx_set(collection, "metadata", json_object());
    jx_set_time(collection, "created_at", now);
    jx_set_time(collection, "updated_at", now);
    changes_expect(cs, KIND_COLLECTION, part, id, 0);
    changes_put(cs, KIND_COLLECTION, part, id, collection);
    json_decref(collection);
}

/* The fields of a new agent that nobody may choose. */
static json_t *agent_blank(const char *id, int64_t now)
{
    json_t *agent = json_object();
    struct id own = id_new("agt");
    struct id collection = id_new("col");

    jx_set_str(agent, "id", id != NULL ? id : own.text);
    jx_set_str(agent, "collection_id", collection.text);
    jx_set_time(agent, "created_at", now);
    jx_set_time(agent, "updated_at", now);
    return agent;
}

enum err agent_create(struct changes *cs, const char *part, const char *id, const json_t *body,
                      json_t **agent, const char **field, struct buf *why)
{
    int64_t now = clock_wall_ms();

    *agent = NULL;
    json_t *copy = body_copy(body);
    json_t *made = agent_blank(id, now);
    enum err rc = fields_check(rows, ROWS, copy, field, why);
    if (rc == ERR_OK) {
        rc = settle(part, made, copy, field, why);
    }
    json_decref(copy);
    if (rc != ERR_OK) {
        json_decref(made);
        return rc;
    }
    const char *own = jx_str(made, "id");
    changes_expect(cs, KIND_AGENT, part, own, 0);
    changes_put(cs, KIND_AGENT, part, own, made);
    if (id == NULL ||
        partition_mode(part) == MODE_LIVE) { /* an id that both modes share means the live agent */
        address_put(cs, part, own);          /* for a page that shows its widget */
    }
    add_collection(cs, part, made, now);
    *agent = made;
    return ERR_OK;
}

/* Each attached collection must be there. */
static enum err check_collections(struct snapshot *snap, const char *part, const json_t *body,
                                  const char **field, struct buf *why)
{
    static _Thread_local char pointer[64];
    const json_t *list = jx_arr(jx_obj(body, "knowledge"), "collections");

    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *found = NULL;
        const char *id = json_string_value(json_array_get(list, i));
        enum err rc = snapshot_get(snap, KIND_COLLECTION, part, id, &found, NULL);
        json_decref(found);
        if (rc == ERR_NOTFOUND) {
            snprintf(pointer, sizeof pointer, "/knowledge/collections/%zu", i);
            return refuse(field, why, pointer, "there is no such collection");
        }
        if (rc != ERR_OK) {
            return rc;
        }
    }
    return ERR_OK;
}

/* Passages are to be embedded by a server that the agent did not have. */
static void push_embed(struct changes *cs, const char *part, const json_t *agent)
{
    const char *collection = jx_str_or(agent, "collection_id", "");
    json_t *payload = json_object();

    jx_set_str(payload, "collection_id", collection);
    changes_push(cs, QUEUE_EMBED, part, collection, 0, payload);
    json_decref(payload);
}

enum err agent_update(struct changes *cs, struct snapshot *snap, const char *part, json_t *agent,
                      uint64_t rev, const json_t *body, const char **field, struct buf *why)
{
    json_t *copy = body_copy(body);
    json_t *next = json_deep_copy(agent);
    enum err rc = fields_check(rows, ROWS, copy, field, why);

    if (rc == ERR_OK) {
        rc = check_collections(snap, part, copy, field, why);
    }
    if (rc == ERR_OK) {
        rc = settle(part, next, copy, field, why);
    }
    if (rc == ERR_OK) {
        const char *id = jx_str(next, "id");
        json_t *embedding = key_holder(next, HOLDER_EMBEDDING);
        bool embeds_anew = embedding != NULL && !json_equal(embedding, key_holder(agent, HOLDER_EMBEDDING));
        jx_set_time(next, "updated_at", clock_wall_ms());
        json_object_clear(agent);
        json_object_update(agent, next);
        changes_expect(cs, KIND_AGENT, part, id, rev);
        changes_put(cs, KIND_AGENT, part, id, agent);
        if (embeds_anew) {
            push_embed(cs, part, agent);
        }
    }
    json_decref(copy);
    json_decref(next);
    return rc;
}

/* Shows of a key only whether it is set, and its end. */
static void key_hide(json_t *holder)
{
    json_t *key = json_object();

    bool set = jx_str(holder, "api_key") != NULL;
    jx_set_bool(key, "set", set);
    if (set) {
        jx_set_str(key, "last4", jx_str_or(holder, "api_key_last4", ""));
    }
    json_object_del(holder, "api_key_last4");
    jx_set(holder, "api_key", key);
}

json_t *agent_public(const json_t *agent)
{
    json_t *shown = json_deep_copy(agent);

    for (unsigned i = 0; i < KEY_HOLDERS; i++) {
        json_t *holder = key_holder(shown, i);
        if (holder != NULL) {
            key_hide(holder);
        }
    }
    return shown;
}

json_t *agent_collections(const json_t *agent)
{
    json_t *list = json_array();
    const json_t *attached = jx_arr(jx_obj(agent, "knowledge"), "collections");
    const char *own = jx_str(agent, "collection_id");

    if (own != NULL) {
        jx_push(list, json_string(own));
    }
    for (size_t i = 0; i < json_array_size(attached); i++) {
        const char *id = json_string_value(json_array_get(attached, i));
        if (id != NULL && (own == NULL || strcmp(id, own) != 0)) {
            jx_push(list, json_string(id));
        }
    }
    return list;
}

/* Opens the key of one holder. */
static enum err key_open(const char *part, const json_t *agent, unsigned which, struct buf *out)
{
    char context[CONTEXT_MAX];
    const char *sealed = jx_str(key_holder(agent, which), "api_key");

    if (sealed == NULL) {
        return ERR_NOTFOUND;
    }
    seal_context(context, part, agent);
    return unseal(context, sealed, out);
}

enum err agent_api_key(const char *part, const json_t *agent, struct buf *out)
{
    return key_open(part, agent, HOLDER_MODEL, out);
}

enum err agent_transcription_key(const char *part, const json_t *agent, struct buf *out)
{
    return key_open(part, agent, HOLDER_TRANSCRIPTION, out);
}

enum err agent_fallback_key(const char *part, const json_t *agent, struct buf *out)
{
    return key_open(part, agent, HOLDER_FALLBACK, out);
}

enum err agent_embedding_key(const char *part, const json_t *agent, struct buf *out)
{
    return key_open(part, agent, HOLDER_EMBEDDING, out);
}

enum err agent_rerank_key(const char *part, const json_t *agent, struct buf *out)
{
    return key_open(part, agent, HOLDER_RERANK, out);
}
