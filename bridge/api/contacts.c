/* contacts.c: reading the people who wrote. */
#include "channels/contact.h"

#include "bridge/api/call.h"
#include "bridge/api/list.h"

#define MERGES_MAX 16

static json_t *show(const json_t *contact)
{
    return json_incref((json_t *)contact);
}

/* A contact that was merged into another only leads there. */
static bool is_whole(const json_t *contact, const void *arg)
{
    (void)arg;
    return jx_str(contact, "merged_into") == NULL;
}

void contacts_list(struct call *c)
{
    struct list_spec spec = {.query = {.kind = KIND_CONTACT, .part = c->part, .descending = true},
                             .keep = is_whole,
                             .show = show,
                             .total = -1,
                             .cursors = true};
    list_reply(c, &spec);
}

void contacts_show(struct call *c)
{
    json_t *contact = call_find(c, KIND_CONTACT, call_param(c, "contact"), NULL);
    for (int hops = 0; contact != NULL && !is_whole(contact, NULL) && hops < MERGES_MAX; hops++) {
        contact = call_find(c, KIND_CONTACT, jx_str(contact, "merged_into"), NULL);
    }
    if (contact != NULL) {
        call_reply(c, 200, show(contact));
    }
}
