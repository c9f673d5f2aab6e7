/* rows.c: keys and values of the durable index. */
#include <string.h>

#include "kb/rows.h"
#include "queue/base/crypto.h"

#define CHUNK_DIGITS 26

const char *const KB_TABLE_NAMES[KB_TABLES] = {"meta", "collection", "document", "chunk", "terms", "vectors"};

enum err kb_key_named(struct kb_key *key, const char *part, const char *id)
{
    size_t part_len = strlen(part), id_len = strlen(id);

    if (part_len + 1 + id_len > sizeof key->bytes) {
        return ERR_INVALID;
    }
    memcpy(key->bytes, part, part_len + 1);
    memcpy(key->bytes + part_len + 1, id, id_len);
    key->size = part_len + 1 + id_len;
    return ERR_OK;
}

void kb_key_numbered(struct kb_key *key, uint32_t collection, uint64_t number)
{
    for (int i = 0; i < 4; i++) {
        key->bytes[i] = (uint8_t)(collection >> (24 - 8 * i));
    }
    for (int i = 0; i < 8; i++) {
        key->bytes[4 + i] = (uint8_t)(number >> (56 - 8 * i));
    }
    key->size = 12;
}

void kb_key_read(struct kv_bytes key, uint32_t *collection, uint64_t *number)
{
    const uint8_t *bytes = key.data;

    CHECK(key.size == 12);
    *collection = 0;
    *number = 0;
    for (int i = 0; i < 4; i++) {
        *collection = *collection << 8 | bytes[i];
    }
    for (int i = 4; i < 12; i++) {
        *number = *number << 8 | bytes[i];
    }
}

enum err kb_row_get(struct kv_txn *txn, enum kb_table table, const struct kb_key *key, void *row, size_t size)
{
    struct kv_bytes value;
    enum err rc = kv_get(txn, table, kb_key_bytes(key), &value);

    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size != size) {
        return ERR_CORRUPT;
    }
    memcpy(row, value.data, size);
    return ERR_OK;
}

enum err kb_meta_get(struct kv_txn *txn, const char *name, uint64_t fallback, uint64_t *out)
{
    struct kv_bytes value;
    enum err rc = kv_get(txn, KB_META, KV_BYTES(name, strlen(name)), &value);

    *out = fallback;
    if (rc == ERR_NOTFOUND) {
        return ERR_OK;
    }
    if (rc == ERR_OK && value.size != sizeof *out) {
        rc = ERR_CORRUPT;
    }
    if (rc == ERR_OK) {
        memcpy(out, value.data, sizeof *out);
    }
    return rc;
}

enum err kb_meta_put(struct kv_txn *txn, const char *name, uint64_t value)
{
    return kv_put(txn, KB_META, KV_BYTES(name, strlen(name)), KV_BYTES(&value, sizeof value));
}

/* ---- values: numbers as they are, texts with the NUL ---- */

static void add_text(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

/* A reader of one value; failed once anything was missing. */
struct reader {
    const char *at;
    size_t left;
    bool failed;
};

/* Copies size bytes out. */
static void read_bytes(struct reader *r, void *out, size_t size)
{
    if (r->failed || r->left < size) {
        r->failed = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, r->at, size);
    r->at += size;
    r->left -= size;
}

/* The text that stands next. */
static const char *read_text(struct reader *r)
{
    const char *text = r->at;
    const char *end = r->failed ? NULL : memchr(r->at, '\0', r->left);

    if (end == NULL) {
        r->failed = true;
        return "";
    }
    r->left -= (size_t)(end + 1 - r->at);
    r->at = end + 1;
    return text;
}

void kb_chunk_encode(const struct kb_chunk *chunk, struct buf *out)
{
    uint64_t offset = chunk->offset;
    uint32_t ordinal = chunk->ordinal, tokens = chunk->tokens;

    buf_add(out, &offset, sizeof offset);
    buf_add(out, &ordinal, sizeof ordinal);
    buf_add(out, &tokens, sizeof tokens);
    add_text(out, chunk->document_id);
    add_text(out, chunk->page_id != NULL ? chunk->page_id : "");
    add_text(out, chunk->title);
    add_text(out, chunk->text);
}

/* Writes 16 bytes as 26 digits of Crockford's base 32, as every other id is written. */
static void digits_write(const uint8_t bytes[16], char out[CHUNK_DIGITS + 1])
{
    static const char DIGITS[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned rest = 0, bits = 2; /* 130 bits are written: two zeros stand in front */
    size_t at = 0;

    for (size_t i = 0; i < 16; i++) {
        rest = rest << 8 | bytes[i];
        for (bits += 8; bits >= 5; bits -= 5) {
            out[at++] = DIGITS[rest >> (bits - 5) & 31u];
        }
        rest &= (1u << bits) - 1;
    }
    out[at] = '\0';
}

char *kb_chunk_id(struct arena *arena, const char *document, unsigned ordinal)
{
    uint8_t digest[SHA256_SIZE];
    char digits[CHUNK_DIGITS + 1];
    char *name = arena_printf(arena, "%s#%u", document, ordinal);

    sha256(name, strlen(name), digest);
    digits_write(digest, digits);
    return arena_printf(arena, "chk_%s", digits);
}

enum err kb_chunk_decode(struct kv_bytes value, struct arena *arena, struct kb_chunk *out)
{
    struct reader r = {value.data, value.size, false};
    uint64_t offset;
    uint32_t ordinal, tokens;

    read_bytes(&r, &offset, sizeof offset);
    read_bytes(&r, &ordinal, sizeof ordinal);
    read_bytes(&r, &tokens, sizeof tokens);
    *out = (struct kb_chunk){.offset = (size_t)offset, .ordinal = ordinal, .tokens = tokens};
    out->document_id = arena_strdup(arena, read_text(&r));
    out->page_id = arena_strdup(arena, read_text(&r));
    out->title = arena_strdup(arena, read_text(&r));
    out->text = arena_strdup(arena, read_text(&r));
    out->id = kb_chunk_id(arena, out->page_id[0] != '\0' ? out->page_id : out->document_id, ordinal);
    return r.failed ? ERR_CORRUPT : ERR_OK;
}

void kb_terms_encode(const char *document, uint32_t ordinal, const struct kb_bag *bag, struct buf *out)
{
    buf_add(out, &ordinal, sizeof ordinal);
    add_text(out, document);
    for (size_t i = 0; i < bag->count; i++) {
        const struct kb_bag_word *w = &bag->words[i];
        uint32_t count = w->count;
        buf_addc(out, (char)(uint8_t)w->len);
        while (count >= 0x80) { /* seven bits a byte, the lowest first */
            buf_addc(out, (char)(0x80 | (count & 0x7F)));
            count >>= 7;
        }
        buf_addc(out, (char)count);
        buf_add(out, kb_bag_text(bag, w), w->len);
    }
}

/* A number of seven bits a byte. */
static uint32_t read_count(struct reader *r)
{
    uint32_t count = 0;
    uint8_t byte = 0x80;

    for (unsigned shift = 0; (byte & 0x80) != 0 && shift < 32; shift += 7) {
        read_bytes(r, &byte, 1);
        count |= (uint32_t)(byte & 0x7F) << shift;
    }
    return count;
}

enum err kb_terms_decode(struct kv_bytes value, const char **document, uint32_t *ordinal, struct kb_bag *bag)
{
    struct reader r = {value.data, value.size, false};

    kb_bag_reset(bag);
    read_bytes(&r, ordinal, sizeof *ordinal);
    *document = read_text(&r);
    while (!r.failed && r.left > 0) {
        uint8_t len;
        read_bytes(&r, &len, 1);
        uint32_t count = read_count(&r);
        if (r.failed || len == 0 || len > KB_WORD_BYTES || r.left < len) {
            return ERR_CORRUPT;
        }
        kb_bag_add_word(bag, r.at, len, count);
        r.at += len;
        r.left -= len;
    }
    return r.failed ? ERR_CORRUPT : ERR_OK;
}
