/* audit.c: reading the account's audit log, and holding it against its own chain; call_audit writes it with
 * each effect.
 *
 * The store numbers the lines without gaps, in the order of their commits, and puts the hash of the line
 * before into each (changes_put_chained); the hash of the last one stands apart. So a line that was changed
 * does not fit the next one's hash, a line taken away leaves a gap or a last hash that is nobody's, and lines
 * slipped in have no number. The oldest lines may be gone (retention): the chain is held from the first that
 * is there. */
#include <stdlib.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/list.h"
#include "queue/base/crypto.h"

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

struct link {
    int64_t number;
    char previous[65], hash[65];
};
struct chain {
    struct link *links;
    size_t count, room;
    bool unreadable; /* some line is no JSON any more */
};

/* One line of the log. Lines from before there was a chain have no number. */
static bool take_line(const char *id, const void *data, size_t size, uint64_t rev, void *arg)
{
    struct chain *chain = arg;
    json_t *line = NULL;
    (void)id;
    (void)rev;
    if (jx_parse_lenient(data, size, &line) != ERR_OK) {
        chain->unreadable = true;
        return true;
    }
    int64_t number = jx_int(line, "sequence", 0);
    if (number > 0) {
        if (chain->count == chain->room) {
            chain->room = chain->room == 0 ? 256 : chain->room * 2;
            chain->links = xrealloc(chain->links, chain->room * sizeof(*chain->links));
        }
        struct link *link = &chain->links[chain->count++];
        memset(link, 0, sizeof(*link));
        link->number = number;
        strncat(link->previous, jx_str_or(line, "previous", ""), sizeof(link->previous) - 1);
        sha256_hex(data, size, link->hash);
    }
    json_decref(line);
    return true;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = ((const struct link *)a)->number, y = ((const struct link *)b)->number;
    return (x > y) - (x < y);
}

/* The first thing that is wrong; NULL: nothing. */
static const char *first_fault(const struct chain *chain, const json_t *end, int64_t *number)
{
    int64_t last = jx_int(end, "sequence", 0);
    for (size_t i = 1; i < chain->count; i++) {
        const struct link *before = &chain->links[i - 1], *link = &chain->links[i];
        *number = before->number + 1;
        if (link->number != before->number + 1) {
            return "missing";
        }
        *number = before->number;
        if (strcmp(link->previous, before->hash) != 0) {
            return "changed";
        }
    }
    const struct link *newest = chain->count > 0 ? &chain->links[chain->count - 1] : NULL;
    *number = newest != NULL ? newest->number : last;
    if (last != *number || (newest == NULL && last > 0)) {
        *number = newest != NULL ? newest->number + 1 : last;
        return "missing";
    }
    if (newest != NULL && strcmp(newest->hash, jx_str_or(end, "hash", "")) != 0) {
        return "changed";
    }
    *number = 0;
    return chain->unreadable ? "unreadable" : NULL;
}

/* What is found, as the answer. */
static json_t *verdict(struct chain *chain, const json_t *end)
{
    int64_t number = 0;
    json_t *out = json_object();
    if (chain->count > 1) {
        qsort(chain->links, chain->count, sizeof(*chain->links), by_number);
    }
    const char *reason = first_fault(chain, end, &number);
    jx_set_bool(out, "intact", reason == NULL);
    jx_set_int(out, "lines", (int64_t)chain->count);
    jx_set_int(out, "last", jx_int(end, "sequence", 0));
    jx_set(out, "broken_at", reason != NULL && number > 0 ? json_integer(number) : json_null());
    jx_set_str(out, "reason", reason);
    return out;
}

void audit_verify(struct call *c)
{
    struct chain chain = {0};
    json_t *end = NULL;
    struct page_query query = {.kind = KIND_AUDIT, .part = c->part, .limit = 1};
    if (call_snap(c) == NULL) {
        return;
    }
    enum err rc = snapshot_get(c->snap, KIND_CHAIN, c->part, AUDIT_STREAM, &end, NULL);
    if (rc == ERR_OK || rc == ERR_NOTFOUND) {
        rc = snapshot_scan(c->snap, &query, take_line, &chain);
    }
    if (rc == ERR_OK) {
        call_reply(c, 200, verdict(&chain, end));
    } else {
        call_refuse(c, rc, NULL, "");
    }
    json_decref(end);
    free(chain.links);
}
