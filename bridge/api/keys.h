/* keys.h: API keys: their text form, their record, and who a key speaks for.
 *
 * Text: "ck_live_" or "ck_test_" + 22 random base62 characters + 6 base62 characters of the CRC-32 over what
 * precedes: a mistyped key is refused without a look-up, a leaked one can be found by a scanner. At rest
 * there is only the SHA-256 of the text (131 bits of chance need no slow hash) and its last four characters.
 * A key that is revoked is deleted, so the look-up by hash fails from the commit on. Record (KIND_KEY, global
 * partition): {"id", "account_id", "mode": "live|test", "name", "hash", "last4", "scopes": [],
 * "allowed_ips": [], "expires_at"|null, "created_at", "created_by"|null, "last_used_at"|null,
 * "channel_id"? (a channel's own key)}. No scopes:
 * every scope. No allowed_ips: from anywhere. Thread: any. */
#ifndef CHASQUI_API_KEYS_H
#define CHASQUI_API_KEYS_H

#include <stdbool.h>

#include "queue/base/json.h"
#include "queue/store.h"

#define KEY_TEXT_SIZE 37 /* 36 characters and the NUL */

/* A fresh key's text. */
void key_make(enum mode mode, char out[KEY_TEXT_SIZE]);
/* True if text has the form and its checksum is right. */
bool key_is(const char *text);

struct key_spec {
    const char *account_id;
    enum mode mode;
    const char *name;
    const json_t *scopes;      /* array of text, NULL: all */
    const char *expires_at;    /* RFC 3339, NULL: never */
    const json_t *allowed_ips; /* array of ranges, NULL: from anywhere */
    const char *created_by;    /* id of the key that made it, NULL: the administrator */
    const char *channel_id;    /* the only channel it speaks for, over /channelsApi alone; NULL: a key of the account */
};
/* Adds a new key to cs; its text goes to out. Returns the record, new reference. */
json_t *key_create(struct changes *cs, const struct key_spec *spec, char out[KEY_TEXT_SIZE]);
/* The record as it leaves the house: no hash. New reference. */
json_t *key_public(const json_t *key);
/* The key of this text: found, not expired. New reference. ERR_NOTFOUND whatever is wrong with it. */
enum err key_find(struct snapshot *snap, const char *text, json_t **key, uint64_t *rev) MUST_CHECK;
/* True if the key may use routes of this scope. */
bool key_allows(const json_t *key, const char *scope);
bool key_scope_known(const char *scope);
/* True if the key may be used from this address ("192.0.2.7", "::1"; "unix": always). */
bool key_allows_address(const json_t *key, const char *address);
/* The key of this id as it is now: not revoked, not expired. */
bool key_is_good(struct snapshot *snap, const char *key_id);

#endif
