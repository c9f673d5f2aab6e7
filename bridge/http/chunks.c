/* chunks.c: looks at the raw bytes of a chunked body before the parser takes them (RFC 9112 section 7.1).
 *
 * The parser skips the two bytes behind a chunk without looking and reads past line feeds inside chunk
 * extensions; two servers that do so differently disagree about where the next request begins. Here each byte
 * outside the data has exactly one place where it may stand. Extensions are checked and ignored. Trailer
 * fields are checked, bounded and dropped: the parser never sees them, so none can pass for a header field.
 */
#include "bridge/http/http_int.h"

#define DIGITS_MAX    16  /* hexadecimal digits of a chunk's size */
#define EXTENSION_MAX 256 /* bytes of one chunk's extension */

/* Where the next byte stands. */
enum {
    AT_SIZE,
    AT_EXTENSION,
    AT_SIZE_LF,
    AT_DATA,
    AT_DATA_CR,
    AT_DATA_LF,
    AT_TRAILER,
    AT_TRAILER_NAME,
    AT_TRAILER_VALUE,
    AT_TRAILER_LF,
    AT_END_LF,
    AT_END
};

/* The value of a hexadecimal digit, or -1. */
static int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Records a refusal. */
static bool refuse(struct http_fault *fault, int status, const char *reason)
{
    fault->status = status;
    fault->reason = reason;
    return false;
}

/* Takes one byte of the chunk's size or the one behind it. */
static bool take_size(struct http_chunks *chunks, char c, struct http_fault *fault)
{
    int digit = digit_of(c);
    if (digit >= 0) {
        chunks->left = chunks->left * 16 + (uint64_t)digit;
        chunks->digits++;
        return chunks->digits <= DIGITS_MAX || refuse(fault, 400, "a chunk's size has too many digits");
    }
    if (chunks->digits == 0 || (c != '\r' && c != ';')) {
        return refuse(fault, 400, "a chunk's size is not a hexadecimal number");
    }
    chunks->state = c == '\r' ? AT_SIZE_LF : AT_EXTENSION;
    chunks->extra = 0;
    return true;
}

/* Takes one byte of a chunk extension. */
static bool take_extension(struct http_chunks *chunks, char c, struct http_fault *fault)
{
    if (c == '\r') {
        chunks->state = AT_SIZE_LF;
        return true;
    }
    if (!http_is_field_byte((unsigned char)c) || ++chunks->extra > EXTENSION_MAX) {
        return refuse(fault, 400, "a chunk extension is too long or holds a control byte");
    }
    return true;
}

/* Takes the line feed behind the size: data follows, or the trailers behind the last chunk. */
static bool take_size_end(struct http_chunks *chunks, char c, size_t body_max, struct http_fault *fault)
{
    if (c != '\n') {
        return refuse(fault, 400, "a chunk's size does not end in CR LF");
    }
    if (chunks->left > body_max || chunks->total + chunks->left > body_max) {
        return refuse(fault, 413, "the body is too large");
    }
    chunks->total += chunks->left;
    chunks->digits = 0;
    chunks->extra = 0;
    chunks->state = chunks->left > 0 ? AT_DATA : AT_TRAILER;
    return true;
}

/* Takes one byte of a trailer section. */
static bool take_trailer(struct http_chunks *chunks, const struct http_config *config, char c,
                         struct http_fault *fault)
{
    unsigned char byte = (unsigned char)c;
    if (++chunks->extra > config->head_max || chunks->trailers > config->fields_max) {
        return refuse(fault, 431, "the trailer fields are too large");
    }
    if (chunks->state == AT_TRAILER && c == '\r') {
        chunks->state = AT_END_LF;
    } else if (chunks->state == AT_TRAILER && http_is_token_byte(byte)) {
        chunks->state = AT_TRAILER_NAME;
        chunks->trailers++;
    } else if (chunks->state == AT_TRAILER_NAME && c == ':') {
        chunks->state = AT_TRAILER_VALUE;
    } else if (chunks->state == AT_TRAILER_VALUE && c == '\r') {
        chunks->state = AT_TRAILER_LF;
    } else if (!(chunks->state == AT_TRAILER_NAME && http_is_token_byte(byte)) &&
               !(chunks->state == AT_TRAILER_VALUE && http_is_field_byte(byte))) {
        return refuse(fault, 400, "a trailer field is malformed");
    }
    return true;
}

/* Takes a byte that can only be `want`. */
static bool take_fixed(struct http_chunks *chunks, char c, char want, int next, struct http_fault *fault)
{
    if (c != want) {
        return refuse(fault, 400, "a chunk or trailer does not end in CR LF");
    }
    chunks->state = next;
    return true;
}

/* Takes one byte that is not data. */
static bool take(struct http_chunks *chunks, const struct http_config *config, size_t body_max, char c,
                 struct http_fault *fault)
{
    switch (chunks->state) {
    case AT_SIZE:
        return take_size(chunks, c, fault);
    case AT_EXTENSION:
        return take_extension(chunks, c, fault);
    case AT_SIZE_LF:
        return take_size_end(chunks, c, body_max, fault);
    case AT_DATA_CR:
        return take_fixed(chunks, c, '\r', AT_DATA_LF, fault);
    case AT_DATA_LF:
        return take_fixed(chunks, c, '\n', AT_SIZE, fault);
    case AT_TRAILER_LF:
        return take_fixed(chunks, c, '\n', AT_TRAILER, fault);
    case AT_END_LF:
        return take_fixed(chunks, c, '\n', AT_END, fault);
    default:
        return take_trailer(chunks, config, c, fault);
    }
}

/* Goes on where the last call stopped. */
enum http_verdict http_chunks_scan(struct http_chunks *chunks, const struct http_config *config,
                                   size_t body_max, const char *data, size_t len, size_t *taken, size_t *feed,
                                   struct http_fault *fault)
{
    size_t at = 0;
    *feed = 0;
    while (at < len && chunks->state != AT_END) {
        if (chunks->state == AT_DATA) {
            size_t run = len - at < chunks->left ? len - at : (size_t)chunks->left;
            chunks->left -= run;
            chunks->state = chunks->left == 0 ? AT_DATA_CR : AT_DATA;
            at += run;
            *feed = at;
            continue;
        }
        bool ours = chunks->state < AT_TRAILER;
        if (!take(chunks, config, body_max, data[at], fault)) {
            return HTTP_REFUSED;
        }
        at++;
        if (ours) {
            *feed = at;
        }
    }
    *taken = at;
    return chunks->state == AT_END ? HTTP_DONE : HTTP_MORE;
}
