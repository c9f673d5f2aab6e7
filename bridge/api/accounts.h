/* accounts.h: a new account with all that it needs to work: its record, a first agent, keys.
 *
 * Account record (KIND_ACCOUNT, global partition): {"id", "user_id", "name", "email", "plan", "agent_id",
 * "created_at"}. The first agent exists in the live and in the test partition under one id, each with a
 * collection of its own, so that code written with a test key runs unchanged with a live one. Thread: any. */
#ifndef CHASQUI_API_ACCOUNTS_H
#define CHASQUI_API_ACCOUNTS_H

#include "bridge/api/keys.h"
#include "queue/base/buf.h"
#include "queue/base/id.h"
#include "queue/base/json.h"
#include "queue/store.h"

struct account_spec {
    const char *name;    /* NULL: "My business" */
    const char *email;   /* NULL: "owner@localhost" */
    const char *plan;    /* a plan's name; NULL: enterprise */
    const json_t *agent; /* body for agent_create, NULL: a plain extractive agent */
};
struct account_made {
    struct id account_id, user_id, agent_id;
    char live_key[KEY_TEXT_SIZE], test_key[KEY_TEXT_SIZE]; /* in clear here and never again */
};

/* Adds account, agents and keys to cs; submit it with store_submit or store_submit_wait. The master key must
 * be loaded. ERR_INVALID: *field names the member of spec ("plan", "email", "name", "agent") and why says
 * what is wrong. */
enum err account_create(struct changes *cs, const struct account_spec *spec, struct account_made *made,
                        const char **field, struct buf *why) MUST_CHECK;

/* The account's record, new reference. id NULL: the first account. ERR_NOTFOUND. */
enum err account_get(struct snapshot *snap, const char *id, json_t **account, uint64_t *rev) MUST_CHECK;

#endif
