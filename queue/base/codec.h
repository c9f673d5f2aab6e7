/* codec.h: bytes to text and back: hex, base64, base62, CRC-32, percent-encoding, UTF-8 check.
 *
 * Decoders are strict: a wrong length or a foreign character refuses the whole. Thread: any. */
#ifndef CHASQUI_BASE_CODEC_H
#define CHASQUI_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/buf.h"

/* out: 2 * size + 1 bytes; lower case. */
void hex_encode(const void *data, size_t size, char *out);
/* text_len must be 2 * size; upper and lower case accepted. */
bool hex_decode(const char *text, size_t text_len, uint8_t *out, size_t size);

/* Standard alphabet with padding (RFC 4648 section 4), or URL alphabet without padding (section 5). */
void base64_encode(struct buf *out, const void *data, size_t size);
void base64url_encode(struct buf *out, const void *data, size_t size);
/* Strict; returns false and adds nothing on any fault. */
bool base64_decode(struct buf *out, const char *text, size_t len);
bool base64url_decode(struct buf *out, const char *text, size_t len);

/* CRC-32 (ISO-HDLC, as zlib), and a value as exactly n base62 digits, most significant first (0-9A-Za-z). */
uint32_t crc32_of(const void *data, size_t size);
void base62_encode(uint64_t value, char *out, size_t n);

/* Adds text with everything but unreserved characters (RFC 3986) percent-encoded. */
void percent_encode(struct buf *out, const char *text, size_t len);
/* Decodes %XX once; '+' becomes a space if plus is set. False on a bad escape or an encoded NUL. */
bool percent_decode(struct buf *out, const char *text, size_t len, bool plus);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlongs). */
bool utf8_valid(const char *text, size_t len);
/* Adds the text with each byte that is no part of well-formed UTF-8 replaced by U+FFFD. */
void utf8_repair(struct buf *out, const char *text, size_t len);
/* The longest prefix of at most max bytes that does not cut a code point. */
size_t utf8_prefix(const char *text, size_t len, size_t max);

#endif
