/* lmdb_apply.c: one change-set into the open transaction of the LMDB engine.
 *
 * Guards are read first and nothing is written until all of them hold, so a refused set leaves no trace in a
 * transaction that goes on with others. An error while writing spoils the transaction; the committer aborts
 * it. */
#include <string.h>

#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/engine_lmdb.h"

#define LOOK_BACK 4 /* operations and guards of a set that are compared with each other */

void effects_add(struct effects *fx, const struct effect *effect)
{
    if (fx->count == fx->room) {
        fx->room = fx->room == 0 ? 64 : fx->room * 2;
        fx->rows = xrealloc(fx->rows, fx->room * sizeof *fx->rows);
    }
    fx->rows[fx->count++] = *effect;
}

int64_t lmdb_due(const struct lmdb *db, const struct job_head *head)
{
    if (head->run == db->run) {
        return head->due_mono;
    }
    int64_t wait = head->due_wall - db->open_wall;
    if (wait > head->delay) {
        wait = head->delay; /* the wall clock was set back: no job waits longer than it was told to */
    }
    return db->open_mono + (wait > 0 ? wait : 0);
}

/* ---- guards ---- */

static unsigned bucket_now(void)
{
    return (unsigned)(clock_wall_ms() / SEEN_BUCKET_MS) & 0xffff;
}

static void seen_key(struct key *key, unsigned bucket, const uint8_t mark[SEEN_MARK])
{
    key_begin(key);
    key_u16(key, bucket);
    key_bytes(key, mark, SEEN_MARK);
}

/* ERR_SEEN if the mark is in a bucket that counts. The bucket ahead is looked at, too: the clock may have
 * been set back across a border. */
static enum err once_check(struct lmdb *db, const struct guard *guard)
{
    unsigned now = bucket_now();

    for (unsigned bucket = now - SEEN_BUCKETS; bucket <= now + 1; bucket++) {
        struct kv_bytes none;
        struct key key;
        seen_key(&key, bucket, guard->mark);
        enum err rc = kv_get(db->txn, TABLE_SEEN, key_kv(&key), &none);
        if (rc != ERR_NOTFOUND) {
            return rc == ERR_OK ? ERR_SEEN : rc;
        }
    }
    return ERR_OK;
}

static enum err revision_check(struct lmdb *db, const struct guard *guard)
{
    struct record_view view = {0};
    enum err rc = lmdb_get(db->txn, guard->kind, guard->part, guard->id, &view);

    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        return rc;
    }
    return view.rev == guard->rev ? ERR_OK : ERR_CONFLICT;
}

static enum err guards_check(struct lmdb *db, const struct changes *cs)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < cs->guard_count && rc == ERR_OK; i++) {
        const struct guard *guard = &cs->guards[i];
        if (guard->type != GUARD_IDLE) { /* the committer's: lanes are not the engine's */
            rc = guard->type == GUARD_ONCE ? once_check(db, guard) : revision_check(db, guard);
        }
    }
    return rc;
}

static enum err marks_put(struct lmdb *db, const struct changes *cs)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < cs->guard_count && rc == ERR_OK; i++) {
        if (cs->guards[i].type == GUARD_ONCE) {
            struct key key;
            seen_key(&key, bucket_now(), cs->guards[i].mark);
            db->marked++;
            rc = kv_put(db->txn, TABLE_SEEN, key_kv(&key), KV_BYTES("", 0));
        }
    }
    return rc;
}

/* ---- numbers that are kept ---- */

/* Adds delta to a stored 64-bit number; *now is what it holds afterwards. */
static enum err number_add(struct lmdb *db, unsigned table, const struct key *key, int64_t delta,
                           uint64_t *now)
{
    struct kv_bytes value;
    uint8_t bytes[8];
    enum err rc = kv_get(db->txn, table, key_kv(key), &value);

    if (rc != ERR_OK && rc != ERR_NOTFOUND) {
        return rc;
    }
    *now = (rc == ERR_OK && value.size == 8 ? get_u64(value.data) : 0) + (uint64_t)delta;
    put_u64(bytes, *now);
    return kv_put(db->txn, table, key_kv(key), KV_BYTES(bytes, sizeof bytes));
}

static enum err count_add(struct lmdb *db, const struct op *op, enum index_id index, const char *value,
                          int delta)
{
    struct key key;

    key_count(&key, (enum kind)op->code, index, op->part, value);
    for (size_t i = 0; i < db->tally_count; i++) {
        struct tally *tally = &db->tallies[i];
        if (tally->key.size == key.size && memcmp(tally->key.data, key.data, key.size) == 0) {
            tally->delta += delta;
            return ERR_OK;
        }
    }
    enum err rc = db->tally_count == TALLIES ? lmdb_tallies_put(db) : ERR_OK;
    db->tallies[db->tally_count++] = (struct tally){.key = key, .delta = delta};
    return rc;
}

/* Sets of one commit mostly count the same few things: each number is read and written once. */
enum err lmdb_tallies_put(struct lmdb *db)
{
    enum err rc = ERR_OK;

    for (size_t i = 0; i < db->tally_count && rc == ERR_OK; i++) {
        const struct tally *tally = &db->tallies[i];
        uint64_t now;
        if (tally->delta != 0) {
            rc = number_add(db, TABLE_COUNT, &tally->key, tally->delta, &now);
        }
    }
    db->tally_count = 0;
    return rc;
}

static enum err feed_add(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct key key, value;

    key_begin(&key);
    key_u64(&key, db->now.rev);
    key_u32(&key, (uint32_t)db->fed++);
    key_record(&value, (enum kind)op->code, op->part, op->name);
    fx->feed = true;
    db->now.feed_count++;
    return kv_append(db->txn, TABLE_FEED, key_kv(&key), key_kv(&value));
}

/* ---- records and their indexes ---- */

struct entries {
    const uint8_t *data;
    size_t size;
};

static bool entries_have(const struct entries *list, const struct entry *wanted)
{
    const uint8_t *at = list->data;
    struct entry entry;

    while (entry_next(&at, list->data + list->size, &entry)) {
        if (entry.size == wanted->size && memcmp(entry.data, wanted->data, entry.size) == 0) {
            return true;
        }
    }
    return false;
}

/* Puts (delta 1) or deletes (delta -1) one index entry, and counts it. */
static enum err entry_change(struct lmdb *db, const struct op *op, const struct entry *entry, int delta)
{
    const struct index_row *row = index_row((enum index_id)entry->data[0]);
    struct key key;
    enum err rc;

    key_index_entry(&key, entry->data, entry->size, op->part, op->name);
    if (delta > 0) {
        rc = kv_put(db->txn, TABLE_INDEX, key_kv(&key), KV_BYTES("", 0));
    } else {
        rc = kv_delete(db->txn, TABLE_INDEX, key_kv(&key));
        rc = rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    if (rc == ERR_OK && row != NULL && row->counted) {
        rc = count_add(db, op, row->index, (const char *)entry->data + 1, delta);
    }
    return rc;
}

/* Applies delta to every entry of list that other does not have. */
static enum err entries_change(struct lmdb *db, const struct op *op, const struct entries *list,
                               const struct entries *other, int delta)
{
    const uint8_t *at = list->data;
    struct entry entry;
    enum err rc = ERR_OK;

    while (rc == ERR_OK && entry_next(&at, list->data + list->size, &entry)) {
        if (!entries_have(other, &entry)) {
            rc = entry_change(db, op, &entry, delta);
        }
    }
    return rc;
}

/* Copies the index entries of the record that is there now into db->old; *found says whether one is. */
static enum err old_entries(struct lmdb *db, const struct op *op, bool *found, struct entries *out)
{
    struct record_view view;
    enum err rc =
        db->fresh ? ERR_NOTFOUND : lmdb_get(db->txn, (enum kind)op->code, op->part, op->name, &view);

    *found = rc == ERR_OK;
    buf_reset(&db->old);
    if (rc == ERR_OK) {
        buf_add(&db->old, view.entries, view.entries_size);
        CHECK(buf_ok(&db->old));
    }
    *out = (struct entries){(const uint8_t *)buf_str(&db->old), db->old.len};
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* The hash that the last record of a chained stream left; zeros if there is none. */
static enum err link_read(struct lmdb *db, const struct op *op, char hash[65])
{
    struct record_view view;
    json_t *link = NULL;
    enum err rc = lmdb_get(db->txn, KIND_CHAIN, op->part, op->stream, &view);

    memset(hash, '0', 64);
    hash[64] = '\0';
    if (rc != ERR_OK) {
        return rc == ERR_NOTFOUND ? ERR_OK : rc;
    }
    rc = jx_parse_lenient((const char *)view.body, view.body_size, &link);
    if (rc == ERR_OK) {
        memccpy(hash, jx_str_or(link, "hash", ""), '\0', 65);
        rc = strlen(hash) == 64 ? ERR_OK : ERR_CORRUPT;
        json_decref(link);
    }
    return rc;
}

/* The link that this record leaves: the hash of its body. */
static enum err link_write(struct lmdb *db, const struct op *op, const struct kv_bytes *value,
                           uint64_t number)
{
    uint8_t head[RECORD_HEAD] = {0};
    struct record_view view;
    struct buf link;
    struct key key;
    char hash[65];

    CHECK(record_view(*value, &view));
    sha256_hex(view.body, view.body_size, hash);
    put_u64(head + 1, db->now.rev);
    buf_init(&link, 200);
    buf_add(&link, head, sizeof head);
    buf_addf(&link, "{\"sequence\":%llu,\"hash\":\"%s\"}", (unsigned long long)number, hash);
    key_record(&key, KIND_CHAIN, op->part, op->stream);
    enum err rc = kv_put(db->txn, TABLE_RECORD, key_kv(&key), KV_BYTES(link.data, link.len));
    if (rc == ERR_OK && number == 1) {
        const struct op counted = {.code = KIND_CHAIN, .part = op->part};
        rc = count_add(db, &counted, INDEX_NONE, "", 1);
    }
    buf_fini(&link);
    return rc;
}

/* Lays the record out again in db->scratch with its stream's next number (and link) as the first field. */
static enum err number_record(struct lmdb *db, const struct op *op, struct kv_bytes *value)
{
    struct key key;
    struct record_view view;
    uint64_t number;
    char hash[65];

    key_named(&key, op->part, op->stream);
    enum err rc = number_add(db, TABLE_NUMBER, &key, 1, &number);
    if (rc == ERR_OK && op->chained) {
        rc = link_read(db, op, hash);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    CHECK(record_view(*value, &view) && view.body_size >= 2);
    buf_reset(&db->scratch);
    buf_add(&db->scratch, value->data, RECORD_HEAD + view.entries_size);
    buf_addf(&db->scratch, "{\"sequence\":%llu", (unsigned long long)number);
    if (op->chained) {
        buf_addf(&db->scratch, ",\"previous\":\"%s\"", hash);
    }
    buf_adds(&db->scratch, view.body_size > 2 ? "," : "");
    buf_add(&db->scratch, view.body + 1, view.body_size - 1);
    CHECK(buf_ok(&db->scratch));
    *value = KV_BYTES(db->scratch.data, db->scratch.len);
    return op->chained ? link_write(db, op, value, number) : ERR_OK;
}

static enum err apply_put(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct kv_bytes value = KV_BYTES(op->value, op->size);
    struct record_view view;
    struct entries old, new;
    struct key key;
    bool found;
    enum err rc = old_entries(db, op, &found, &old);

    CHECK(record_view(value, &view));
    new = (struct entries){view.entries, view.entries_size};
    put_u64(op->value + 1, db->now.rev);
    if (rc == ERR_OK) {
        rc = entries_change(db, op, &old, &new, -1);
    }
    if (rc == ERR_OK) {
        rc = entries_change(db, op, &new, &old, 1);
    }
    if (rc == ERR_OK && !found) {
        rc = count_add(db, op, INDEX_NONE, "", 1);
    }
    if (rc == ERR_OK && op->stream != NULL) {
        rc = number_record(db, op, &value);
    }
    if (rc == ERR_OK) {
        key_record(&key, (enum kind)op->code, op->part, op->name);
        rc = kv_put(db->txn, TABLE_RECORD, key_kv(&key), value);
    }
    if (rc == ERR_OK && kind_row((enum kind)op->code)->feed) {
        rc = feed_add(db, op, fx);
    }
    return rc;
}

static enum err apply_delete(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct entries old, none = {(const uint8_t *)"", 0};
    struct key key;
    bool found;
    enum err rc = old_entries(db, op, &found, &old);

    if (rc != ERR_OK || !found) {
        return rc;
    }
    rc = entries_change(db, op, &old, &none, -1);
    if (rc == ERR_OK) {
        rc = count_add(db, op, INDEX_NONE, "", -1);
    }
    if (rc == ERR_OK) {
        key_record(&key, (enum kind)op->code, op->part, op->name);
        rc = kv_delete(db->txn, TABLE_RECORD, key_kv(&key));
    }
    if (rc == ERR_OK && kind_row((enum kind)op->code)->feed) {
        rc = feed_add(db, op, fx);
    }
    return rc;
}

static enum err apply_add(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct key key;
    uint64_t now;

    (void)fx;
    key_named(&key, op->part, op->name);
    return number_add(db, TABLE_COUNTER, &key, op->number, &now);
}

/* ---- jobs ---- */

static void job_key(struct key *key, const struct op *op, uint64_t seq)
{
    key_job_lane(key, op->code, op->part, op->name);
    key_u64(key, seq);
}

/* Sets when the job is due: its delay from now, on both clocks. */
static void head_wait(const struct lmdb *db, struct job_head *head, int64_t delay)
{
    head->delay = delay;
    head->due_wall = clock_wall_ms() + delay;
    head->due_mono = clock_mono_ms() + delay;
    head->run = db->run;
}

static enum err apply_push(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct job_head head = {.pushed = clock_wall_ms()};
    struct key key;

    head_wait(db, &head, op->number);
    job_head_put(op->value, &head);
    job_key(&key, op, ++db->now.seq);
    effects_add(fx, &(struct effect){.op = op, .seq = db->now.seq, .due = head.due_mono});
    return kv_put(db->txn, TABLE_JOB, key_kv(&key), KV_BYTES(op->value, op->size));
}

/* The lane's first job behind the one that was taken, which is its first, into the effect; seq 0 if there is
 * none. Not from the lane's beginning on: what was taken before may still be passed over one by one there. */
static enum err lane_head(struct lmdb *db, const struct op *op, struct effect *effect)
{
    struct kv_cursor *cursor;
    struct kv_bytes k, v;
    struct job_head head;
    struct key lane, taken;
    enum err rc = kv_cursor_open(db->txn, TABLE_JOB, &cursor);

    if (rc != ERR_OK) {
        return rc;
    }
    job_key(&taken, op, op->seq);
    key_job_lane(&lane, op->code, op->part, op->name);
    rc = kv_cursor_seek(cursor, key_kv(&taken), &k, &v);
    if (rc == ERR_OK && k.size == lane.size + 8 && memcmp(k.data, lane.data, lane.size) == 0) {
        effect->seq = get_u64((const uint8_t *)k.data + lane.size);
        rc = job_head_get(v, &head) ? ERR_OK : ERR_CORRUPT;
        effect->due = rc == ERR_OK ? lmdb_due(db, &head) : 0;
    }
    kv_cursor_close(cursor);
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

static enum err apply_ack(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct effect effect = {.op = op};
    struct key key;

    job_key(&key, op, op->seq);
    enum err rc = kv_delete(db->txn, TABLE_JOB, key_kv(&key));
    if (rc == ERR_OK) {
        rc = lane_head(db, op, &effect);
    }
    effects_add(fx, &effect);
    return rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
}

static enum err apply_wait(struct lmdb *db, const struct op *op, struct effects *fx)
{
    struct job_head head;
    struct kv_bytes value;
    struct key key;

    job_key(&key, op, op->seq);
    enum err rc = kv_get(db->txn, TABLE_JOB, key_kv(&key), &value);
    if (rc != ERR_OK || !job_head_get(value, &head)) {
        return rc == ERR_OK || rc == ERR_NOTFOUND ? ERR_CORRUPT : rc;
    }
    head.tries += op->failed ? 1 : 0;
    head_wait(db, &head, op->number);
    buf_reset(&db->scratch);
    buf_add(&db->scratch, value.data, value.size);
    CHECK(buf_ok(&db->scratch));
    job_head_put((uint8_t *)db->scratch.data, &head);
    effects_add(fx, &(struct effect){.op = op, .seq = op->seq, .due = head.due_mono});
    return kv_put(db->txn, TABLE_JOB, key_kv(&key), KV_BYTES(db->scratch.data, db->scratch.len));
}

/* True if a guard of the set has just found that the record of its operation at i is not there, and no
 * operation before that one can have made it. */
static bool known_absent(const struct changes *cs, size_t i)
{
    const struct op *op = &cs->ops[i];
    bool absent = false;

    if (op->type != OP_PUT || i > LOOK_BACK || cs->guard_count > LOOK_BACK) {
        return false;
    }
    for (size_t k = 0; k < cs->guard_count && !absent; k++) {
        const struct guard *guard = &cs->guards[k];
        absent = guard->type == GUARD_REVISION && guard->rev == 0 && (unsigned)guard->kind == op->code &&
                 strcmp(guard->id, op->name) == 0 && strcmp(guard->part, op->part) == 0;
    }
    for (size_t k = 0; k < i && absent; k++) {
        absent = cs->ops[k].type != OP_PUT || strcmp(cs->ops[k].name, op->name) != 0;
    }
    return absent;
}

enum err lmdb_apply(void *self, struct changes *cs, struct effects *fx, uint64_t *rev)
{
    static enum err (*const apply[])(struct lmdb *, const struct op *, struct effects *) = {
        [OP_PUT] = apply_put,   [OP_DELETE] = apply_delete, [OP_ADD] = apply_add,
        [OP_PUSH] = apply_push, [OP_ACK] = apply_ack,       [OP_WAIT] = apply_wait,
    };
    struct lmdb *db = self;
    enum err rc = guards_check(db, cs);

    if (rc == ERR_OK && changes_writes(cs)) {
        db->now.rev++;
        rc = marks_put(db, cs);
    }
    for (size_t i = 0; i < cs->op_count && rc == ERR_OK; i++) {
        db->fresh = known_absent(cs, i);
        rc = apply[cs->ops[i].type](db, &cs->ops[i], fx);
    }
    *rev = rc == ERR_OK ? db->now.rev : 0;
    return rc;
}

/* ---- dropping what is old, a little with each commit ---- */

/* Where the sweep of marks goes on: in one bucket's time nothing is added in front of what was left. */
static void seen_start(struct lmdb *db, unsigned now)
{
    if (db->swept_bucket != now || db->swept.size == 0) {
        key_begin(&db->swept);
        db->swept_bucket = now;
    }
}

/* Deletes marks of buckets that no longer count, from the oldest on. */
static enum err sweep_seen(struct lmdb *db, struct kv_cursor *cursor)
{
    unsigned now = bucket_now();
    struct kv_bytes k, v;

    seen_start(db, now);
    enum err rc = kv_cursor_seek(cursor, key_kv(&db->swept), &k, &v);
    for (size_t step = SWEEP_STEP + db->marked; step > 0 && rc == ERR_OK; step--) {
        key_begin(&db->swept);
        key_bytes(&db->swept, k.data, k.size);
        if (k.size < 2 || get_u16(k.data) + SEEN_BUCKETS >= now) {
            return ERR_OK;
        }
        rc = kv_cursor_delete(cursor);
        if (rc == ERR_OK) {
            rc = kv_cursor_next(cursor, &k, &v);
        }
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

/* Deletes the oldest feed entries beyond FEED_KEEP and notes the newest revision that lost one: who has not
 * read up to it has a gap. */
static enum err sweep_feed(struct lmdb *db, struct kv_cursor *cursor)
{
    size_t step = SWEEP_STEP + db->fed;
    struct kv_bytes k, v;
    struct key first;

    if (db->now.feed_count <= FEED_KEEP) {
        return ERR_OK;
    }
    key_begin(&first);
    key_u64(&first, db->now.feed_dropped);
    enum err rc = kv_cursor_seek(cursor, key_kv(&first), &k, &v);
    for (; step > 0 && db->now.feed_count > FEED_KEEP && rc == ERR_OK; step--, db->now.feed_count--) {
        if (k.size != 12) {
            return ERR_CORRUPT;
        }
        db->now.feed_dropped = get_u64(k.data);
        rc = kv_cursor_delete(cursor);
        if (rc == ERR_OK) {
            rc = kv_cursor_next(cursor, &k, &v);
        }
    }
    return rc == ERR_NOTFOUND ? ERR_OK : rc;
}

enum err lmdb_sweep(struct lmdb *db)
{
    static enum err (*const sweeps[])(struct lmdb *, struct kv_cursor *) = {sweep_seen, sweep_feed};
    static const unsigned swept[] = {TABLE_SEEN, TABLE_FEED};
    enum err rc = ERR_OK;

    for (size_t i = 0; i < 2 && rc == ERR_OK; i++) {
        struct kv_cursor *cursor;
        rc = kv_cursor_open(db->txn, swept[i], &cursor);
        if (rc == ERR_OK) {
            rc = sweeps[i](db, cursor);
            kv_cursor_close(cursor);
        }
    }
    return rc;
}
