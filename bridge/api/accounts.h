/* accounts.h: an account with its owner, first agent and keys, made in one change-set. */
#ifndef CHASQUI_API_ACCOUNTS_H
#define CHASQUI_API_ACCOUNTS_H

#include "queue/base/buf.h"
#include "queue/base/id.h"
#include "queue/store.h"

struct account_made {
    struct id account_id, agent_id;
    char live_key[48], test_key[48]; /* shown once; wipe() when printed */
};

/* Adds to cs: the account (with its usr_ owner), the first agent under one id in both partitions with a collection of its
 * own, a live and a test key. ERR_INVALID: *field and why say what is wrong (name, email, plan). */
enum err account_create(struct changes *cs, const char *name, const char *email, const char *plan,
                        struct account_made *made, const char **field, struct buf *why) MUST_CHECK;

#endif
