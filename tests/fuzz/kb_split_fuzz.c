/* kb_split_fuzz.c: a document cut into passages, in each of the three ways.
 *
 * Passages are ranges of the text in order, never empty, never over one another, never larger than the bound,
 * and nothing but white space and headings stands between them. Sentences go forward to the end. */
#include <string.h>

#include "kb/split.h"
#include "tests/fuzz/fuzz.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

/* True if all of the range is white space. */
static bool blank(const char *text, size_t from, size_t to)
{
    while (from < to && is_blank(text[from])) {
        from++;
    }
    return from == to;
}

static void split(const char *text, size_t len, enum kb_split_mode mode)
{
    struct arena *arena = arena_new(64u << 20);
    struct kb_passages passages;
    size_t end = 0;

    kb_split(text, len, mode, arena, &passages);
    for (size_t i = 0; i < passages.count; i++) {
        const struct kb_passage *p = &passages.rows[i];
        CHECK(p->size > 0 && p->offset >= end && p->offset <= len && p->size <= len - p->offset);
        CHECK(p->size <= (mode == KB_SPLIT_WHOLE ? KB_FAQ_MAX : KB_PASSAGE_MAX));
        CHECK(p->heading != NULL && (mode == KB_SPLIT_MARKDOWN || p->heading[0] == '\0'));
        CHECK(mode == KB_SPLIT_MARKDOWN || blank(text, end, p->offset));
        end = p->offset + p->size;
    }
    CHECK(mode == KB_SPLIT_MARKDOWN || blank(text, end, len));
    arena_free(arena);
}

static void sentences(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t end = kb_sentence_end(text, len, at);
        CHECK(end <= len && (end > at || text[at] == '\n'));
        at = end == at ? at + 1 : end;
    }
}

void fuzz_one(const char *data, size_t size)
{
    split(data, size, KB_SPLIT_PLAIN);
    split(data, size, KB_SPLIT_MARKDOWN);
    split(data, size, KB_SPLIT_WHOLE);
    sentences(data, size);
}
