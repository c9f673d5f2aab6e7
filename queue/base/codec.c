/* codec.c: bytes to text and back. Decoders check first and write afterwards, or take back what they wrote.
 */
#include <string.h>

#include <zlib.h>

#include "queue/base/codec.h"

static const char hex_digits[] = "0123456789abcdef";

void hex_encode(const void *data, size_t size, char *out)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = hex_digits[bytes[i] >> 4];
        out[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

/* The value of a hex digit, or -1. */
static int hex_value(char c)
{
    static const int8_t values[256] = { /* one more than the value, so that what is no digit is 0 */
        ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
        ['A'] = 11, 12, 13, 14, 15, 16,
        ['a'] = 11, 12, 13, 14, 15, 16,
    };

    return values[(unsigned char)c] - 1;
}

bool hex_decode(const char *text, size_t text_len, uint8_t *out, size_t size)
{
    if (text_len % 2 != 0 || text_len / 2 != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(text[2 * i]);
        int low = hex_value(text[2 * i + 1]);
        if ((high | low) < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Adds one group of up to three bytes as up to four digits, padded to four if pad is set. */
static void add_group(struct buf *out, const uint8_t *bytes, size_t size, const char *digits, bool pad)
{
    uint32_t bits = (uint32_t)bytes[0] << 16;
    char group[4];

    bits |= size > 1 ? (uint32_t)bytes[1] << 8 : 0;
    bits |= size > 2 ? bytes[2] : 0;
    for (size_t i = 0; i < 4; i++) {
        group[i] = i <= size ? digits[bits >> (18 - 6 * i) & 63] : '=';
    }
    buf_add(out, group, pad ? 4 : size + 1);
}

static void encode_groups(struct buf *out, const void *data, size_t size, const char *digits, bool pad)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i += 3) {
        add_group(out, bytes + i, size - i < 3 ? size - i : 3, digits, pad);
    }
}

void base64_encode(struct buf *out, const void *data, size_t size)
{
    encode_groups(out, data, size, base64_digits, true);
}

void base64url_encode(struct buf *out, const void *data, size_t size)
{
    encode_groups(out, data, size, base64url_digits, false);
}

/* The value of a base 64 digit of either alphabet, or -1. */
static int base64_value(char c, bool url)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == (url ? '-' : '+')) {
        return 62;
    }
    return c == (url ? '_' : '/') ? 63 : -1;
}

/* Adds the bytes of 2 to 4 digits; refuses set bits that no byte would hold. */
static bool add_bytes(struct buf *out, const char *text, size_t digits, bool url)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text[i], url);
        if (value < 0) {
            return false;
        }
        bits |= (uint32_t)value << (18 - 6 * i);
    }
    uint8_t bytes[3] = {(uint8_t)(bits >> 16), (uint8_t)(bits >> 8), (uint8_t)bits};
    if ((digits < 4 && bytes[2] != 0) || (digits < 3 && bytes[1] != 0)) {
        return false;
    }
    buf_add(out, bytes, digits - 1);
    return buf_ok(out);
}

/* Decodes digits without padding; on a fault the buffer gets back its old length. */
static bool decode_digits(struct buf *out, const char *text, size_t len, bool url)
{
    size_t before = out->len;

    if (len % 4 == 1) {
        return false;
    }
    for (size_t i = 0; i < len; i += 4) {
        if (!add_bytes(out, text + i, len - i < 4 ? len - i : 4, url)) {
            if (out->data != NULL) {
                out->len = before;
                out->data[before] = '\0';
            }
            return false;
        }
    }
    return true;
}

bool base64_decode(struct buf *out, const char *text, size_t len)
{
    if (len % 4 != 0) {
        return false;
    }
    for (int i = 0; i < 2 && len > 0 && text[len - 1] == '='; i++) {
        len--;
    }
    return decode_digits(out, text, len, false);
}

bool base64url_decode(struct buf *out, const char *text, size_t len)
{
    return decode_digits(out, text, len, true);
}

uint32_t crc32_of(const void *data, size_t size)
{
    return (uint32_t)crc32_z(0, data, size);
}

void base62_encode(uint64_t value, char *out, size_t n)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (size_t i = n; i > 0; i--) {
        out[i - 1] = digits[value % 62];
        value /= 62;
    }
    out[n] = '\0';
}

/* RFC 3986 section 2.3 */
static bool is_unreserved(char c)
{
    bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

    return letter || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

void percent_encode(struct buf *out, const char *text, size_t len)
{
    static const char upper[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (is_unreserved(text[i])) {
            buf_addc(out, text[i]);
        } else {
            buf_add(out, (const char[]){'%', upper[byte >> 4], upper[byte & 15]}, 3);
        }
    }
}

/* Reads the two digits behind a '%' into *byte. */
static bool escape_value(const char *text, size_t left, char *byte)
{
    if (left < 3) {
        return false;
    }
    int high = hex_value(text[1]);
    int low = hex_value(text[2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) {
        return false;
    }
    *byte = (char)(high << 4 | low);
    return true;
}

bool percent_decode(struct buf *out, const char *text, size_t len, bool plus)
{
    size_t from = 0; /* what is not yet in out */

    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c != '%' && !(c == '+' && plus)) {
            continue;
        }
        buf_add(out, text + from, i - from);
        if (c == '+') {
            c = ' ';
        } else if (!escape_value(text + i, len - i, &c)) {
            return false;
        } else {
            i += 2;
        }
        buf_addc(out, c);
        from = i + 1;
    }
    buf_add(out, text + from, len - from);
    return buf_ok(out);
}

/* The size of the well-formed sequence at text (left > 0 bytes), or 0. The ranges are the rows of the
 * table in RFC 3629 section 4. */
static size_t sequence_size(const uint8_t *text, size_t left)
{
    static const struct {
        uint8_t first_low, first_high, second_low, second_high, size;
    } rows[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    if (text[0] < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (text[0] < rows[i].first_low || text[0] > rows[i].first_high) {
            continue;
        }
        size_t size = rows[i].size;
        bool good = left >= size && text[1] >= rows[i].second_low && text[1] <= rows[i].second_high;
        for (size_t k = 2; good && k < size; k++) {
            good = (text[k] & 0xc0) == 0x80;
        }
        return good ? size : 0;
    }
    return 0;
}

/* The length of the well-formed run at the start of the text. */
static size_t valid_run(const char *text, size_t len)
{
    size_t at = 0;
    uint64_t word;

    while (at < len) {
        if (len - at >= sizeof word) {
            memcpy(&word, text + at, sizeof word);
            if ((word & 0x8080808080808080u) == 0) { /* eight ASCII characters */
                at += sizeof word;
                continue;
            }
        }
        size_t size = sequence_size((const uint8_t *)text + at, len - at);
        if (size == 0) {
            break;
        }
        at += size;
    }
    return at;
}

bool utf8_valid(const char *text, size_t len)
{
    return valid_run(text, len) == len;
}

void utf8_repair(struct buf *out, const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t run = valid_run(text + at, len - at);
        buf_add(out, text + at, run);
        at += run;
        if (at < len) {
            buf_adds(out, "\xef\xbf\xbd");
            at++;
        }
    }
}

size_t utf8_prefix(const char *text, size_t len, size_t max)
{
    if (len <= max) {
        return len;
    }
    size_t end = max;
    for (int i = 0; i < 3 && end > 0 && ((uint8_t)text[end] & 0xc0) == 0x80; i++) {
        end--;
    }
    return end;
}
