/* secret.h: the account's secrets that its flows and tools name: KIND_SECRET, id = name.
 *
 * {"name", "sealed", "last4"?, "created_at", "updated_at"}; the value is sealed under PARTITION/secret/NAME,
 * so that a sealed value does not open under another name. It goes in and never comes out, except into a call
 * that api_call.c makes. Names: a letter, then letters, digits and _, 64 at most. Thread: any. */
#ifndef CHASQUI_AGENT_SECRET_H
#define CHASQUI_AGENT_SECRET_H

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/store.h"

#define SECRET_VALUE_MAX 8192

bool secret_name_ok(const char *name);
/* Adds the record, made or replaced (rev, old: what is there, 0 and NULL if nothing is). New reference in
 * *out. ERR_INVALID: the value is empty, too long or holds control characters. */
enum err secret_put(struct changes *cs, const char *part, const char *name, const char *value,
                    const json_t *old, uint64_t rev, json_t **out) MUST_CHECK;
/* Adds the value to out. ERR_NOTFOUND, ERR_DENIED. */
enum err secret_open(struct snapshot *snap, const char *part, const char *name, struct buf *out) MUST_CHECK;
/* {"name", "last4", "created_at", "updated_at"}. New reference. */
json_t *secret_public(const json_t *record);

#endif
