/* keys.c: key encoding; see keys.h for the layout. */
#include <stdio.h>
#include <string.h>

#include "queue/base/crypto.h"
#include "queue/keys.h"

void key_begin(struct key *key)
{
    key->size = 0;
    key->ok = true;
}

void key_bytes(struct key *key, const void *data, size_t size)
{
    if (!key->ok || size > sizeof key->data - key->size) {
        key->ok = false;
        return;
    }
    memcpy(key->data + key->size, data, size);
    key->size += size;
}

void key_u8(struct key *key, unsigned value)
{
    uint8_t byte = (uint8_t)value;

    key_bytes(key, &byte, 1);
}

void key_u16(struct key *key, unsigned value)
{
    uint8_t bytes[2];

    put_u16(bytes, value);
    key_bytes(key, bytes, sizeof bytes);
}

void key_u32(struct key *key, uint32_t value)
{
    uint8_t bytes[4];

    put_u32(bytes, value);
    key_bytes(key, bytes, sizeof bytes);
}

void key_u64(struct key *key, uint64_t value)
{
    uint8_t bytes[8];

    put_u64(bytes, value);
    key_bytes(key, bytes, sizeof bytes);
}

void key_text(struct key *key, const char *text)
{
    key_bytes(key, text, strlen(text) + 1);
}

void key_open_text(struct key *key, const char *text)
{
    key_bytes(key, text, strlen(text));
}

void key_field(struct key *key, const char *text, bool closed)
{
    key_bytes(key, text, strnlen(text, KEY_FIELD_MAX));
    if (closed) {
        key_u8(key, 0);
    }
}

struct kv_bytes key_kv(const struct key *key)
{
    CHECK(key->ok);
    return KV_BYTES(key->data, key->size);
}

void key_record(struct key *key, enum kind kind, const char *part, const char *id)
{
    key_begin(key);
    key_u8(key, (unsigned)kind);
    key_text(key, part);
    key_open_text(key, id);
}

void key_index_prefix(struct key *key, enum index_id index, const char *part)
{
    key_begin(key);
    key_u8(key, (unsigned)index);
    key_text(key, part);
}

void key_index_entry(struct key *key, const uint8_t *entry, size_t size, const char *part, const char *id)
{
    key_index_prefix(key, (enum index_id)entry[0], part);
    key_bytes(key, entry + 1, size - 1);
    key_open_text(key, id);
}

void key_count(struct key *key, enum kind kind, enum index_id index, const char *part, const char *value)
{
    key_begin(key);
    key_u8(key, (unsigned)kind);
    key_u8(key, (unsigned)index);
    key_text(key, part);
    key_field(key, value, false);
}

void key_job_lane(struct key *key, unsigned queue, const char *part, const char *lane)
{
    key_begin(key);
    key_u8(key, queue);
    key_text(key, part);
    key_text(key, lane);
}

void key_named(struct key *key, const char *part, const char *name)
{
    key_begin(key);
    key_text(key, part);
    key_open_text(key, name);
}

void put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void put_u32(uint8_t *at, uint32_t value)
{
    put_u16(at, value >> 16);
    put_u16(at + 2, value & 0xffff);
}

void put_u64(uint8_t *at, uint64_t value)
{
    put_u32(at, (uint32_t)(value >> 32));
    put_u32(at + 4, (uint32_t)value);
}

unsigned get_u16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)get_u16(at) << 16 | get_u16(at + 2);
}

uint64_t get_u64(const uint8_t *at)
{
    return (uint64_t)get_u32(at) << 32 | get_u32(at + 4);
}

/* The text of a field's value as an index holds it, NULL if it is in no index: text, whole numbers, true and
 * false. */
static const char *field_text(const json_t *value, char number[24])
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        return json_string_value(value);
    case JSON_INTEGER:
        snprintf(number, 24, "%lld", (long long)json_integer_value(value));
        return number;
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return NULL;
    }
}

/* Adds one row's entry if the record has all of its fields. */
static void entry_add(const struct index_row *row, const json_t *body, struct buf *out)
{
    struct key key;
    uint8_t size[2];

    key_begin(&key);
    key_u8(&key, (unsigned)row->index);
    for (size_t i = 0; i < 3 && row->fields[i][0] != '\0'; i++) {
        const json_t *value = json_object_get(body, row->fields[i]);
        char number[24];
        const char *text = value != NULL ? field_text(value, number) : NULL;
        if (text == NULL) {
            return;
        }
        key_field(&key, text, true);
    }
    CHECK(key.ok);
    put_u16(size, (unsigned)key.size);
    buf_add(out, size, sizeof size);
    buf_add(out, key.data, key.size);
}

void entries_of(enum kind kind, const json_t *body, struct buf *out)
{
    for (int code = 1; code < INDEX_LAST; code++) {
        const struct index_row *row = index_row((enum index_id)code);
        if (row != NULL && row->kind == kind) {
            entry_add(row, body, out);
        }
    }
}

bool entry_next(const uint8_t **at, const uint8_t *end, struct entry *out)
{
    if (end - *at < 3) {
        return false;
    }
    out->size = get_u16(*at);
    out->data = *at + 2;
    if (out->size < 2 || (size_t)(end - out->data) < out->size) {
        return false;
    }
    *at = out->data + out->size;
    return true;
}

bool record_view(struct kv_bytes value, struct record_view *out)
{
    const uint8_t *data = value.data;

    if (value.size < RECORD_HEAD || get_u32(data + 9) > value.size - RECORD_HEAD) {
        return false;
    }
    out->raw = (data[0] & RECORD_RAW) != 0;
    out->rev = get_u64(data + 1);
    out->entries_size = get_u32(data + 9);
    out->entries = data + RECORD_HEAD;
    out->body = out->entries + out->entries_size;
    out->body_size = value.size - RECORD_HEAD - out->entries_size;
    return true;
}

void job_head_put(uint8_t out[JOB_HEAD], const struct job_head *head)
{
    put_u64(out, (uint64_t)head->due_wall);
    put_u64(out + 8, (uint64_t)head->due_mono);
    put_u64(out + 16, (uint64_t)head->delay);
    put_u64(out + 24, (uint64_t)head->pushed);
    put_u64(out + 32, head->run);
    put_u32(out + 40, head->tries);
    put_u32(out + 44, 0);
}

bool job_head_get(struct kv_bytes value, struct job_head *out)
{
    const uint8_t *data = value.data;

    if (value.size < JOB_HEAD) {
        return false;
    }
    out->due_wall = (int64_t)get_u64(data);
    out->due_mono = (int64_t)get_u64(data + 8);
    out->delay = (int64_t)get_u64(data + 16);
    out->pushed = (int64_t)get_u64(data + 24);
    out->run = get_u64(data + 32);
    out->tries = get_u32(data + 40);
    return true;
}

void seen_mark(const char *part, const char *scope, const char *id, uint8_t out[SEEN_MARK])
{
    uint8_t digest[SHA256_SIZE];
    struct buf text;

    buf_init(&text, SIZE_MAX / 2);
    buf_add(&text, part, strlen(part) + 1);
    buf_add(&text, scope, strlen(scope) + 1);
    buf_adds(&text, id);
    sha256(text.data, text.len, digest);
    memcpy(out, digest, SEEN_MARK);
    buf_fini(&text);
}
