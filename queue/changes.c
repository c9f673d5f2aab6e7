/* changes.c: building a change-set; see changes.h.
 *
 * Sets are made and freed by the thousand, by a few threads: each keeps some of its own for its next ones,
 * with their memory, and one buffer in which values are laid out before they go into their set's arena. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "queue/base/codec.h"
#include "queue/base/sanitized.h"
#include "queue/changes.h"
#include "queue/jobs.h"

#define SPARES       64
#define ROOM_KEPT    32         /* operations and guards that a spare set has room for at most */
#define SCRATCH_KEPT (64 << 10) /* bytes of the buffer between two values */

/* What one thread keeps. */
struct spares {
    struct changes *list[SPARES];
    unsigned count;
    struct buf scratch;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key_spares;
static _Thread_local struct spares *mine;

static void set_free(struct changes *cs)
{
    free(cs->ops);
    free(cs->guards);
    arena_free(cs->texts);
    free(cs);
}

/* A thread ends. */
static void spares_free(void *arg)
{
    struct spares *spares = arg;

    while (spares->count > 0) {
        set_free(spares->list[--spares->count]);
    }
    buf_fini(&spares->scratch);
    free(spares);
    mine = NULL;
}

static void spares_key(void)
{
    CHECK(pthread_key_create(&key_spares, spares_free) == 0);
}

/* The calling thread's, made at its first set. */
static struct spares *spares(void)
{
    if (mine == NULL) {
        CHECK(pthread_once(&once, spares_key) == 0);
        mine = xcalloc(1, sizeof *mine);
        buf_init(&mine->scratch, 0);
        CHECK(pthread_setspecific(key_spares, mine) == 0);
    }
    return mine;
}

struct changes *changes_new(void)
{
    struct spares *kept = spares();

    if (kept->count > 0) {
        return kept->list[--kept->count];
    }
    struct changes *cs = xcalloc(1, sizeof *cs);
    cs->texts = arena_new(SIZE_MAX / 2);
    return cs;
}

/* Empties a set for its next use. */
static void set_reset(struct changes *cs)
{
    struct changes bare = {.texts = cs->texts,
                           .ops = cs->ops,
                           .op_room = cs->op_room,
                           .guards = cs->guards,
                           .guard_room = cs->guard_room};

    arena_reset(cs->texts);
    *cs = bare;
}

void changes_free(struct changes *cs)
{
    if (cs == NULL) {
        return;
    }
    struct spares *kept = spares();
    if (SANITIZED || kept->count == SPARES || cs->op_room > ROOM_KEPT || cs->guard_room > ROOM_KEPT) {
        set_free(cs);
        return;
    }
    set_reset(cs);
    kept->list[kept->count++] = cs;
}

bool changes_any(const struct changes *cs)
{
    return cs->op_count > 0 || cs->guard_count > 0 || cs->fault != ERR_OK;
}

bool changes_writes(const struct changes *cs)
{
    for (size_t i = 0; i < cs->guard_count; i++) {
        if (cs->guards[i].type == GUARD_ONCE) {
            return true;
        }
    }
    return cs->op_count > 0;
}

void changes_fault(struct changes *cs, enum err rc)
{
    if (cs->fault == ERR_OK) {
        cs->fault = rc;
    }
}

/* True if the text may stand in a key: not empty, not longer than max, UTF-8. */
static bool name_ok(const char *text, size_t max)
{
    size_t len = text != NULL ? strnlen(text, max + 1) : 0;

    return len > 0 && len <= max && utf8_valid(text, len);
}

/* True once the set may grow by one more; remembers the fault otherwise. */
static bool room_for(struct changes *cs, const char *part, const char *name, size_t name_max)
{
    if (!name_ok(part, PARTITION_SIZE - 1) || !name_ok(name, name_max)) {
        changes_fault(cs, ERR_INVALID);
    } else if (cs->op_count + cs->guard_count >= STORE_CHANGES_MAX) {
        changes_fault(cs, ERR_LIMIT);
    }
    return cs->fault == ERR_OK;
}

/* The partition's text in the set's memory; most sets name one partition only, so the last one is tried
 * first. */
static const char *part_text(struct changes *cs, const char *part)
{
    if (cs->op_count > 0 && strcmp(cs->ops[cs->op_count - 1].part, part) == 0) {
        return cs->ops[cs->op_count - 1].part;
    }
    return arena_strdup(cs->texts, part);
}

struct op *changes_op(struct changes *cs, enum op_type type, unsigned code, const char *part,
                      const char *name, size_t name_max)
{
    if (cs->fault != ERR_OK || !room_for(cs, part, name, name_max)) {
        return NULL;
    }
    const char *kept = part_text(cs, part);
    if (cs->op_count == cs->op_room) {
        cs->op_room = cs->op_room == 0 ? 8 : cs->op_room * 2;
        cs->ops = xrealloc(cs->ops, cs->op_room * sizeof *cs->ops);
    }
    struct op *op = &cs->ops[cs->op_count++];
    *op = (struct op){.type = type, .code = code, .part = kept, .name = arena_strdup(cs->texts, name)};
    return op;
}

/* A new guard, or NULL after a fault. */
static struct guard *guard_add(struct changes *cs, enum guard_type type, const char *part, const char *id)
{
    if (cs->fault != ERR_OK || !room_for(cs, part, id, type == GUARD_ONCE ? SIZE_MAX - 1 : STORE_ID_MAX)) {
        return NULL;
    }
    if (cs->guard_count == cs->guard_room) {
        cs->guard_room = cs->guard_room == 0 ? 4 : cs->guard_room * 2;
        cs->guards = xrealloc(cs->guards, cs->guard_room * sizeof *cs->guards);
    }
    struct guard *guard = &cs->guards[cs->guard_count++];
    *guard = (struct guard){.type = type, .part = part_text(cs, part)};
    return guard;
}

void changes_expect(struct changes *cs, enum kind kind, const char *part, const char *id, uint64_t rev)
{
    CHECK(kind_row(kind) != NULL);
    struct guard *guard = guard_add(cs, GUARD_REVISION, part, id);

    if (guard != NULL) {
        guard->kind = kind;
        guard->id = arena_strdup(cs->texts, id);
        guard->rev = rev;
    }
}

void changes_expect_idle(struct changes *cs, enum queue_id queue, const char *part, const char *lane)
{
    CHECK(queue_row(queue) != NULL);
    struct guard *guard = guard_add(cs, GUARD_IDLE, part, lane);

    if (guard != NULL) {
        guard->queue = (unsigned)queue;
        guard->id = arena_strdup(cs->texts, lane);
    }
}

void changes_once(struct changes *cs, const char *part, const char *scope, const char *id)
{
    struct guard *guard = guard_add(cs, GUARD_ONCE, part, id);

    if (guard != NULL) {
        seen_mark(part, scope, id, guard->mark);
    }
}

/* Room for the operation's value, to be filled by the caller; NULL, and the fault, beyond the bounds. */
static uint8_t *value_new(struct changes *cs, struct op *op, size_t size)
{
    if (cs->bytes + size > CHANGES_BYTES_MAX) {
        changes_fault(cs, ERR_LIMIT);
        return NULL;
    }
    cs->bytes += size;
    op->value = arena_alloc(cs->texts, size);
    op->size = size;
    return op->value;
}

void changes_value_text(struct changes *cs, struct op *op, size_t blank, const char *text, size_t size)
{
    uint8_t *at = size <= STORE_BODY_MAX ? value_new(cs, op, blank + size) : NULL;

    if (at == NULL) {
        changes_fault(cs, ERR_LIMIT);
        return;
    }
    memset(at, 0, blank);
    memcpy(at + blank, text, size);
}

void changes_value(struct changes *cs, struct op *op, const struct buf *head, const json_t *value)
{
    struct buf *bytes = &spares()->scratch;

    buf_reset(bytes);
    bytes->max = head->len + STORE_BODY_MAX;
    buf_add(bytes, head->data, head->len);
    jx_dump(value, bytes);
    uint8_t *at = buf_ok(bytes) ? value_new(cs, op, bytes->len) : NULL;
    if (at != NULL) {
        memcpy(at, bytes->data, bytes->len);
    } else {
        changes_fault(cs, ERR_LIMIT);
    }
    if (bytes->room > SCRATCH_KEPT) {
        buf_fini(bytes);
    }
}

/* The head of a record: flags, room for the revision, its index entries. */
static void record_head(struct buf *head, unsigned flags, enum kind kind, const json_t *body)
{
    uint8_t fixed[RECORD_HEAD] = {(uint8_t)flags};

    buf_init(head, 8192);
    buf_add(head, fixed, sizeof fixed);
    if (body != NULL) {
        entries_of(kind, body, head);
    }
    CHECK(buf_ok(head));
    put_u32((uint8_t *)head->data + 9, (uint32_t)(head->len - RECORD_HEAD));
}

/* True if every index key of the record fits: only an id that is much longer than ours can fail. */
static bool entries_fit(const struct buf *head, const char *part, const char *id)
{
    const uint8_t *at = (const uint8_t *)head->data + RECORD_HEAD;
    const uint8_t *end = (const uint8_t *)head->data + head->len;
    struct entry entry;
    struct key key;

    while (entry_next(&at, end, &entry)) {
        key_index_entry(&key, entry.data, entry.size, part, id);
        if (!key.ok) {
            return false;
        }
    }
    return true;
}

void changes_put(struct changes *cs, enum kind kind, const char *part, const char *id, const json_t *body)
{
    changes_put_numbered(cs, kind, part, id, body, NULL);
}

void changes_put_bytes(struct changes *cs, enum kind kind, const char *part, const char *id, const void *data,
                       size_t size)
{
    changes_put_joined(cs, kind, part, id, "", 0, data, size);
}

/* Raw posts come this way by the thousand: one allocation of the right size, each byte copied once. */
void changes_put_joined(struct changes *cs, enum kind kind, const char *part, const char *id,
                        const void *first, size_t first_size, const void *second, size_t second_size)
{
    CHECK(kind_row(kind) != NULL);
    struct op *op = changes_op(cs, OP_PUT, (unsigned)kind, part, id, STORE_ID_MAX);

    if (op == NULL) {
        return;
    }
    if (first_size > STORE_BODY_MAX || second_size > STORE_BODY_MAX - first_size) {
        changes_fault(cs, ERR_LIMIT);
        return;
    }
    uint8_t *at = value_new(cs, op, RECORD_HEAD + first_size + second_size);
    if (at == NULL) {
        return;
    }
    memset(at, 0, RECORD_HEAD);
    at[0] = RECORD_RAW;
    memcpy(at + RECORD_HEAD, first, first_size);
    memcpy(at + RECORD_HEAD + first_size, second, second_size);
}

/* The body without a "sequence" (and "previous") of its own: the store's takes that place. New reference. */
static json_t *unnumbered(const json_t *body, bool chained)
{
    json_t *copy = json_copy((json_t *)body);

    CHECK(copy != NULL);
    json_object_del(copy, "sequence");
    if (chained) {
        json_object_del(copy, "previous");
    }
    return copy;
}

/* A put that the store completes when it knows the number; stream NULL: a plain one. */
static void put_json(struct changes *cs, enum kind kind, const char *part, const char *id, const json_t *body,
                     const char *stream, bool chained)
{
    CHECK(kind_row(kind) != NULL && json_is_object(body));
    struct op *op = changes_op(cs, OP_PUT, (unsigned)kind, part, id, STORE_ID_MAX);
    struct buf head;

    if (op == NULL) {
        return;
    }
    if (stream != NULL && !name_ok(stream, KEY_NAME_MAX)) {
        changes_fault(cs, ERR_INVALID);
        return;
    }
    record_head(&head, 0, kind, body);
    if (!entries_fit(&head, part, id)) {
        changes_fault(cs, ERR_LIMIT);
    } else if (stream == NULL) {
        changes_value(cs, op, &head, body);
    } else {
        json_t *copy = unnumbered(body, chained);
        changes_value(cs, op, &head, copy);
        op->stream = arena_strdup(cs->texts, stream);
        op->chained = chained;
        json_decref(copy);
    }
    buf_fini(&head);
}

void changes_put_numbered(struct changes *cs, enum kind kind, const char *part, const char *id,
                          const json_t *body, const char *stream)
{
    put_json(cs, kind, part, id, body, stream, false);
}

void changes_put_chained(struct changes *cs, enum kind kind, const char *part, const char *id,
                         const json_t *body, const char *stream)
{
    CHECK(stream != NULL);
    put_json(cs, kind, part, id, body, stream, true);
}

void changes_delete(struct changes *cs, enum kind kind, const char *part, const char *id)
{
    CHECK(kind_row(kind) != NULL);
    (void)changes_op(cs, OP_DELETE, (unsigned)kind, part, id, STORE_ID_MAX);
}

enum err changes_peek(const struct changes *cs, enum kind kind, const char *part, const char *id,
                      json_t **body, bool *touched)
{
    *touched = false;
    for (size_t i = cs->op_count; i > 0; i--) {
        const struct op *op = &cs->ops[i - 1];
        bool record = op->type == OP_PUT || op->type == OP_DELETE;
        if (!record || op->code != (unsigned)kind || strcmp(op->part, part) != 0 ||
            strcmp(op->name, id) != 0) {
            continue;
        }
        *touched = true;
        if (op->type == OP_DELETE || op->value == NULL) {
            return ERR_NOTFOUND;
        }
        size_t head = RECORD_HEAD + get_u32(op->value + 9);
        return jx_parse_lenient((const char *)op->value + head, op->size - head, body);
    }
    return ERR_NOTFOUND;
}

void changes_add(struct changes *cs, const char *part, const char *counter, int64_t delta)
{
    struct op *op = changes_op(cs, OP_ADD, 0, part, counter, KEY_NAME_MAX);

    if (op != NULL) {
        op->number = delta;
    }
}
