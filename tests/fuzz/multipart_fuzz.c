/* multipart_fuzz.c: multipart/form-data bodies.
 *
 * Input: a Content-Type, a line feed, the body. A body read in one piece and the same body read byte by byte
 * must be taken or refused alike, and the same parts must come out of both. File names that come out are safe
 * to show. */
#include <stdlib.h>
#include <string.h>

#include "bridge/http/http_int.h"
#include "bridge/http/multipart.h"
#include "queue/base/codec.h"
#include "tests/fuzz/fuzz.h"

struct heard {
    struct buf text;
    bool in_part;
};

static bool on_part(const struct multipart_head *head, void *arg)
{
    struct heard *heard = arg;

    CHECK(!heard->in_part && utf8_valid(head->name, strlen(head->name)));
    heard->in_part = true;
    if (head->filename != NULL) {
        CHECK(utf8_valid(head->filename, strlen(head->filename)) && strlen(head->filename) <= 200);
        CHECK(strpbrk(head->filename, "/\\\r\n\"") == NULL && head->filename[0] != '.');
    }
    buf_addf(&heard->text, "[%s|%s|%s]", head->name, head->filename != NULL ? head->filename : "-",
             head->mime_type);
    return true;
}

static bool on_data(const void *data, size_t size, void *arg)
{
    struct heard *heard = arg;

    CHECK(heard->in_part && size > 0);
    buf_add(&heard->text, data, size);
    return true;
}

static bool on_end(void *arg)
{
    struct heard *heard = arg;

    CHECK(heard->in_part);
    heard->in_part = false;
    buf_addc(&heard->text, ';');
    return true;
}

/* Reads the body in pieces; true if it was taken. */
static bool read_in(const char *boundary, const char *body, size_t size, size_t piece, struct heard *heard)
{
    static const struct multipart_sink SINK = {on_part, on_data, on_end};
    struct http_fault fault = {0, NULL};
    struct multipart *m = multipart_new(boundary, &SINK, heard);
    bool fine = true;

    heard->in_part = false;
    buf_init(&heard->text, 4u << 20);
    for (size_t at = 0; fine && at < size; at += piece) {
        fine = multipart_take(m, body + at, size - at < piece ? size - at : piece, &fault);
    }
    fine = fine && multipart_end(m, &fault);
    CHECK(fine || (fault.status == 400 && fault.reason != NULL));
    CHECK(!fine || !heard->in_part);
    multipart_free(m);
    return fine;
}

void fuzz_one(const char *data, size_t size)
{
    struct buf boundary;
    char *type = fuzz_line(&data, &size);

    buf_init(&boundary, 256);
    if (multipart_boundary(type, &boundary) && boundary.len > 0 && size < 1u << 20) {
        struct heard whole, bytes;
        bool first = read_in(buf_str(&boundary), data, size, size > 0 ? size : 1, &whole);
        bool second = read_in(buf_str(&boundary), data, size, 1, &bytes);
        CHECK(first == second);
        CHECK(!first || (whole.text.len == bytes.text.len &&
                         memcmp(buf_str(&whole.text), buf_str(&bytes.text), whole.text.len) == 0));
        buf_fini(&whole.text);
        buf_fini(&bytes.text);
    }
    buf_fini(&boundary);
    free(type);
}
