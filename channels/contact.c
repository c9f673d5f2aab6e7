/* contact.c: finding, extending and merging the records of people.
 *
 * Strong identities (phone, bsuid, email, external) belong to one person: two of them in one message that
 * lead to different contacts merge these; the older contact stays, the younger becomes {"merged_into"}, so
 * that ids that others kept still lead somewhere. A username is weak: people give names up and others take
 * them, so it moves to whoever shows it last and never merges. In a contact's list the identity seen last
 * stands first of its type.
 *
 * Guards: every identity record that was read (also the absent ones) and every contact record involved. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "channels/channels_int.h"
#include "channels/contact.h"

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"

#define IDENTITIES_MAX  16
#define VALUE_PLAIN_MAX 150 /* longer values stand in keys as their hash */

static const struct {
    const char *name;
    bool strong;
} types[] = {{"phone", true}, {"bsuid", true}, {"username", false}, {"email", true}, {"external", true}};

/* True for a type of the table; *strong tells whether it proves who somebody is. */
static bool type_known(const char *type, bool *strong)
{
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, type) == 0) {
            *strong = types[i].strong;
            return true;
        }
    }
    return false;
}

bool contact_phone_normalise(const char *text, char out[24])
{
    size_t digits = 0;

    out[0] = '+';
    for (const char *p = text; *p != '\0'; p++) {
        if (*p >= '0' && *p <= '9') {
            if (digits == 15) {
                return false;
            }
            out[++digits] = *p;
        } else if (*p == '+' ? digits > 0 || p != text : strchr(" -.()/", *p) == NULL) {
            return false;
        }
    }
    out[digits + 1] = '\0';
    return digits >= 7 && out[1] != '0';
}

bool contact_is_bsuid(const char *text)
{
    if (!isupper((unsigned char)text[0]) || !isupper((unsigned char)text[1]) || text[2] != '.') {
        return false;
    }
    const char *rest = text + 3;
    if (strncmp(rest, "ENT.", 4) == 0) {
        rest += 4;
    }
    size_t len = 0;
    while (isalnum((unsigned char)rest[len])) {
        len++;
    }
    return len >= 1 && len <= 128 && rest[len] == '\0';
}

json_t *contact_identity_new(const char *type, const char *value)
{
    json_t *identity = json_object();

    jx_set_str(identity, "type", type);
    jx_set_str(identity, "value", value);
    return identity;
}

/* What "type:value" names, NULL if the type is none of ours or the value does not fit it. */
static json_t *parse_typed(const char *text, const char *colon)
{
    char type[16] = "";
    char phone[24];
    bool strong;
    size_t len = (size_t)(colon - text);

    if (len == 0 || len >= sizeof type || colon[1] == '\0') {
        return NULL;
    }
    memcpy(type, text, len);
    if (!type_known(type, &strong)) {
        return NULL;
    }
    if (strcmp(type, "phone") == 0) {
        return contact_phone_normalise(colon + 1, phone) ? contact_identity_new(type, phone) : NULL;
    }
    return contact_identity_new(type, colon + 1);
}

json_t *contact_identity_parse(const char *text)
{
    char phone[24];

    if (contact_is_bsuid(text)) {
        return contact_identity_new("bsuid", text);
    }
    if (contact_phone_normalise(text, phone)) {
        return contact_identity_new("phone", phone);
    }
    const char *colon = strchr(text, ':');
    return colon != NULL ? parse_typed(text, colon) : NULL;
}

const char *contact_identity(const json_t *contact, const char *type)
{
    size_t i;
    json_t *identity;

    json_array_foreach (jx_arr(contact, "identities"), i, identity) {
        if (strcmp(jx_str_or(identity, "type", ""), type) == 0) {
            return jx_str(identity, "value");
        }
    }
    return NULL;
}

/* The record id of an identity. */
static void identity_key(const char *type, const char *value, char key[STORE_ID_MAX + 1])
{
    char hex[65];
    struct buf text;

    buf_init(&text, STORE_ID_MAX);
    if (strlen(value) > VALUE_PLAIN_MAX) {
        sha256_hex(value, strlen(value), hex);
        buf_addf(&text, "%s:sha256-%s", type, hex);
    } else {
        buf_addf(&text, "%s:%s", type, value);
    }
    CHECK(buf_ok(&text));
    memcpy(key, text.data, text.len + 1);
    buf_fini(&text);
}

/* A contact by id, following merges. */
enum err contact_get(struct snapshot *snap, const char *part, const char *id, json_t **contact, uint64_t *rev)
{
    char next[ID_SIZE];
    enum err rc = snapshot_get(snap, KIND_CONTACT, part, id, contact, rev);

    for (int hops = 0; rc == ERR_OK && hops < 8; hops++) {
        const char *into = jx_str(*contact, "merged_into");
        if (into == NULL) {
            return ERR_OK;
        }
        CHECK(strlen(into) < sizeof next);
        memcpy(next, into, strlen(into) + 1);
        json_decref(*contact);
        rc = snapshot_get(snap, KIND_CONTACT, part, next, contact, rev);
    }
    return rc;
}

enum err contact_find(struct snapshot *snap, const char *part, const char *type, const char *value,
                      json_t **contact, uint64_t *rev)
{
    char key[STORE_ID_MAX + 1];
    json_t *identity = NULL;

    identity_key(type, value, key);
    enum err rc = snapshot_get(snap, KIND_IDENTITY, part, key, &identity, NULL);
    if (rc == ERR_OK) {
        rc = contact_get(snap, part, jx_str_or(identity, "contact_id", ""), contact, rev);
        json_decref(identity);
    }
    return rc;
}

/* One identity of the call and what the store says about it. */
struct claim {
    const char *type, *value;
    bool strong;
    char key[STORE_ID_MAX + 1];
    char owner[ID_SIZE]; /* contact it points to now, "" if none */
};

struct resolving {
    struct changes *cs;
    struct snapshot *snap;
    const char *part;
    struct claim claims[IDENTITIES_MAX];
    size_t count;
    json_t *contact; /* the survivor */
    json_t *merged;  /* ids of the others */
    bool changed;    /* the survivor must be written */
};

/* Reads who owns the claim and guards that answer. */
static enum err claim_read(struct resolving *r, struct claim *claim)
{
    json_t *record = NULL;
    uint64_t rev = 0;

    identity_key(claim->type, claim->value, claim->key);
    enum err rc = snapshot_get(r->snap, KIND_IDENTITY, r->part, claim->key, &record, &rev);
    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        return rc;
    }
    changes_expect(r->cs, KIND_IDENTITY, r->part, claim->key, rc == ERR_OK ? rev : 0);
    const char *owner = jx_str_or(record, "contact_id", "");
    if (strlen(owner) < sizeof claim->owner) {
        memcpy(claim->owner, owner, strlen(owner) + 1);
    }
    json_decref(record);
    return ERR_OK;
}

static enum err claims_read(struct resolving *r, const json_t *identities)
{
    size_t i;
    json_t *identity;

    json_array_foreach (identities, i, identity) {
        struct claim *claim = &r->claims[r->count];
        if (r->count == IDENTITIES_MAX) {
            return ERR_LIMIT;
        }
        *claim = (struct claim){.type = jx_str(identity, "type"), .value = jx_str(identity, "value")};
        if (!type_known(claim->type, &claim->strong) || claim->value == NULL || claim->value[0] == '\0') {
            return ERR_INVALID;
        }
        enum err rc = claim_read(r, claim);
        if (rc != ERR_OK) {
            return rc;
        }
        r->count++;
    }
    return r->count > 0 ? ERR_OK : ERR_INVALID;
}

/* The oldest contact that a strong claim points to, NULL if there is none. */
static const char *oldest_owner(const struct resolving *r)
{
    const char *oldest = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct claim *claim = &r->claims[i];
        if (claim->strong && claim->owner[0] != '\0' &&
            (oldest == NULL || strcmp(claim->owner, oldest) < 0)) {
            oldest = claim->owner;
        }
    }
    return oldest;
}

static json_t *contact_blank(void)
{
    json_t *contact = json_object();
    int64_t now = clock_wall_ms();

    jx_set_str(contact, "id", id_new("con").text);
    jx_set_str(contact, "name", "");
    jx_set(contact, "identities", json_array());
    jx_set(contact, "metadata", json_object());
    jx_set_time(contact, "created_at", now);
    jx_set_time(contact, "updated_at", now);
    return contact;
}

/* Takes the survivor's record, or begins a new one. */
static enum err survivor_load(struct resolving *r)
{
    const char *oldest = oldest_owner(r);
    uint64_t rev = 0;
    enum err rc = ERR_NOTFOUND;

    if (oldest != NULL) {
        rc = contact_get(r->snap, r->part, oldest, &r->contact, &rev);
    }
    if (rc == ERR_NOTFOUND) {
        r->contact = contact_blank();
        r->changed = true;
        rev = 0;
        rc = ERR_OK;
    }
    if (rc == ERR_OK) {
        changes_expect(r->cs, KIND_CONTACT, r->part, jx_str(r->contact, "id"), rev);
    }
    return rc;
}

/* Takes an identity out of a list; true if it was there. only_type: any value of that type. */
static bool list_remove(json_t *list, const char *type, const char *value)
{
    bool found = false;

    for (size_t i = json_array_size(list); i > 0; i--) {
        const json_t *each = json_array_get(list, i - 1);
        bool same = strcmp(jx_str_or(each, "type", ""), type) == 0 &&
                    (value == NULL || strcmp(jx_str_or(each, "value", ""), value) == 0);
        if (same) {
            json_array_remove(list, i - 1);
            found = true;
        }
    }
    return found;
}

/* Points an identity record to the survivor. */
static void identity_point(struct resolving *r, const char *key)
{
    json_t *record = json_object();

    jx_set_str(record, "contact_id", jx_str(r->contact, "id"));
    changes_put(r->cs, KIND_IDENTITY, r->part, key, record);
    json_decref(record);
}

/* The survivor takes over the loser's identities and whatever metadata it lacks. */
static void absorb(struct resolving *r, const json_t *loser)
{
    json_t *list = jx_arr(r->contact, "identities");
    char key[STORE_ID_MAX + 1];
    size_t i;
    json_t *identity;

    json_array_foreach (jx_arr(loser, "identities"), i, identity) {
        identity_key(jx_str_or(identity, "type", ""), jx_str_or(identity, "value", ""), key);
        identity_point(r, key);
        jx_push(list, json_deep_copy(identity));
    }
    if (jx_obj(r->contact, "metadata") != NULL && jx_obj(loser, "metadata") != NULL) {
        json_object_update_missing(jx_obj(r->contact, "metadata"), jx_obj(loser, "metadata"));
    }
    if (jx_str_or(r->contact, "name", "")[0] == '\0') {
        jx_set_str(r->contact, "name", jx_str_or(loser, "name", ""));
    }
}

/* Folds the contact id into the survivor and leaves a pointer in its place. */
static enum err merge_one(struct resolving *r, const char *id)
{
    json_t *loser = NULL;
    uint64_t rev = 0;
    enum err rc = contact_get(r->snap, r->part, id, &loser, &rev);

    if (rc == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    const char *loser_id = jx_str_or(loser, "id", "");
    if (strcmp(loser_id, jx_str(r->contact, "id")) != 0) {
        changes_expect(r->cs, KIND_CONTACT, r->part, loser_id, rev);
        absorb(r, loser);
        jx_push(r->merged, json_string(loser_id));
        jx_set_str(loser, "merged_into", jx_str(r->contact, "id"));
        jx_set(loser, "identities", json_array());
        jx_set_time(loser, "updated_at", clock_wall_ms());
        changes_put(r->cs, KIND_CONTACT, r->part, loser_id, loser);
        r->changed = true;
    }
    json_decref(loser);
    return ERR_OK;
}

static bool merged_already(const struct resolving *r, const char *id)
{
    size_t i;
    json_t *each;

    json_array_foreach (r->merged, i, each) {
        if (strcmp(json_string_value(each), id) == 0) {
            return true;
        }
    }
    return strcmp(id, jx_str(r->contact, "id")) == 0;
}

/* Takes a username away from the contact that had it before. */
static enum err weak_take(struct resolving *r, const struct claim *claim)
{
    json_t *other = NULL;
    uint64_t rev = 0;
    enum err rc = contact_get(r->snap, r->part, claim->owner, &other, &rev);

    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    const char *id = jx_str_or(other, "id", "");
    if (!merged_already(r, id) && list_remove(jx_arr(other, "identities"), claim->type, claim->value)) {
        changes_expect(r->cs, KIND_CONTACT, r->part, id, rev);
        changes_put(r->cs, KIND_CONTACT, r->part, id, other);
    }
    json_decref(other);
    return ERR_OK;
}

/* Everybody else whom the claims point to is merged (strong) or loses the claim (weak). */
static enum err others_settle(struct resolving *r)
{
    for (int strong = 1; strong >= 0; strong--) {
        for (size_t i = 0; i < r->count; i++) {
            const struct claim *claim = &r->claims[i];
            if (claim->strong != (strong == 1) || claim->owner[0] == '\0' ||
                merged_already(r, claim->owner)) {
                continue;
            }
            enum err rc = strong == 1 ? merge_one(r, claim->owner) : weak_take(r, claim);
            if (rc != ERR_OK) {
                return rc;
            }
        }
    }
    return ERR_OK;
}

/* Puts the claims first in the survivor's list, in their own order, and points their records to it. */
static void claims_apply(struct resolving *r)
{
    json_t *list = jx_arr(r->contact, "identities");
    json_t *before = json_copy(list);

    for (size_t i = r->count; i > 0; i--) {
        const struct claim *claim = &r->claims[i - 1];
        list_remove(list, claim->type, claim->strong ? claim->value : NULL);
        json_array_insert_new(list, 0, contact_identity_new(claim->type, claim->value));
        if (strcmp(claim->owner, jx_str(r->contact, "id")) != 0) {
            identity_point(r, claim->key);
        }
    }
    r->changed = r->changed || json_equal(before, list) == 0;
    json_decref(before);
}

/* All of contact_resolve, once the out-parameters are empty. */
static enum err resolve(struct resolving *r, const json_t *identities, const char *name)
{
    enum err rc = claims_read(r, identities);

    if (rc == ERR_OK) {
        rc = survivor_load(r);
    }
    if (rc == ERR_OK) {
        rc = others_settle(r);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    claims_apply(r);
    if (name != NULL && name[0] != '\0' && jx_str_or(r->contact, "name", "")[0] == '\0') {
        jx_set_str(r->contact, "name", name);
        r->changed = true;
    }
    if (r->changed) {
        jx_set_time(r->contact, "updated_at", clock_wall_ms());
        changes_put(r->cs, KIND_CONTACT, r->part, jx_str(r->contact, "id"), r->contact);
    }
    return ERR_OK;
}

enum err contact_resolve_merging(struct changes *cs, struct snapshot *snap, const char *part,
                                 const json_t *identities, const char *name, json_t **contact,
                                 json_t **merged)
{
    struct resolving *r = xcalloc(1, sizeof *r);

    *r = (struct resolving){.cs = cs, .snap = snap, .part = part, .merged = json_array()};
    enum err rc = resolve(r, identities, name);
    if (rc == ERR_OK) {
        *contact = json_incref(r->contact);
        *merged = json_incref(r->merged);
    }
    json_decref(r->contact);
    json_decref(r->merged);
    free(r);
    return rc;
}

enum err contact_resolve(struct changes *cs, struct snapshot *snap, const char *part,
                         const json_t *identities, const char *name, json_t **contact)
{
    json_t *merged = NULL;
    enum err rc = contact_resolve_merging(cs, snap, part, identities, name, contact, &merged);

    if (rc == ERR_OK) {
        rc = conversation_move(cs, snap, part, merged, jx_str(*contact, "id"), NULL);
        json_decref(merged);
        if (rc != ERR_OK) {
            json_decref(*contact);
            *contact = NULL;
        }
    }
    return rc;
}

void contact_forget(struct changes *cs, struct snapshot *snap, const char *part, const json_t *contact)
{
    char key[STORE_ID_MAX + 1];
    json_t *identity, *record;
    uint64_t rev;
    size_t i;

    json_array_foreach (jx_arr(contact, "identities"), i, identity) {
        identity_key(jx_str_or(identity, "type", ""), jx_str_or(identity, "value", ""), key);
        if (snapshot_get(snap, KIND_IDENTITY, part, key, &record, &rev) != ERR_OK) {
            continue;
        }
        if (strcmp(jx_str_or(record, "contact_id", ""), jx_str_or(contact, "id", "")) == 0) {
            changes_expect(cs, KIND_IDENTITY, part, key, rev);
            changes_delete(cs, KIND_IDENTITY, part, key);
        }
        json_decref(record);
    }
}
