/* changes.h: the inside of a change-set. Private to the room.
 *
 * Everything that can be computed without the store is computed by whoever builds the set, on his thread:
 * JSON is serialised, index entries are drawn from it, values are laid out with room for what only the
 * committer knows (the revision, due times). The committer fills that in and writes. A fault while building
 * is kept and answered at submit. */
#ifndef CHASQUI_QUEUE_CHANGES_H
#define CHASQUI_QUEUE_CHANGES_H

#include "queue/base/arena.h"
#include "queue/keys.h"
#include "queue/store.h"

#define CHANGES_BYTES_MAX (64u << 20) /* values of one change-set in all */

enum op_type { OP_PUT, OP_DELETE, OP_ADD, OP_PUSH, OP_ACK, OP_WAIT };

struct op {
    enum op_type type;
    unsigned code;           /* kind; queue for job operations */
    const char *part, *name; /* name: id, counter or lane */
    const char *stream;      /* OP_PUT: number it in this stream; else NULL */
    bool chained;            /* and with the hash of the record before */
    uint8_t *value;          /* the set's; OP_PUT: the record, OP_PUSH: the job, both as stored */
    size_t size;
    int64_t number;      /* OP_ADD: delta; OP_PUSH, OP_WAIT: delay in ms */
    uint64_t seq, epoch; /* OP_ACK, OP_WAIT: the leased job */
    bool failed;         /* OP_WAIT: the attempt counts */
};

enum guard_type { GUARD_REVISION, GUARD_ONCE, GUARD_IDLE };

struct guard {
    enum guard_type type;
    enum kind kind;        /* GUARD_REVISION */
    unsigned queue;        /* GUARD_IDLE */
    const char *part, *id; /* id of the record, or the lane */
    uint64_t rev;
    uint8_t mark[SEEN_MARK];
};

struct changes {
    struct arena *texts; /* and values */
    struct op *ops;
    size_t op_count, op_room;
    struct guard *guards;
    size_t guard_count, guard_room;
    size_t bytes;   /* of all values */
    enum err fault; /* the first one */
};

/* A new operation with its texts copied; NULL after a fault (then the rest is to be left out). */
struct op *changes_op(struct changes *cs, enum op_type type, unsigned code, const char *part,
                      const char *name, size_t name_max);
void changes_fault(struct changes *cs, enum err rc);
/* Serialises value behind head (its bytes come first) into the operation. */
void changes_value(struct changes *cs, struct op *op, const struct buf *head, const json_t *value);
/* The same with text that is JSON already, behind `blank` bytes of zero. */
void changes_value_text(struct changes *cs, struct op *op, size_t blank, const char *text, size_t size);
/* True if the set would write anything. */
bool changes_writes(const struct changes *cs);

#endif
