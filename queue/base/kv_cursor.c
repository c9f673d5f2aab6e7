/* kv_cursor.c: one order out of the tree and the lists of recent versions.
 *
 * Sources stand at the next key of the direction in which the cursor moves. A step takes the least (going
 * back: the greatest) key of them; where several have it, the newest source says what is there, and a
 * deletion says that nothing is. Then all that stood on this key move on. A change of direction, and every
 * step of a write transaction, which may have written since, places the sources anew from the key that was
 * given last. */
#include <stdlib.h>
#include <string.h>

#include "queue/base/kv_int.h"

struct kv_cursor {
    struct kv_txn *txn;
    unsigned table;
    struct kv_tree_cursor *base;
    bool plain;            /* the tree alone */
    bool placed, backward; /* the sources stand; for which direction */
    bool moved;            /* key is where the cursor stood last */
    bool standing;         /* on an entry that may be deleted */
    struct kv_bytes key;
    struct kv_bytes base_key, base_value;    /* key.data NULL: at the end */
    const struct kv_recent_node *at[LEVELS]; /* NULL: at the end */
};

enum err kv_cursor_open(struct kv_txn *txn, unsigned table, struct kv_cursor **out)
{
    struct kv_cursor *c = xcalloc(1, sizeof *c);
    enum err rc = kv_tree_cursor_open(txn->base, table, &c->base);

    CHECK(table < txn->kv->tables);
    if (rc != ERR_OK) {
        free(c);
        *out = NULL;
        return rc;
    }
    c->txn = txn;
    c->table = table;
    c->plain = txn->levels[0] == NULL && txn->levels[1] == NULL;
    txn->cursors++;
    *out = c;
    return ERR_OK;
}

void kv_cursor_close(struct kv_cursor *c)
{
    if (c == NULL) {
        return;
    }
    CHECK(c->txn->cursors > 0);
    c->txn->cursors--;
    kv_tree_cursor_close(c->base);
    free(c);
}

/* ---- placing the sources ---- */

/* What a move of the tree's cursor came to; the end is no error. */
static enum err base_is(struct kv_cursor *c, enum err rc)
{
    if (rc == ERR_NOTFOUND) {
        c->base_key = c->base_value = KV_BYTES(NULL, 0);
        return ERR_OK;
    }
    return rc;
}

/* At the first keys at or above key (after: above). */
static enum err place_forward(struct kv_cursor *c, struct kv_bytes key, bool after)
{
    struct kv_txn *txn = c->txn;
    enum err rc = base_is(c, kv_tree_cursor_seek(c->base, key, &c->base_key, &c->base_value));

    if (rc == ERR_OK && after && c->base_key.data != NULL && kv_compare(c->base_key, key) == 0) {
        rc = base_is(c, kv_tree_cursor_next(c->base, &c->base_key, &c->base_value));
    }
    for (int i = 0; i < LEVELS; i++) {
        c->at[i] =
            txn->levels[i] != NULL ? kv_recent_from(txn->levels[i], c->table, key, after, txn->number) : NULL;
    }
    c->placed = rc == ERR_OK;
    c->backward = false;
    return rc;
}

/* At the last keys below key; empty: at the last of all. */
static enum err place_backward(struct kv_cursor *c, struct kv_bytes key)
{
    struct kv_txn *txn = c->txn;
    enum err rc =
        key.size > 0 ? kv_tree_cursor_seek(c->base, key, &c->base_key, &c->base_value) : ERR_NOTFOUND;

    if (rc == ERR_OK) {
        rc = base_is(c, kv_tree_cursor_prev(c->base, &c->base_key, &c->base_value));
    } else if (rc == ERR_NOTFOUND) {
        rc = base_is(c, kv_tree_cursor_last(c->base, &c->base_key, &c->base_value));
    }
    for (int i = 0; i < LEVELS; i++) {
        c->at[i] =
            txn->levels[i] != NULL ? kv_recent_before(txn->levels[i], c->table, key, txn->number) : NULL;
    }
    c->placed = rc == ERR_OK;
    c->backward = true;
    return rc;
}

/* ---- a step ---- */

/* Whether a beats b in the direction of the cursor. */
static bool sooner(const struct kv_cursor *c, struct kv_bytes a, struct kv_bytes b)
{
    int order = kv_compare(a, b);

    return c->backward ? order > 0 : order < 0;
}

/* The key that comes next, of whichever source; data NULL at the end. */
static struct kv_bytes key_next(const struct kv_cursor *c)
{
    struct kv_bytes key = c->base_key;

    for (int i = 0; i < LEVELS; i++) {
        if (c->at[i] != NULL && (key.data == NULL || sooner(c, c->at[i]->key, key))) {
            key = c->at[i]->key;
        }
    }
    return key;
}

/* Moves a list's place on. */
static void list_step(struct kv_cursor *c, int i)
{
    struct kv_txn *txn = c->txn;

    c->at[i] = c->backward ? kv_recent_prev(txn->levels[i], c->at[i], txn->number)
                           : kv_recent_next(txn->levels[i], c->at[i], txn->number);
}

/* What the sources have under the key; all that stand on it move on. *there: whether it is an entry. */
static enum err key_take(struct kv_cursor *c, struct kv_bytes key, struct kv_bytes *value, bool *there)
{
    bool decided = false;

    *there = false;
    for (int i = 0; i < LEVELS; i++) {
        if (c->at[i] != NULL && kv_compare(c->at[i]->key, key) == 0) {
            if (!decided) {
                decided = true;
                *there = !c->at[i]->gone;
                *value = c->at[i]->value;
            }
            list_step(c, i);
        }
    }
    if (c->base_key.data == NULL || kv_compare(c->base_key, key) != 0) {
        return ERR_OK;
    }
    if (!decided) {
        *there = true;
        *value = c->base_value;
    }
    return base_is(c, c->backward ? kv_tree_cursor_prev(c->base, &c->base_key, &c->base_value)
                                  : kv_tree_cursor_next(c->base, &c->base_key, &c->base_value));
}

/* Takes keys until one is an entry. Keys and values are memory of the lists or of the tree's pages, which a
 * transaction of this kind does not change: good until its end. */
static enum err step(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    bool there = false;
    enum err rc = ERR_OK;

    c->standing = false;
    while (rc == ERR_OK && !there) {
        *k = key_next(c);
        if (k->data == NULL) {
            rc = ERR_NOTFOUND;
        } else {
            c->key = *k;
            c->moved = true;
            rc = key_take(c, *k, v, &there);
        }
    }
    if (rc != ERR_OK) {
        *k = *v = KV_BYTES(NULL, 0);
    }
    c->standing = rc == ERR_OK;
    return rc;
}

/* ---- moves ---- */

enum err kv_cursor_seek(struct kv_cursor *c, struct kv_bytes key, struct kv_bytes *k, struct kv_bytes *v)
{
    if (c->plain) {
        return kv_tree_cursor_seek(c->base, key, k, v);
    }
    enum err rc = place_forward(c, key.size > 0 ? key : KV_BYTES("", 0), false);
    return rc == ERR_OK ? step(c, k, v) : rc;
}

enum err kv_cursor_first(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    return kv_cursor_seek(c, KV_BYTES("", 0), k, v);
}

enum err kv_cursor_last(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    if (c->plain) {
        return kv_tree_cursor_last(c->base, k, v);
    }
    enum err rc = place_backward(c, KV_BYTES("", 0));
    return rc == ERR_OK ? step(c, k, v) : rc;
}

enum err kv_cursor_next(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    enum err rc = ERR_OK;

    if (c->plain) {
        return kv_tree_cursor_next(c->base, k, v);
    }
    if (!c->placed || c->backward || c->txn->write) {
        rc = place_forward(c, c->moved ? c->key : KV_BYTES("", 0), c->moved);
    }
    return rc == ERR_OK ? step(c, k, v) : rc;
}

enum err kv_cursor_prev(struct kv_cursor *c, struct kv_bytes *k, struct kv_bytes *v)
{
    enum err rc = ERR_OK;

    if (c->plain) {
        return kv_tree_cursor_prev(c->base, k, v);
    }
    if (!c->placed || !c->backward || c->txn->write) {
        rc = place_backward(c, c->moved ? c->key : KV_BYTES("", 0));
    }
    return rc == ERR_OK ? step(c, k, v) : rc;
}

enum err kv_cursor_delete(struct kv_cursor *c)
{
    if (c->txn->kv->journal == NULL) {
        return kv_tree_cursor_delete(c->base);
    }
    if (!c->standing) {
        return ERR_NOTFOUND;
    }
    c->standing = false;
    return kv_delete(c->txn, c->table, c->key);
}
