/* stored_keys_fuzz.c: stored bytes taken apart: records with their index entries, heads of jobs.
 *
 * Any bytes may stand in a damaged store: they are refused or seen within their bounds. The entries made for
 * a JSON text are found again one by one, belong to their kind, and a key made of one with the longest names
 * there are says itself whether it fits. */
#include <stdlib.h>
#include <string.h>

#include "queue/keys.h"
#include "tests/fuzz/fuzz.h"

static char longest_part[PARTITION_SIZE];
static char longest_id[KEY_NAME_MAX + 1];

void fuzz_start(void)
{
    memset(longest_part, 'p', sizeof longest_part - 1);
    memset(longest_id, 'i', sizeof longest_id - 1);
}

/* Any bytes as a record. */
static void view(const char *data, size_t size)
{
    struct record_view record;
    struct entry entry;
    size_t sum = 0;

    if (!record_view(KV_BYTES(data, size), &record)) {
        return;
    }
    CHECK(RECORD_HEAD + record.entries_size + record.body_size == size);
    const uint8_t *at = record.entries;
    while (entry_next(&at, record.entries + record.entries_size, &entry)) {
        for (size_t i = 0; i < entry.size; i++) {
            sum += entry.data[i];
        }
    }
    for (size_t i = 0; i < record.body_size; i++) {
        sum += record.body[i];
    }
    CHECK(sum <= size * 255);
}

/* Any bytes as a job's head. */
static void head(const char *data, size_t size)
{
    struct job_head first, again;
    uint8_t bytes[JOB_HEAD];

    if (job_head_get(KV_BYTES(data, size), &first)) {
        job_head_put(bytes, &first);
        CHECK(memcmp(bytes, data, 44) == 0);
        CHECK(job_head_get(KV_BYTES(bytes, sizeof bytes), &again) && again.run == first.run);
    } else {
        CHECK(size < JOB_HEAD);
    }
}

/* The entries of a JSON text for one kind. */
static void entries(enum kind kind, const json_t *body)
{
    struct buf out;
    struct entry entry;
    struct key key;

    buf_init(&out, 1u << 20);
    entries_of(kind, body, &out);
    CHECK(buf_ok(&out));
    const uint8_t *at = (const uint8_t *)buf_str(&out);
    const uint8_t *end = at + out.len;
    while (entry_next(&at, end, &entry)) {
        const struct index_row *row = index_row((enum index_id)entry.data[0]);
        CHECK(row != NULL && row->kind == kind);
        CHECK(entry.data[entry.size - 1] == 0);
        key_index_entry(&key, entry.data, entry.size, longest_part, longest_id);
        size_t whole = entry.size + sizeof longest_part + KEY_NAME_MAX;
        CHECK(key.ok == (whole <= KV_KEY_MAX));
    }
    CHECK(at == end);
    buf_fini(&out);
}

void fuzz_one(const char *data, size_t size)
{
    json_t *body = NULL;

    view(data, size);
    head(data, size);
    if (jx_parse_lenient(data, size, &body) == ERR_OK) {
        for (int kind = 1; kind < KIND_LAST; kind++) {
            entries((enum kind)kind, body);
        }
        json_decref(body);
    }
}
