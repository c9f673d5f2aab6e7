/* keys_routes.c: keys over the API. A key manages the keys of its account in both modes. */
#include <stdio.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/keys.h"
#include "bridge/api/list.h"
#include "queue/base/clock.h"
#include "queue/base/netguard.h"

/* A key as it leaves, with its state in one word. */
static json_t *show(const json_t *key)
{
    int64_t ms;
    bool date_only;
    json_t *out = key_public(key);
    const char *until = jx_str(key, "expires_at");
    bool over = until != NULL && clock_parse(until, &ms, &date_only) && ms <= clock_wall_ms();
    jx_set_str(out, "status", over ? "expired" : "active");
    return out;
}

void keys_list(struct call *c)
{
    struct list_spec spec = {
        .query = {.kind = KIND_KEY,
                  .part = PARTITION_GLOBAL,
                  .index = INDEX_KEY_BY_ACCOUNT,
                  .match = {c->caller.account_id}},
        .show = show,
    };
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_KEY, PARTITION_GLOBAL, INDEX_KEY_BY_ACCOUNT,
                                             c->caller.account_id);
        list_reply(c, &spec);
    }
}

/* The key that the path names, if it is this account's. NULL: 404. */
static json_t *find(struct call *c, uint64_t *rev)
{
    json_t *key = NULL;
    const char *id = call_param(c, "key");
    if (call_snap(c) == NULL) {
        return NULL;
    }
    enum err rc =
        id_is(id, "key") ? snapshot_get(c->snap, KIND_KEY, PARTITION_GLOBAL, id, &key, rev) : ERR_NOTFOUND;
    if (rc == ERR_OK) {
        call_keep(c, key);
    }
    if (rc != ERR_OK || strcmp(jx_str_or(key, "account_id", ""), c->caller.account_id) != 0) {
        call_fail(c, API_NOT_FOUND, NULL, "There is no such key.");
        return NULL;
    }
    return key;
}

void keys_show(struct call *c)
{
    uint64_t rev;
    json_t *key = find(c, &rev);
    if (key != NULL) {
        call_reply(c, 200, show(key));
    }
}

/* True if the scopes are known ones, and none that the calling key lacks. */
static bool scopes_fit(struct call *c)
{
    size_t i;
    json_t *item;
    json_array_foreach (jx_arr(c->body, "scopes"), i, item) {
        if (!key_scope_known(json_string_value(item))) {
            call_fail(c, API_BAD_FIELD, "scopes", "scopes may hold read, messages, knowledge and admin.");
            return false;
        }
    }
    return true;
}

/* True if each of allowed_ips is a range of addresses. */
static bool ranges_fit(struct call *c)
{
    size_t i;
    json_t *item;
    json_array_foreach (jx_arr(c->body, "allowed_ips"), i, item) {
        if (!netguard_range_is(json_string_value(item))) {
            char field[40];
            snprintf(field, sizeof(field), "allowed_ips/%zu", i);
            call_fail(c, API_BAD_FIELD, field,
                      "%s must be an address or a range such as 192.0.2.0/24 or 2001:db8::/32.", field);
            return false;
        }
    }
    return true;
}

/* A new key's answer: the record and, this once, its text. */
static json_t *created(struct call *c, const struct key_spec *spec)
{
    char text[KEY_TEXT_SIZE];
    json_t *key = key_create(call_changes(c), spec, text);
    json_t *out = show(key);
    jx_set_str(out, "key", text);
    call_audit(c, "key.created", jx_str(key, "id"));
    json_decref(key);
    return out;
}

void keys_create(struct call *c)
{
    const char *mode = jx_str(c->body, "mode");
    struct key_spec spec = {
        .account_id = c->caller.account_id,
        .mode = mode == NULL                ? c->caller.mode
                : strcmp(mode, "live") == 0 ? MODE_LIVE
                                            : MODE_TEST,
        .name = jx_str(c->body, "name"),
        .scopes = jx_arr(c->body, "scopes"),
        .expires_at = jx_str(c->body, "expires_at"),
        .allowed_ips = jx_arr(c->body, "allowed_ips"),
        .created_by = c->caller.key_id[0] != '\0' ? c->caller.key_id : NULL,
    };
    if (spec.mode == MODE_LIVE && c->caller.mode == MODE_TEST && !c->caller.administrator) {
        call_fail(c, API_WRONG_MODE, "mode", "A test key cannot make a live key.");
    } else if (scopes_fit(c) && ranges_fit(c)) {
        call_commit(c, 201, created(c, &spec));
    }
}

/* A test key has no power over live ones. */
static bool may_touch(struct call *c, const json_t *key)
{
    bool live = strcmp(jx_str_or(key, "mode", ""), "live") == 0;
    if (live && c->caller.mode == MODE_TEST && !c->caller.administrator) {
        call_fail(c, API_WRONG_MODE, NULL, "A test key cannot change a live key.");
        return false;
    }
    return true;
}

void keys_revoke(struct call *c)
{
    uint64_t rev;
    json_t *key = find(c, &rev);
    if (key == NULL || !may_touch(c, key)) {
        return;
    }
    changes_expect(call_changes(c), KIND_KEY, PARTITION_GLOBAL, jx_str(key, "id"), rev);
    changes_delete(call_changes(c), KIND_KEY, PARTITION_GLOBAL, jx_str(key, "id"));
    call_audit(c, "key.revoked", jx_str(key, "id"));
    call_commit(c, 204, NULL);
}

/* The old key ends now, or when the overlap is over. */
static void end_key(struct call *c, json_t *key, uint64_t rev, int64_t overlap_s)
{
    const char *id = jx_str(key, "id");
    struct changes *cs = call_changes(c);
    changes_expect(cs, KIND_KEY, PARTITION_GLOBAL, id, rev);
    if (overlap_s > 0) {
        json_t *ending = json_copy(key);
        jx_set_time(ending, "expires_at", clock_wall_ms() + overlap_s * 1000);
        changes_put(cs, KIND_KEY, PARTITION_GLOBAL, id, ending);
        json_decref(ending);
    } else {
        changes_delete(cs, KIND_KEY, PARTITION_GLOBAL, id);
    }
    call_audit(c, "key.rotated", id);
}

void keys_rotate(struct call *c)
{
    uint64_t rev;
    json_t *key = find(c, &rev);
    if (key == NULL || !may_touch(c, key)) {
        return;
    }
    struct key_spec spec = {
        .account_id = c->caller.account_id,
        .mode = strcmp(jx_str_or(key, "mode", ""), "live") == 0 ? MODE_LIVE : MODE_TEST,
        .name = jx_str_or(key, "name", ""),
        .scopes = jx_arr(key, "scopes"),
        .expires_at = jx_str(key, "expires_at"),
        .allowed_ips = jx_arr(key, "allowed_ips"),
        .channel_id = jx_str(key, "channel_id"),
        .created_by = c->caller.key_id[0] != '\0' ? c->caller.key_id : NULL,
    };
    end_key(c, key, rev, jx_int(c->body, "overlap_s", 0));
    call_commit(c, 201, created(c, &spec));
}
