/* keys.c: making, recognising and finding API keys. */
#include "bridge/api/keys.h"

#include <string.h>

#include "bridge/api/known.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/netguard.h"

#define PREFIX_LEN 8  /* "ck_live_" */
#define RANDOM_LEN 22 /* base62: 131 bits */
#define CHECK_LEN  6  /* base62 of a CRC-32 */
#define KEY_LEN    (PREFIX_LEN + RANDOM_LEN + CHECK_LEN)

static const char *const scopes[] = {"read", "messages", "knowledge", "admin"};

/* The check characters of the first 30. */
static void checksum(const char *text, char out[CHECK_LEN + 1])
{
    base62_encode(crc32_of(text, PREFIX_LEN + RANDOM_LEN), out, CHECK_LEN);
    out[CHECK_LEN] = '\0';
}

void key_make(enum mode mode, char out[KEY_TEXT_SIZE])
{
    char check[CHECK_LEN + 1];
    memcpy(out, mode == MODE_LIVE ? "ck_live_" : "ck_test_", PREFIX_LEN);
    for (unsigned i = 0; i < RANDOM_LEN; i++) {
        base62_encode(random_below(62), out + PREFIX_LEN + i, 1);
    }
    checksum(out, check);
    memcpy(out + PREFIX_LEN + RANDOM_LEN, check, CHECK_LEN + 1);
}

bool key_is(const char *text)
{
    static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char check[CHECK_LEN + 1];
    if (strlen(text) != KEY_LEN ||
        (strncmp(text, "ck_live_", PREFIX_LEN) != 0 && strncmp(text, "ck_test_", PREFIX_LEN) != 0) ||
        strspn(text + PREFIX_LEN, base62) != RANDOM_LEN + CHECK_LEN) {
        return false;
    }
    checksum(text, check);
    return memcmp(check, text + PREFIX_LEN + RANDOM_LEN, CHECK_LEN) == 0;
}

json_t *key_create(struct changes *cs, const struct key_spec *spec, char out[KEY_TEXT_SIZE])
{
    char hash[65];
    struct id id = id_new(kind_row(KIND_KEY)->prefix);
    key_make(spec->mode, out);
    sha256_hex(out, KEY_LEN, hash);
    json_t *key = json_object();
    jx_set_str(key, "id", id.text);
    jx_set_str(key, "account_id", spec->account_id);
    jx_set_str(key, "mode", spec->mode == MODE_LIVE ? "live" : "test");
    jx_set_str(key, "name", spec->name);
    jx_set_str(key, "hash", hash);
    jx_set_str(key, "last4", out + KEY_LEN - 4);
    jx_set(key, "scopes", spec->scopes != NULL ? json_deep_copy(spec->scopes) : json_array());
    jx_set(key, "allowed_ips", spec->allowed_ips != NULL ? json_deep_copy(spec->allowed_ips) : json_array());
    jx_set_str(key, "expires_at", spec->expires_at);
    jx_set_time(key, "created_at", clock_wall_ms());
    jx_set_str(key, "created_by", spec->created_by);
    jx_set_str(key, "last_used_at", NULL);
    if (spec->channel_id != NULL) {
        jx_set_str(key, "channel_id", spec->channel_id);
    }
    changes_expect(cs, KIND_KEY, PARTITION_GLOBAL, id.text, 0);
    changes_put(cs, KIND_KEY, PARTITION_GLOBAL, id.text, key);
    return key;
}

json_t *key_public(const json_t *key)
{
    json_t *out = json_copy((json_t *)key);
    json_object_del(out, "hash");
    json_object_del(out, "account_id");
    if (jx_arr(out, "allowed_ips") == NULL) {
        jx_set(out, "allowed_ips", json_array()); /* made before there was such a list */
    }
    jx_set_str(out, "prefix", strcmp(jx_str_or(key, "mode", ""), "live") == 0 ? "ck_live_" : "ck_test_");
    return out;
}

/* True if the key's time is over. */
static bool is_expired(const json_t *key)
{
    const char *text = jx_str(key, "expires_at");
    int64_t ms;
    bool date_only;
    return text != NULL && (!clock_parse(text, &ms, &date_only) || ms <= clock_wall_ms());
}

/* The key whose hash was seen before, if it is still there under the same id. */
static enum err find_known(struct snapshot *snap, const char *hash, json_t **key, uint64_t *rev)
{
    const char *id = known_id(hash);
    enum err rc = id != NULL ? known_get(snap, KIND_KEY, id, key, rev) : ERR_NOTFOUND;
    if (rc == ERR_OK && (strcmp(jx_str_or(*key, "hash", ""), hash) != 0 || is_expired(*key))) {
        json_decref(*key);
        rc = ERR_NOTFOUND;
    }
    return rc;
}

enum err key_find(struct snapshot *snap, const char *text, json_t **key, uint64_t *rev)
{
    char hash[65];
    struct store_page page;
    if (strlen(text) != KEY_LEN) {
        return ERR_NOTFOUND;
    }
    sha256_hex(text, KEY_LEN, hash);
    if (find_known(snap, hash, key, rev) == ERR_OK) {
        return ERR_OK;
    }
    if (!key_is(text)) {
        return ERR_NOTFOUND;
    }
    struct page_query query = {
        .kind = KIND_KEY, .part = PARTITION_GLOBAL, .index = INDEX_KEY_BY_HASH, .match = {hash}, .limit = 1};
    enum err rc = snapshot_page(snap, &query, &page);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = ERR_NOTFOUND;
    if (page.count == 1 && !is_expired(page.rows[0].body)) {
        *key = json_incref(page.rows[0].body);
        *rev = page.rows[0].rev;
        known_note(hash, page.rows[0].id);
        rc = ERR_OK;
    }
    store_page_free(&page);
    return rc;
}

bool key_scope_known(const char *scope)
{
    for (unsigned i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        if (strcmp(scopes[i], scope) == 0) {
            return true;
        }
    }
    return false;
}

bool key_allows(const json_t *key, const char *scope)
{
    const json_t *held = jx_arr(key, "scopes");
    size_t i;
    json_t *item;
    if (json_array_size(held) == 0 || strcmp(scope, "any") == 0) {
        return true;
    }
    json_array_foreach (held, i, item) {
        if (strcmp(json_string_value(item), scope) == 0 || strcmp(json_string_value(item), "admin") == 0) {
            return true;
        }
    }
    return false;
}

bool key_allows_address(const json_t *key, const char *address)
{
    const json_t *ranges = jx_arr(key, "allowed_ips");
    size_t i;
    json_t *item;
    bool allowed = json_array_size(ranges) == 0 || strcmp(address, "unix") == 0;
    json_array_foreach (ranges, i, item) {
        allowed = allowed || netguard_range_holds(json_string_value(item), address);
    }
    return allowed;
}

bool key_is_good(struct snapshot *snap, const char *key_id)
{
    json_t *key = NULL;
    if (snapshot_get(snap, KIND_KEY, PARTITION_GLOBAL, key_id, &key, NULL) != ERR_OK) {
        return false;
    }
    bool good = !is_expired(key);
    json_decref(key);
    return good;
}
