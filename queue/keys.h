/* keys.h: how records, indexes, jobs and marks are laid out as keys and values. Private to the room.
 *
 * Numbers are big-endian, so that byte order is number order. Texts inside a key end with a NUL; no text of
 * ours holds one, so a shorter text sorts before every text it begins. record   kind u8, part, id -> flags
 * u8, rev u64, size u32, index entries, body index    index u8, part, one text for each field, id -> nothing
 *   job      queue u8, part, lane, seq u64              -> struct job_head, payload
 *   seen     bucket u16, 16 bytes of hash               -> nothing
 *   counter  part, name                                 -> i64
 *   number   part, stream                               -> u64, the last number given
 *   count    kind u8, index u8, part, first field       -> u64
 *   feed     rev u64, place in the change-set u32       -> kind u8, part, id
 * The index entries inside a record (u16 size, then index u8 and the field texts with their NULs) are what a
 * replace or a delete takes out of the index again, without reading the old JSON. */
#ifndef CHASQUI_QUEUE_KEYS_H
#define CHASQUI_QUEUE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"
#include "queue/base/json.h"
#include "queue/base/kv.h"
#include "queue/kinds.h"

#define KEY_FIELD_MAX  150 /* bytes of an index field that are kept */
#define KEY_NAME_MAX   200 /* bytes of a record id, a counter's or a stream's name */
#define RECORD_HEAD    13  /* bytes before the index entries */
#define RECORD_RAW     1   /* flag: the body is not JSON */
#define JOB_HEAD       48  /* bytes before the payload */
#define SEEN_MARK      16
#define SEEN_BUCKET_MS (4LL * 24 * 3600 * 1000)
#define SEEN_BUCKETS   2 /* older buckets that still count: 8 days at least */

/* A key under construction; ok turns false when something did not fit. */
struct key {
    uint8_t data[KV_KEY_MAX];
    size_t size;
    bool ok;
};

void key_begin(struct key *key);
void key_u8(struct key *key, unsigned value);
void key_u16(struct key *key, unsigned value);
void key_u32(struct key *key, uint32_t value);
void key_u64(struct key *key, uint64_t value);
void key_bytes(struct key *key, const void *data, size_t size);
void key_text(struct key *key, const char *text);               /* with its NUL */
void key_open_text(struct key *key, const char *text);          /* without: the last part, or a prefix */
void key_field(struct key *key, const char *text, bool closed); /* cut at KEY_FIELD_MAX; closed: with a NUL */
struct kv_bytes key_kv(const struct key *key);

void key_record(struct key *key, enum kind kind, const char *part, const char *id);
void key_index_prefix(struct key *key, enum index_id index, const char *part);
/* From an entry as stored in a record. */
void key_index_entry(struct key *key, const uint8_t *entry, size_t size, const char *part, const char *id);
void key_count(struct key *key, enum kind kind, enum index_id index, const char *part, const char *value);
void key_job_lane(struct key *key, unsigned queue, const char *part, const char *lane);
void key_named(struct key *key, const char *part, const char *name);

void put_u16(uint8_t *at, unsigned value);
void put_u32(uint8_t *at, uint32_t value);
void put_u64(uint8_t *at, uint64_t value);
unsigned get_u16(const uint8_t *at);
uint32_t get_u32(const uint8_t *at);
uint64_t get_u64(const uint8_t *at);

/* The index entries of a record, added to out. */
void entries_of(enum kind kind, const json_t *body, struct buf *out);
/* One entry after the other; false at the end. */
struct entry {
    const uint8_t *data; /* index u8, then the texts */
    size_t size;
};
bool entry_next(const uint8_t **at, const uint8_t *end, struct entry *out);

/* A stored record taken apart; false if the bytes are not one. */
struct record_view {
    bool raw;
    uint64_t rev;
    const uint8_t *entries, *body;
    size_t entries_size, body_size;
};
bool record_view(struct kv_bytes value, struct record_view *out);

/* What stands before a job's payload. A due time counts on the monotonic clock of the run that wrote it and
 * on the wall clock for every later run; delay bounds the wait if the wall clock was set back in between. */
struct job_head {
    int64_t due_wall, due_mono, delay, pushed;
    uint64_t run;
    uint32_t tries;
};
void job_head_put(uint8_t out[JOB_HEAD], const struct job_head *head);
bool job_head_get(struct kv_bytes value, struct job_head *out);

void seen_mark(const char *part, const char *scope, const char *id, uint8_t out[SEEN_MARK]);

#endif
