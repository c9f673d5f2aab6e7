/* multipart.c: see multipart.h.
 *
 * A boundary is CR LF "--" boundary, and no byte of it but the first is a CR. So when a match breaks off, the
 * only place where another can begin is the byte that broke it: `matched` alone is the memory of the search,
 * and the bytes that only looked like a boundary are handed on out of the boundary's own text. The body
 * begins as if a CR LF had been there, because the first boundary needs none. */
#include "bridge/http/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bridge/http/http_int.h"
#include "queue/base/codec.h"

#define FIELDS_MAX  16   /* of one part */
#define OUTSIDE_MAX 4096 /* bytes before the first boundary, and behind the last */
#define PADDING_MAX 64   /* blanks behind a boundary */
#define WORD_MAX    4096 /* one parameter of a field */

/* Where the next byte stands. */
enum state {
    IN_PREAMBLE,
    IN_DATA,
    AT_BOUNDARY_END,
    AT_SECOND_DASH,
    AT_PADDING,
    AT_LINE_FEED,
    IN_HEAD,
    IN_EPILOGUE
};

struct multipart {
    const struct multipart_sink *sink;
    void *arg;
    enum state state;
    char mark[4 + MULTIPART_BOUNDARY_MAX + 1];
    size_t mark_len;
    size_t matched; /* bytes of mark seen */
    bool made_up;   /* the first two of them were not the client's */
    size_t outside;
    size_t padding;
    bool in_part; /* a part has begun and not ended */
    struct buf head;
    struct buf name, filename, type, word;
};

/* Records a refusal. */
static bool refuse(struct http_fault *fault, const char *reason)
{
    *fault = (struct http_fault){400, reason};
    return false;
}

/* ---- the boundary ---- */

/* 1 to 70 of RFC 2046's bchars, the last one no space. */
static bool is_boundary(const char *text, size_t len)
{
    if (len == 0 || len > MULTIPART_BOUNDARY_MAX || text[len - 1] == ' ' || strlen(text) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!plain && strchr("'()+_,-./:=? ", c) == NULL) {
            return false;
        }
    }
    return true;
}

bool multipart_boundary(const char *type, struct buf *boundary)
{
    static const char FORM[] = "multipart/form-data";
    const char *at = type != NULL ? type : "";
    const char *name = NULL;
    size_t len = 0;
    struct buf value;
    unsigned found = 0;
    buf_reset(boundary);
    if (strcspn(at, "; \t") != strlen(FORM) || strncasecmp(at, FORM, strlen(FORM)) != 0) {
        return true;
    }
    at += strlen(FORM);
    buf_init(&value, WORD_MAX);
    int got = words_parameter(&at, &name, &len, &value);
    for (; got == 1; got = words_parameter(&at, &name, &len, &value)) {
        if (len == 8 && strncasecmp(name, "boundary", len) == 0) {
            found++;
            buf_reset(boundary);
            buf_add(boundary, buf_str(&value), value.len);
        }
    }
    buf_fini(&value);
    return got == 0 && found == 1 && is_boundary(buf_str(boundary), boundary->len);
}

struct multipart *multipart_new(const char *boundary, const struct multipart_sink *sink, void *arg)
{
    struct multipart *m = xcalloc(1, sizeof *m);
    size_t len = strlen(boundary);
    CHECK(is_boundary(boundary, len));
    m->sink = sink;
    m->arg = arg;
    memcpy(m->mark, "\r\n--", 4);
    memcpy(m->mark + 4, boundary, len);
    m->mark_len = 4 + len;
    m->matched = 2;
    m->made_up = true;
    buf_init(&m->head, MULTIPART_HEAD_MAX);
    buf_init(&m->name, WORD_MAX);
    buf_init(&m->filename, WORD_MAX);
    buf_init(&m->type, WORD_MAX);
    buf_init(&m->word, WORD_MAX);
    return m;
}

void multipart_free(struct multipart *m)
{
    if (m == NULL) {
        return;
    }
    buf_fini(&m->head);
    buf_fini(&m->name);
    buf_fini(&m->filename);
    buf_fini(&m->type);
    buf_fini(&m->word);
    free(m);
}

/* ---- a part's head ---- */

/* Undoes what browsers do to quotes and line ends in names (WHATWG, multipart/form-data encoding). */
static void unescape(struct buf *text)
{
    static const struct {
        const char *code;
        char c;
    } rows[] = {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
    size_t to = 0;
    for (size_t from = 0; from < text->len; from++, to++) {
        char c = text->data[from];
        for (size_t i = 0; c == '%' && i < sizeof rows / sizeof *rows; i++) {
            if (strncasecmp(text->data + from, rows[i].code, 3) == 0) {
                c = rows[i].c;
                from += 2;
            }
        }
        text->data[to] = c;
    }
    if (text->data != NULL) {
        text->len = to;
        text->data[to] = '\0';
    }
}

/* Takes a parameter's value if the head has none of that name yet. */
static bool keep_word(struct multipart *m, struct buf *into, bool *seen)
{
    if (*seen) {
        return false;
    }
    *seen = true;
    buf_reset(into);
    buf_add(into, buf_str(&m->word), m->word.len);
    unescape(into);
    return true;
}

/* Turns "UTF-8''na%20me" (RFC 8187) into a file name. RFC 7578 wants none of it, some libraries send it. */
static bool keep_extended(struct multipart *m)
{
    const char *at = strchr(buf_str(&m->word), '\'');
    at = at != NULL ? strchr(at + 1, '\'') : NULL;
    if (at == NULL || strncasecmp(buf_str(&m->word), "utf-8'", 6) != 0) {
        return false;
    }
    buf_reset(&m->filename);
    for (at++; *at != '\0'; at++) {
        uint8_t byte = (uint8_t)*at;
        if (*at == '%') {
            if (strlen(at) < 3 || !hex_decode(at + 1, 2, &byte, 1) || byte == 0) {
                return false;
            }
            at += 2;
        }
        buf_addc(&m->filename, (char)byte);
    }
    return true;
}

/* Reads "form-data; name=...; filename=...". */
static bool take_disposition(struct multipart *m, const char *value, bool *is_file, struct http_fault *fault)
{
    const char *name = NULL;
    size_t len = 0;
    bool named = false;
    bool plain = false;
    bool fine = true;
    if (strncasecmp(value, "form-data", 9) != 0) {
        return refuse(fault, "a part's Content-Disposition is not form-data");
    }
    value += 9;
    int got = words_parameter(&value, &name, &len, &m->word);
    for (; fine && got == 1; got = fine ? words_parameter(&value, &name, &len, &m->word) : -1) {
        if (len == 4 && strncasecmp(name, "name", len) == 0) {
            fine = keep_word(m, &m->name, &named);
        } else if (len == 8 && strncasecmp(name, "filename", len) == 0) {
            fine = keep_word(m, &m->filename, &plain);
        } else if (len == 9 && strncasecmp(name, "filename*", len) == 0 && !plain) {
            fine = keep_extended(m);
            *is_file = true;
        }
        *is_file = *is_file || plain;
    }
    if (!fine || got != 0 || !named || !utf8_valid(buf_str(&m->name), m->name.len) ||
        strlen(buf_str(&m->name)) != m->name.len) {
        return refuse(fault, "a part's Content-Disposition names no field");
    }
    return true;
}

/* Bodies travel as they are; a part that claims otherwise would be stored wrong. */
static bool is_plain_encoding(const char *value)
{
    return strcasecmp(value, "7bit") == 0 || strcasecmp(value, "8bit") == 0 ||
           strcasecmp(value, "binary") == 0;
}

/* What one head said so far. */
struct seen {
    bool disposition, type, is_file;
};

/* Takes one field of a part's head. */
static bool take_field(struct multipart *m, const char *name, const char *value, struct seen *seen,
                       struct http_fault *fault)
{
    if (strcasecmp(name, "Content-Disposition") == 0) {
        if (seen->disposition) {
            return refuse(fault, "a part has more than one Content-Disposition");
        }
        seen->disposition = true;
        return take_disposition(m, value, &seen->is_file, fault);
    }
    if (strcasecmp(name, "Content-Type") == 0) {
        if (seen->type || strlen(value) > 255) {
            return refuse(fault, "a part's Content-Type is malformed");
        }
        seen->type = true;
        buf_adds(&m->type, value);
        return true;
    }
    if (strcasecmp(name, "Content-Transfer-Encoding") == 0 && !is_plain_encoding(value)) {
        return refuse(fault, "a part's Content-Transfer-Encoding is not binary");
    }
    return true; /* RFC 7578 section 4.8: other fields are to be ignored */
}

/* Cuts "name: value" in place; false if it is none. */
static bool cut_line(char *line, char **value)
{
    char *colon = strchr(line, ':');
    if (colon == NULL || colon == line) {
        return false;
    }
    for (const char *c = line; c < colon; c++) {
        if (!http_is_token_byte((unsigned char)*c)) {
            return false;
        }
    }
    *colon = '\0';
    char *at = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(at);
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\t')) {
        len--;
    }
    at[len] = '\0';
    *value = at;
    for (; *at != '\0'; at++) {
        if (!http_is_field_byte((unsigned char)*at)) {
            return false;
        }
    }
    return true;
}

/* Reads the whole head and hands the part on. */
static bool take_head(struct multipart *m, struct http_fault *fault)
{
    struct seen seen = {false, false, false};
    unsigned count = 0;
    buf_reset(&m->name);
    buf_reset(&m->filename);
    buf_reset(&m->type);
    if (memchr(m->head.data, '\0', m->head.len) != NULL) {
        return refuse(fault, "a part's head is malformed");
    }
    for (char *line = m->head.data; *line != '\r';) {
        char *end = strstr(line, "\r\n");
        char *value = NULL;
        CHECK(end != NULL);
        *end = '\0';
        if (++count > FIELDS_MAX || !cut_line(line, &value)) {
            return refuse(fault, "a part's head is malformed");
        }
        if (!take_field(m, line, value, &seen, fault)) {
            return false;
        }
        line = end + 2;
    }
    if (!seen.disposition) {
        return refuse(fault, "a part has no Content-Disposition");
    }
    buf_reset(&m->word);
    if (seen.is_file && m->filename.len > 0) {
        words_filename(buf_str(&m->filename), &m->word);
    }
    buf_reset(&m->head);
    m->in_part = true;
    m->state = IN_DATA;
    return m->sink->on_part(&(struct multipart_head){.name = buf_str(&m->name),
                                                     .filename = seen.is_file ? buf_str(&m->word) : NULL,
                                                     .mime_type = buf_str(&m->type)},
                            m->arg);
}

/* Takes one byte of a part's head. A head without any field ends at once. */
static bool take_head_byte(struct multipart *m, char c, struct http_fault *fault)
{
    bool lone = c == '\n' && (m->head.len == 0 || m->head.data[m->head.len - 1] != '\r');
    buf_addc(&m->head, c);
    if (lone || !buf_ok(&m->head)) {
        return refuse(fault, lone ? "a part's head is malformed" : "a part's head is too large");
    }
    size_t len = m->head.len;
    bool whole = c == '\n' && (len == 2 || (len >= 4 && memcmp(m->head.data + len - 4, "\r\n\r\n", 4) == 0));
    return !whole || take_head(m, fault);
}

/* ---- data and boundaries ---- */

/* Hands on bytes of the part, or counts those of the preamble. */
static bool emit(struct multipart *m, const char *data, size_t size, struct http_fault *fault)
{
    if (size == 0) {
        return true;
    }
    if (m->in_part) {
        return m->sink->on_data(data, size, m->arg);
    }
    m->outside += size;
    return m->outside <= OUTSIDE_MAX || refuse(fault, "there is no boundary at the body's beginning");
}

/* A whole boundary was seen: the part is over. */
static bool end_part(struct multipart *m)
{
    bool was = m->in_part;
    m->matched = 0;
    m->made_up = false;
    m->padding = 0;
    m->in_part = false;
    m->state = AT_BOUNDARY_END;
    return !was || m->sink->on_end(m->arg);
}

/* Takes bytes of a part or of the preamble up to the end or to a whole boundary; *taken says how many. */
static bool take_data(struct multipart *m, const char *data, size_t size, size_t *taken,
                      struct http_fault *fault)
{
    size_t at = 0;
    while (at < size) {
        if (m->matched == 0) {
            const char *cr = memchr(data + at, '\r', size - at);
            size_t run = cr != NULL ? (size_t)(cr - data) - at : size - at;
            if (!emit(m, data + at, run, fault)) {
                return false;
            }
            at += run;
            m->matched = cr != NULL ? 1 : 0;
            at += m->matched;
            continue;
        }
        if (data[at] == m->mark[m->matched]) {
            at++;
            if (++m->matched == m->mark_len) {
                *taken = at;
                return end_part(m);
            }
            continue;
        }
        size_t skip = m->made_up ? 2 : 0;
        size_t looked = m->matched - skip;
        m->matched = 0;
        m->made_up = false;
        if (!emit(m, m->mark + skip, looked, fault)) {
            return false;
        }
    }
    *taken = at;
    return true;
}

/* Takes one byte of the rest of a boundary's line. */
static bool take_line_byte(struct multipart *m, char c, struct http_fault *fault)
{
    if (m->state == AT_BOUNDARY_END && c == '-') {
        m->state = AT_SECOND_DASH;
    } else if (m->state == AT_SECOND_DASH && c == '-') {
        m->state = IN_EPILOGUE;
        m->outside = 0;
    } else if ((m->state == AT_BOUNDARY_END || m->state == AT_PADDING) && (c == ' ' || c == '\t') &&
               ++m->padding <= PADDING_MAX) {
        m->state = AT_PADDING;
    } else if ((m->state == AT_BOUNDARY_END || m->state == AT_PADDING) && c == '\r') {
        m->state = AT_LINE_FEED;
    } else if (m->state == AT_LINE_FEED && c == '\n') {
        m->state = IN_HEAD;
    } else {
        return refuse(fault, "a boundary's line is malformed");
    }
    return true;
}

bool multipart_take(struct multipart *m, const char *data, size_t size, struct http_fault *fault)
{
    for (size_t at = 0; at < size;) {
        size_t taken = 1;
        bool fine = true;
        if (m->state == IN_EPILOGUE) {
            m->outside += size - at;
            return m->outside <= OUTSIDE_MAX || refuse(fault, "there is too much behind the last boundary");
        }
        if (m->state == IN_PREAMBLE || m->state == IN_DATA) {
            fine = take_data(m, data + at, size - at, &taken, fault);
        } else if (m->state == IN_HEAD) {
            fine = take_head_byte(m, data[at], fault);
        } else {
            fine = take_line_byte(m, data[at], fault);
        }
        if (!fine) {
            return false;
        }
        at += taken;
    }
    return true;
}

bool multipart_end(const struct multipart *m, struct http_fault *fault)
{
    return m->state == IN_EPILOGUE || refuse(fault, "the body ends before its last boundary");
}
