/* split.h: cuts a document's text into passages: at headings, paragraphs, list items, sentences, in that
 * order.
 *
 * A passage is a range of the text, so that it can be shown in place; one that goes on with a table names the
 * range of the table's head too. Sizes are bytes. Thread: any. */
#ifndef CHASQUI_KB_SPLIT_H
#define CHASQUI_KB_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/arena.h"

#define KB_PASSAGE_GOAL 1200 /* neighbours are joined up to this size */
#define KB_PASSAGE_MAX  2400 /* longer paragraphs are cut at sentences, lines or words */
#define KB_FAQ_MAX      8000 /* an answer up to this size stays in one piece */

struct kb_passage {
    size_t offset, size;
    const char *heading;    /* headings above it, " > " between; "" if none. In the arena */
    size_t head, head_size; /* the head rows of a table whose later rows these are; size 0: none */
};
struct kb_passages {
    struct kb_passage *rows; /* in the arena */
    size_t count, room;
};

enum kb_split_mode { KB_SPLIT_PLAIN, KB_SPLIT_MARKDOWN, KB_SPLIT_WHOLE };
void kb_split(const char *text, size_t len, enum kb_split_mode mode, struct arena *arena,
              struct kb_passages *out);

/* The end of the sentence that starts at `at` (behind its closing mark), at most len. */
size_t kb_sentence_end(const char *text, size_t len, size_t at);

#endif
