/* codec_fuzz.c: hex, base 64 in both alphabets, percent-encoding, UTF-8, ids.
 *
 * Encoding and decoding lead back to the same bytes; a text that a decoder takes is the one the encoder would
 * have written (hex digits and escapes in either case); repaired text is well-formed. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "queue/base/codec.h"
#include "queue/base/id.h"
#include "tests/fuzz/fuzz.h"

static bool same(const struct buf *b, const char *data, size_t size)
{
    return buf_ok(b) && b->len == size && (size == 0 || memcmp(b->data, data, size) == 0);
}

static void hex(const char *data, size_t size)
{
    char *text = xmalloc(2 * size + 1);
    uint8_t *bytes = xmalloc(size + 1);

    hex_encode(data, size, text);
    CHECK(hex_decode(text, 2 * size, bytes, size) && memcmp(bytes, data, size) == 0);
    if (hex_decode(data, size, bytes, size / 2)) {
        hex_encode(bytes, size / 2, text);
        CHECK(strncasecmp(text, data, size) == 0);
    }
    free(bytes);
    free(text);
}

static void base64(const char *data, size_t size, void (*encode)(struct buf *, const void *, size_t),
                   bool (*decode)(struct buf *, const char *, size_t))
{
    struct buf text, back;

    buf_init(&text, 2 * size + 8);
    buf_init(&back, 2 * size + 8);
    encode(&text, data, size);
    CHECK(buf_ok(&text) && decode(&back, buf_str(&text), text.len) && same(&back, data, size));
    buf_reset(&text);
    buf_reset(&back);
    if (decode(&back, data, size)) {
        encode(&text, back.data != NULL ? back.data : "", back.len);
        CHECK(same(&text, data, size));
    } else {
        CHECK(back.len == 0);
    }
    buf_fini(&text);
    buf_fini(&back);
}

static void percent(const char *data, size_t size)
{
    struct buf text, back;

    buf_init(&text, 3 * size + 1);
    buf_init(&back, 3 * size + 1);
    percent_encode(&text, data, size);
    bool taken = percent_decode(&back, buf_str(&text), text.len, false);
    CHECK(taken == (memchr(data, '\0', size) == NULL));
    CHECK(!taken || same(&back, data, size));
    for (int plus = 0; plus < 2; plus++) {
        buf_reset(&back);
        CHECK(!percent_decode(&back, data, size, plus == 1) || back.len <= size);
    }
    buf_fini(&text);
    buf_fini(&back);
}

static void utf8(const char *data, size_t size)
{
    struct buf fixed;

    buf_init(&fixed, 3 * size + 1);
    utf8_repair(&fixed, data, size);
    CHECK(buf_ok(&fixed) && utf8_valid(buf_str(&fixed), fixed.len));
    CHECK(!utf8_valid(data, size) || same(&fixed, data, size));
    for (size_t max = 0; max <= size && max < 40; max++) {
        size_t n = utf8_prefix(buf_str(&fixed), fixed.len, max);
        CHECK(n <= max && n + 3 >= (max < fixed.len ? max : fixed.len));
        CHECK(utf8_valid(buf_str(&fixed), n));
        CHECK(utf8_prefix(data, size, max) <= max);
    }
    buf_fini(&fixed);
}

static void ids(const char *data, size_t size)
{
    char *text = fuzz_text(data, size);

    CHECK(!id_is(text, "msg") || (strlen(text) == 30 && id_time_ms(text) >= 0));
    CHECK(id_time_ms(text) >= -1);
    free(text);
}

void fuzz_one(const char *data, size_t size)
{
    hex(data, size);
    base64(data, size, base64_encode, base64_decode);
    base64(data, size, base64url_encode, base64url_decode);
    percent(data, size);
    utf8(data, size);
    ids(data, size);
}
