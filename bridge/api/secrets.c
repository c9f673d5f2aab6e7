/* secrets.c: the account's secrets for flows and tools: they go in, and only their names come out. */
#include "agent/tool/secret.h"

#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"

void secrets_list(struct call *c)
{
    struct list_spec spec = {.query = {.kind = KIND_SECRET, .part = c->part}, .show = secret_public};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_SECRET, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}

void secrets_put(struct call *c)
{
    uint64_t rev = 0;
    json_t *old = NULL, *record = NULL;
    const char *name = call_param(c, "name");
    if (!secret_name_ok(name)) {
        call_fail(c, API_BAD_FIELD, "name",
                  "A secret's name is a letter, then letters, digits and _, 64 at most.");
        return;
    }
    if (call_snap(c) == NULL) {
        return;
    }
    enum err rc = snapshot_get(c->snap, KIND_SECRET, c->part, name, &old, &rev);
    if (rc == ERR_OK) {
        call_keep(c, old);
    } else if (rc != ERR_NOTFOUND) {
        call_refuse(c, rc, NULL, "");
        return;
    }
    rc = secret_put(call_changes(c), c->part, name, jx_str_or(c->body, "value", ""), old,
                    old != NULL ? rev : 0, &record);
    if (rc != ERR_OK) {
        call_refuse(c, rc, "value", "value must be text of at most 8192 bytes without control characters");
        return;
    }
    json_t *view = secret_public(record);
    json_decref(record);
    call_audit(c, "secret.set", name);
    call_commit(c, 200, view);
}

void secrets_delete(struct call *c)
{
    uint64_t rev;
    const char *name = call_param(c, "name");
    if (call_find(c, KIND_SECRET, name, &rev) == NULL) {
        return;
    }
    changes_expect(call_changes(c), KIND_SECRET, c->part, name, rev);
    changes_delete(call_changes(c), KIND_SECRET, c->part, name);
    call_audit(c, "secret.deleted", name);
    call_commit(c, 204, NULL);
}
