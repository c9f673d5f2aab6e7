/* retention.c: how long an account's data is kept, in days; null: as the installation's options say (messages
 * and media: for ever). bridge/sweep.c applies it within ten minutes, to both modes. */
#include "bridge/api/accounts.h"
#include "bridge/api/call.h"

static const char *const names[] = {"messages_days", "media_days", "events_days", "hooks_days",
                                    "traces_days"};
#define NAMES (sizeof(names) / sizeof(names[0]))

/* The shape that leaves: every name, null where nothing is set. New reference. */
static json_t *show(const json_t *account)
{
    const json_t *set = jx_obj(account, "retention");
    json_t *out = json_object();

    for (size_t i = 0; i < NAMES; i++) {
        json_t *days = json_object_get(set, names[i]);
        jx_set(out, names[i], days != NULL ? json_incref(days) : json_null());
    }
    return out;
}

/* The caller's account as it is now. NULL: the call has ended. */
static json_t *find(struct call *c, uint64_t *rev)
{
    json_t *account = NULL;

    if (call_snap(c) == NULL) {
        return NULL;
    }
    enum err rc = account_get(c->snap, c->caller.account_id, &account, rev);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
        return NULL;
    }
    return call_keep(c, account);
}

void retention_show(struct call *c)
{
    json_t *account = find(c, NULL);

    if (account != NULL) {
        call_reply(c, 200, show(account));
    }
}

void retention_change(struct call *c)
{
    uint64_t rev;
    json_t *account = find(c, &rev);

    if (account == NULL) {
        return;
    }
    json_t *set =
        jx_obj(account, "retention") != NULL ? json_copy(jx_obj(account, "retention")) : json_object();
    for (size_t i = 0; i < NAMES; i++) {
        json_t *days = json_object_get(c->body, names[i]);
        if (json_is_null(days) || (days != NULL && json_integer_value(days) == 0)) {
            json_object_del(set, names[i]);
        } else if (days != NULL) {
            jx_set(set, names[i], json_incref(days));
        }
    }
    jx_set(account, "retention", set);
    changes_expect(call_changes(c), KIND_ACCOUNT, PARTITION_GLOBAL, c->caller.account_id, rev);
    changes_put(call_changes(c), KIND_ACCOUNT, PARTITION_GLOBAL, c->caller.account_id, account);
    call_audit(c, "retention.changed", c->caller.account_id);
    call_commit(c, 200, show(account));
}
