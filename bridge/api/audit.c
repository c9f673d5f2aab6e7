/* audit.c: reading the account's audit log; call_audit writes it with each effect. */
#include "bridge/api/call.h"
#include "bridge/api/list.h"

static json_t *show(const json_t *record)
{
    return json_incref((json_t *)record);
}

void audit_list(struct call *c)
{
    struct list_spec spec = {
        .query = {.kind = KIND_AUDIT, .part = c->part, .descending = true}, .show = show, .cursors = true};
    if (call_snap(c) != NULL) {
        spec.total = (int64_t)snapshot_count(c->snap, KIND_AUDIT, c->part, INDEX_NONE, NULL);
        list_reply(c, &spec);
    }
}
