/* words.c: parameters of fields (RFC 9110 section 5.6.6) and file names out of strange hands. */
#include "bridge/http/multipart.h"

#include <stdint.h>
#include <string.h>

#include "bridge/http/http_int.h"
#include "queue/base/codec.h"

#define FILENAME_MAX_BYTES 200
#define ENDING_MAX         16 /* ".verylongending" counts as an ending up to here */

/* Reads a quoted string behind its opening quote; false if it has no end. A backslash before anything but a
 * quote is itself: some browsers send whole Windows paths. */
static bool read_quoted(const char **at, struct buf *value)
{
    const char *c = *at;
    for (; *c != '"'; c++) {
        if (*c == '\\' && c[1] == '"') {
            c++;
        }
        if (*c == '\0') {
            return false;
        }
        buf_addc(value, *c);
    }
    *at = c + 1;
    return true;
}

/* The length of the token at the front. */
static size_t token_len(const char *at)
{
    size_t len = 0;
    while (at[len] != '\0' && http_is_token_byte((unsigned char)at[len])) {
        len++;
    }
    return len;
}

int words_parameter(const char **at, const char **name, size_t *name_len, struct buf *value)
{
    const char *c = *at + strspn(*at, " \t");
    buf_reset(value);
    if (*c == '\0') {
        return 0;
    }
    if (*c != ';') {
        return -1;
    }
    c += 1 + strspn(c + 1, " \t");
    if (*c == '\0') {
        *at = c;
        return 0; /* a semicolon at the end says nothing */
    }
    *name = c;
    *name_len = token_len(c);
    c += *name_len;
    if (*name_len == 0 || *c != '=') {
        return -1;
    }
    c++;
    if (*c == '"') {
        c++;
        if (!read_quoted(&c, value)) {
            return -1;
        }
    } else {
        size_t len = token_len(c);
        buf_add(value, c, len);
        c += len;
        if (len == 0) {
            return -1;
        }
    }
    *at = c;
    return buf_ok(value) ? 1 : -1;
}

/* The bytes of the character at the front of valid UTF-8. */
static size_t character_len(const char *at)
{
    unsigned char c = (unsigned char)*at;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* True for characters that no name needs: controls, separators, quotes that end header values, what turns the
 * direction of writing (U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069) and the byte order mark. */
static bool is_bad_character(const char *at, size_t len)
{
    const unsigned char *c = (const unsigned char *)at;
    if (len == 1) {
        return *c < ' ' || *c == 0x7f || strchr("\"<>|:*?", *c) != NULL;
    }
    if (len == 2) {
        return c[0] == 0xc2 && c[1] < 0xa0;
    }
    if (len != 3) {
        return false;
    }
    unsigned code = (unsigned)(c[0] & 0x0f) << 12 | (unsigned)(c[1] & 0x3f) << 6 | (c[2] & 0x3fu);
    return code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

/* Cuts a name that is too long before its ending. */
static void shorten(struct buf *name)
{
    const char *text = buf_str(name);
    const char *dot = strrchr(text, '.');
    size_t ending = dot != NULL && strlen(dot) <= ENDING_MAX ? strlen(dot) : 0;
    size_t keep = FILENAME_MAX_BYTES - ending;
    char tail[ENDING_MAX + 1] = "";
    memcpy(tail, text + name->len - ending, ending);
    while (keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80) {
        keep--;
    }
    name->len = keep;
    name->data[keep] = '\0';
    buf_add(name, tail, ending);
}

/* What stands behind the last separator. */
static const char *last_component(const char *said)
{
    const char *slash = strrchr(said, '/');
    said = slash != NULL ? slash + 1 : said;
    const char *back = strrchr(said, '\\');
    return back != NULL ? back + 1 : said;
}

void words_filename(const char *said, struct buf *out)
{
    const char *at = last_component(said);
    buf_reset(out);
    bool text = utf8_valid(at, strlen(at));
    at += strspn(at, ". ");
    while (*at != '\0') {
        size_t len = text ? character_len(at) : 1;
        if ((!text && (unsigned char)*at >= 0x80) || is_bad_character(at, len)) {
            buf_addc(out, '_');
        } else {
            buf_add(out, at, len);
        }
        at += len;
    }
    while (out->len > 0 && (out->data[out->len - 1] == ' ' || out->data[out->len - 1] == '.')) {
        out->data[--out->len] = '\0';
    }
    if (out->len == 0) {
        buf_adds(out, "file");
    } else if (out->len > FILENAME_MAX_BYTES) {
        shorten(out);
    }
}
