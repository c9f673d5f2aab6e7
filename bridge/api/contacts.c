/* contacts.c: the people who wrote, and those whom the account adds itself. To delete one is to erase what is
 * known of the person (bridge/erase.h): the call waits for the end of it for a while, for it mostly comes at
 * once. */
#include "channels/contact.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "bridge/erase.h"
#include "queue/base/clock.h"
#include "queue/base/loop.h"

#define MERGES_MAX     16
#define IDENTITIES_MAX 16
#define ERASE_WAIT_MS  5000
#define ERASE_LOOK_MS  20

static json_t *show(const json_t *contact)
{
    return json_incref((json_t *)contact);
}

/* A contact that was merged into another only leads there; of an erased one nothing is left to show. */
static bool is_whole(const json_t *contact, const void *arg)
{
    (void)arg;
    return jx_str(contact, "merged_into") == NULL && !erase_is_tombstone(contact);
}

/* The contact of that address, as a list of one or none. */
static void list_identity(struct call *c, const char *text)
{
    json_t *identity = contact_identity_parse(text), *contact = NULL, *rows = call_keep(c, json_array());
    enum err rc = ERR_NOTFOUND;

    if (identity == NULL) {
        call_fail(c, API_BAD_FIELD, "identity", "identity must be a phone number or TYPE:VALUE.");
        return;
    }
    rc = contact_find(c->snap, c->part, jx_str(identity, "type"), jx_str(identity, "value"), &contact, NULL);
    json_decref(identity);
    if (rc == ERR_OK) {
        jx_push(rows, contact);
    }
    list_reply_array(c, rows);
}

void contacts_list(struct call *c)
{
    const char *identity = call_query(c, "identity");
    struct list_spec spec = {.query = {.kind = KIND_CONTACT, .part = c->part, .descending = true},
                             .keep = is_whole,
                             .show = show,
                             .total = -1,
                             .cursors = true};

    if (call_snap(c) == NULL) {
        return;
    }
    if (identity != NULL) {
        list_identity(c, identity);
    } else {
        list_reply(c, &spec);
    }
}

/* The contact that the path names, behind its merges. NULL: 404. */
static json_t *find(struct call *c, uint64_t *rev)
{
    json_t *contact = call_find(c, KIND_CONTACT, call_param(c, "contact"), rev);

    for (int hops = 0; contact != NULL && jx_str(contact, "merged_into") != NULL && hops < MERGES_MAX;
         hops++) {
        contact = call_find(c, KIND_CONTACT, jx_str(contact, "merged_into"), rev);
    }
    if (contact != NULL && erase_is_tombstone(contact)) {
        call_fail(c, API_NOT_FOUND, NULL, NULL);
        return NULL;
    }
    return contact;
}

void contacts_show(struct call *c)
{
    json_t *contact = find(c, NULL);

    if (contact != NULL) {
        call_reply(c, 200, show(contact));
    }
}

/* One given identity in the form it is kept in; NULL: the call has ended. */
static json_t *read_identity(struct call *c, const json_t *given, size_t i)
{
    const char *type = jx_str_or(given, "type", ""), *value = jx_str_or(given, "value", "");
    json_t *identity = contact_identity_parse(arena_printf(c->arena, "%s:%s", type, value));

    if (identity == NULL || value[0] == '\0') {
        json_decref(identity);
        call_fail(
            c, API_BAD_FIELD, arena_printf(c->arena, "identities/%zu", i),
            "identities: type must be phone, bsuid, username, email or external, and value must fit it.");
        return NULL;
    }
    return identity;
}

/* Adds the given identities to list. owner: who may have them already, NULL for nobody. False: the call has
 * ended. */
static bool read_identities(struct call *c, const char *owner, json_t *list)
{
    json_t *given, *other;
    size_t i;

    json_array_foreach (jx_arr(c->body, "identities"), i, given) {
        json_t *identity = i < IDENTITIES_MAX ? read_identity(c, given, i) : NULL;
        if (identity == NULL) {
            if (i >= IDENTITIES_MAX) {
                call_fail(c, API_BAD_FIELD, "identities", "identities may have up to %d entries.",
                          IDENTITIES_MAX);
            }
            return false;
        }
        jx_push(list, identity);
        other = NULL;
        enum err rc =
            contact_find(c->snap, c->part, jx_str(identity, "type"), jx_str(identity, "value"), &other, NULL);
        bool taken = rc == ERR_OK && (owner == NULL || strcmp(jx_str_or(other, "id", ""), owner) != 0);
        if (taken) {
            call_fail(c, API_CONFLICT, arena_printf(c->arena, "identities/%zu", i),
                      "The contact %s has this address.", jx_str_or(other, "id", ""));
        }
        json_decref(other);
        if (taken) {
            return false;
        }
    }
    return true;
}

/* Merges the body's metadata by key; null removes a key. */
static void merge_metadata(struct call *c, json_t *contact)
{
    const char *key;
    json_t *value, *metadata = jx_obj(contact, "metadata");

    json_object_foreach (jx_obj(c->body, "metadata"), key, value) {
        if (json_is_null(value)) {
            json_object_del(metadata, key);
        } else {
            jx_set(metadata, key, json_incref(value));
        }
    }
}

void contacts_create(struct call *c)
{
    json_t *list = call_keep(c, json_array()), *contact = NULL;

    if (call_snap(c) == NULL || !read_identities(c, NULL, list)) {
        return;
    }
    enum err rc = contact_resolve(call_changes(c), c->snap, c->part, list, jx_str(c->body, "name"), &contact);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "identities", "");
        return;
    }
    merge_metadata(c, contact);
    changes_put(call_changes(c), KIND_CONTACT, c->part, jx_str(contact, "id"), contact);
    call_audit(c, "contact.created", jx_str(contact, "id"));
    call_commit(c, 201, contact);
}

void contacts_change(struct call *c)
{
    uint64_t rev;
    json_t *contact = find(c, &rev), *list = call_keep(c, json_array());

    if (contact == NULL) {
        return;
    }
    const char *id = jx_str_or(contact, "id", "");
    json_array_extend(list, jx_arr(contact, "identities"));
    if (!read_identities(c, id, list)) {
        return;
    }
    if (jx_arr(c->body, "identities") != NULL) {
        json_t *extended = NULL;
        enum err rc = contact_resolve(call_changes(c), c->snap, c->part, list, NULL, &extended);
        if (rc != ERR_OK) {
            call_refuse(c, rc, "identities", "");
            return;
        }
        contact = call_keep(c, extended);
    }
    if (jx_str(c->body, "name") != NULL) {
        jx_set_str(contact, "name", jx_str(c->body, "name"));
    }
    merge_metadata(c, contact);
    jx_set_time(contact, "updated_at", clock_wall_ms());
    changes_expect(call_changes(c), KIND_CONTACT, c->part, id, rev);
    changes_put(call_changes(c), KIND_CONTACT, c->part, id, contact);
    call_commit(c, 200, json_incref(contact));
}

/* ---- erasure ---- */

struct waiting {
    struct call *c;
    const char *id;
    int64_t until_ms;
};

/* Answers as soon as the erasure is through, or says that it is under way. */
static void look(void *arg)
{
    struct waiting *w = arg;
    json_t *contact = NULL;
    struct snapshot *snap;
    bool done = false;

    if (snapshot_open(w->c->api->app->store, &snap) == ERR_OK) {
        done = snapshot_get(snap, KIND_CONTACT, w->c->part, w->id, &contact, NULL) == ERR_OK &&
               strcmp(jx_str_or(contact, "status", ""), "erased") == 0;
        snapshot_close(snap);
    }
    if (done) {
        call_reply(w->c, 200, contact);
        return;
    }
    json_decref(contact);
    if (clock_mono_ms() >= w->until_ms) {
        call_answer(w->c);
    } else {
        (void)loop_after(http_loop(w->c->req), ERASE_LOOK_MS, look, w);
    }
}

static void erase_committed(struct call *c, uint64_t rev)
{
    struct waiting *w = c->state;

    (void)rev;
    w->until_ms = clock_mono_ms() + ERASE_WAIT_MS;
    (void)loop_after(http_loop(c->req), ERASE_LOOK_MS, look, w);
}

void contacts_erase(struct call *c)
{
    uint64_t rev;
    json_t *contact = find(c, &rev);

    if (contact == NULL) {
        return;
    }
    struct waiting *w = arena_alloc(c->arena, sizeof *w);
    *w = (struct waiting){.c = c, .id = arena_strdup(c->arena, jx_str_or(contact, "id", ""))};
    c->state = w;
    erase_begin(call_changes(c), c->snap, c->part, contact, rev);
    call_audit(c, "contact.erased", w->id);
    json_t *accepted = json_object();
    jx_set_str(accepted, "id", w->id);
    jx_set_str(accepted, "status", "erasing");
    jx_set_time(accepted, "requested_at", clock_wall_ms());
    call_commit_then(c, 202, accepted, erase_committed);
}

void contacts_erasure(struct call *c)
{
    json_t *contact = call_find(c, KIND_CONTACT, call_param(c, "contact"), NULL);

    if (contact == NULL) {
        return;
    }
    if (erase_is_tombstone(contact)) {
        call_reply(c, 200, show(contact));
        return;
    }
    json_t *kept = json_object();
    jx_set_str(kept, "id", jx_str(contact, "id"));
    jx_set_str(kept, "status", "kept");
    call_reply(c, 200, kept);
}
