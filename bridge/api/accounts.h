/* accounts.h: an account with its owner, first agent and keys, made in one change-set.
 *
 * Record (KIND_ACCOUNT, global partition): {"id", "user_id", "name", "email", "plan", "agent_id",
 * "created_at"}. The first agent exists in the live and in the test partition under one id, so that code
 * written with a test key runs unchanged with a live one. Thread: any. */
#ifndef CHASQUI_API_ACCOUNTS_H
#define CHASQUI_API_ACCOUNTS_H

#include "queue/base/buf.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct account_made {
    struct id account_id, agent_id;
    char live_key[48], test_key[48]; /* shown once; wipe() when printed */
};

/* Adds to cs: the account (with its usr_ owner), the first agent under one id in both partitions with a
 * collection of its own, a live and a test key. ERR_INVALID: *field and why say what is wrong (name, email,
 * plan). */
enum err account_create(struct changes *cs, const char *name, const char *email, const char *plan,
                        struct account_made *made, const char **field, struct buf *why) MUST_CHECK;

/* The account's record, new reference. id NULL: the first account. ERR_NOTFOUND. rev may be NULL. */
enum err account_get(struct snapshot *snap, const char *id, json_t **account, uint64_t *rev) MUST_CHECK;

#endif
