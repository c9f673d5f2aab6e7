/* sse_test.c: framing of server-sent events, cut at every byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/model/sse.h"

/* Writes each event as "event=data;". */
static bool record(const char *event, const char *data, size_t size, void *arg)
{
    struct buf *out = arg;

    buf_addf(out, "%s=", event);
    buf_add(out, data, size);
    buf_addc(out, ';');
    return strcmp(data, "stop") != 0;
}

static const struct {
    const char *label, *stream, *want;
} rows[] = {
    {"one event", "data: a\n\n", "=a;"},
    {"no space after the colon", "data:a\n\n", "=a;"},
    {"only one space goes", "data:  a\n\n", "= a;"},
    {"CR LF", "data: a\r\n\r\ndata: b\r\n\r\n", "=a;=b;"},
    {"CR alone", "data: a\r\rdata: b\r\r", "=a;=b;"},
    {"several data lines", "data: a\ndata: b\n\n", "=a\nb;"},
    {"named event", "event: error\ndata: x\n\n", "error=x;"},
    {"the name does not stay", "event: e\ndata: x\n\ndata: y\n\n", "e=x;=y;"},
    {"comments", ": keep alive\n\n:\ndata: a\n: x\n\n", "=a;"},
    {"id, retry and unknown fields", "id: 7\nretry: 5\nfoo: bar\ndata: a\n\n", "=a;"},
    {"no end line", "data: a\n\ndata: b", "=a;=b;"},
    {"no empty line", "data: a\n", "=a;"},
    {"empty data", "data:\n\n", "=;"},
    {"field without a colon", "data\n\n", "=;"},
    {"byte order mark",
     "\xef\xbb\xbf"
     "data: a\n\n",
     "=a;"},
    {"many bytes to a character", "data: gr\xc3\xbc\xc3\x9f \xe6\x97\xa5\n\n",
     "=gr\xc3\xbc\xc3\x9f \xe6\x97\xa5;"},
    {"nothing after stop", "data: stop\n\ndata: b\n\n", "=stop;"},
    {"mixed ends", "data: a\r\ndata: b\n\r\ndata: c\r\r", "=a\nb;=c;"},
    {"nothing", "", ""},
};

/* Feeds the stream in the given pieces. */
static void feed(const char *stream, size_t first, size_t piece, struct buf *out)
{
    struct sse s;
    size_t size = strlen(stream);

    sse_init(&s, record, out);
    for (size_t at = 0; at < size;) {
        size_t n = at == 0 && first > 0 ? first : piece;
        n = n < size - at ? n : size - at;
        assert_int_equal(sse_feed(&s, stream + at, n), ERR_OK);
        at += n;
    }
    sse_end(&s);
    sse_fini(&s);
}

static void framing_at_every_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t size = strlen(rows[i].stream);
        for (size_t cut = 0; cut <= size; cut++) {
            struct buf out;
            buf_init(&out, 4096);
            feed(rows[i].stream, cut, size, &out);
            if (strcmp(buf_str(&out), rows[i].want) != 0) {
                fail_msg("%s, cut at %zu: %s", rows[i].label, cut, buf_str(&out));
            }
            buf_fini(&out);
        }
    }
}

static void framing_byte_by_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, 4096);
        feed(rows[i].stream, 1, 1, &out);
        assert_string_equal(buf_str(&out), rows[i].want);
        buf_fini(&out);
    }
}

static void one_event_is_bounded(void **state)
{
    struct sse s;
    struct buf out;
    char *block = malloc(64u << 10);
    enum err rc = ERR_OK;

    (void)state;
    memset(block, 'x', 64u << 10);
    buf_init(&out, 1024);
    sse_init(&s, record, &out);
    assert_int_equal(sse_feed(&s, "data: ", 6), ERR_OK);
    for (int i = 0; i < 8 && rc == ERR_OK; i++) {
        rc = sse_feed(&s, block, 64u << 10);
    }
    assert_int_equal(rc, ERR_LIMIT);
    sse_end(&s);
    assert_int_equal(out.len, 0);
    sse_fini(&s);
    buf_fini(&out);
    free(block);
}

static void the_stream_is_bounded(void **state)
{
    struct sse s;
    struct buf out;
    enum err rc = ERR_OK;
    char line[1024];

    (void)state;
    memset(line, ':', sizeof line);
    line[sizeof line - 1] = '\n';
    buf_init(&out, 1024);
    sse_init(&s, record, &out);
    size_t fed = 0;
    while (rc == ERR_OK && fed < 8u << 20) {
        rc = sse_feed(&s, line, sizeof line);
        fed += sizeof line;
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_true(fed <= SSE_STREAM_MAX + sizeof line);
    sse_fini(&s);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(framing_at_every_cut),
        cmocka_unit_test(framing_byte_by_byte),
        cmocka_unit_test(one_event_is_bounded),
        cmocka_unit_test(the_stream_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
