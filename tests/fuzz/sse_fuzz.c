/* sse_fuzz.c: a stream of server-sent events. However it is cut into pieces, the same events come out. */
#include <stdlib.h>
#include <string.h>

#include "agent/model/sse.h"
#include "tests/fuzz/fuzz.h"

#define STORY_MAX (16u << 20)

static bool on_event(const char *event, const char *data, size_t size, void *arg)
{
    struct buf *story = arg;

    CHECK(data[size] == '\0');
    buf_addf(story, "%zu:%s=%zu:", strlen(event), event, size);
    buf_add(story, data, size);
    return size < 7 || memcmp(data, "[ENOUGH", 7) != 0;
}

/* Gives the stream in pieces of n bytes (the last is shorter), the first of them cut after `first` bytes. */
static enum err play(const char *data, size_t size, size_t first, size_t n, struct buf *story)
{
    struct sse sse;
    enum err rc = ERR_OK;

    buf_init(story, STORY_MAX);
    sse_init(&sse, on_event, story);
    for (size_t at = 0; at < size && rc == ERR_OK;) {
        size_t want = at == 0 ? first : n;
        size_t len = size - at < want ? size - at : want;
        char *piece = xmalloc(len);
        memcpy(piece, data + at, len);
        rc = sse_feed(&sse, piece, len);
        free(piece);
        at += len;
    }
    sse_end(&sse);
    sse_fini(&sse);
    CHECK(buf_ok(story));
    return rc;
}

static void play_again(const char *data, size_t size, size_t first, size_t n, const struct buf *want)
{
    struct buf story;

    CHECK(play(data, size, first, n, &story) == ERR_OK);
    CHECK(story.len == want->len && strcmp(buf_str(&story), buf_str(want)) == 0);
    buf_fini(&story);
}

void fuzz_one(const char *data, size_t size)
{
    struct buf story;

    if (size == 0) {
        return;
    }
    CHECK(play(data, size, size, size, &story) == ERR_OK);
    play_again(data, size, 1, 1, &story);
    play_again(data, size, 1 + fuzz_pick(data, size, 1, size), 1 + fuzz_pick(data, size, 2, size), &story);
    buf_fini(&story);
}
