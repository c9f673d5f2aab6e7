/* chat_reader_fuzz.c: what a model server answers, of both kinds, whole or as a stream.
 *
 * Input: a line with the HTTP status, then the body; the same line is also read as a Retry-After field.
 * However the body is cut into pieces, the same text and the same class come out, and a text with a class of
 * success is not blank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/model/call.h"
#include "tests/fuzz/fuzz.h"

struct outcome {
    struct buf text;
    enum model_class class;
    bool truncated;
    char param[CHAT_NAME_SIZE];
    struct model_usage usage;
};

static void on_text(const char *text, size_t size, void *arg)
{
    struct outcome *outcome = arg;

    buf_add(&outcome->text, text, size);
}

/* The kind of server that the body is read as. */
static chat_take_fn take = chat_reader_take;

/* Gives the body in pieces of n bytes, the first of them `first` bytes long. */
static void play(const char *data, size_t size, long status, size_t first, size_t n, struct outcome *out)
{
    struct chat_reader reader;
    bool more = true;

    memset(out, 0, sizeof *out);
    buf_init(&out->text, 2 * MODEL_TEXT_MAX);
    chat_reader_init(&reader, take, on_text, out);
    for (size_t at = 0; at < size && more;) {
        size_t want = at == 0 ? first : n;
        size_t len = size - at < want ? size - at : want;
        char *piece = xmalloc(len);
        memcpy(piece, data + at, len);
        more = chat_reader_feed(&reader, piece, len, status);
        free(piece);
        at += len;
    }
    out->class = chat_reader_end(&reader, MODEL_OK, status);
    out->truncated = reader.truncated;
    out->usage = reader.usage;
    snprintf(out->param, sizeof out->param, "%s", reader.param);
    CHECK(out->class < MODEL_CLASS_COUNT && buf_ok(&out->text));
    CHECK(out->class != MODEL_OK || reader.visible || reader.calls.count > 0);
    chat_reader_fini(&reader);
}

static void play_again(const char *data, size_t size, long status, size_t first, size_t n,
                       const struct outcome *want)
{
    struct outcome got;

    play(data, size, status, first, n, &got);
    CHECK(got.class == want->class && got.truncated == want->truncated);
    CHECK(strcmp(got.param, want->param) == 0);
    CHECK(got.usage.known == want->usage.known && got.usage.output == want->usage.output);
    CHECK(got.text.len == want->text.len);
    CHECK(memcmp(buf_str(&got.text), buf_str(&want->text), got.text.len) == 0);
    buf_fini(&got.text);
}

void fuzz_one(const char *data, size_t size)
{
    struct outcome whole;
    char *line = fuzz_line(&data, &size);
    long status = strtol(line, NULL, 10);

    CHECK(model_retry_after(NULL, line, 1767225600000) >= -1);
    CHECK(model_retry_after(line, NULL, 0) >= -1);
    if (status < 200 || status > 599) {
        status = 200;
    }
    const chat_take_fn kinds[] = {chat_reader_take, anthropic_wire.take};
    for (size_t i = 0; size > 0 && i < sizeof kinds / sizeof *kinds; i++) {
        take = kinds[i];
        play(data, size, status, size, size, &whole);
        play_again(data, size, status, 1, 1, &whole);
        play_again(data, size, status, 1 + fuzz_pick(data, size, 1, size), 1 + fuzz_pick(data, size, 2, size),
                   &whole);
        buf_fini(&whole.text);
    }
    free(line);
}
