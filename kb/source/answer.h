/* answer.h: what an extraction child said, or why it said nothing; private to extract.c. Thread: any. */
#ifndef CHASQUI_KB_SOURCE_ANSWER_H
#define CHASQUI_KB_SOURCE_ANSWER_H

#include "kb/source/extract.h"
#include "kb/source/formats.h"
#include "queue/base/arena.h"

/* A child that ended by itself. */
struct child_end {
    enum source_format format;
    int status;     /* as waitpid tells it */
    bool encrypted; /* a PDF that says so */
    bool links;     /* links were asked for: sections may lack */
    unsigned pages; /* the limit */
    const struct buf *answer;
};
/* Fills the result, whose format is set. Texts live in the arena or in the value that comes back (may be
 * NULL), which the caller releases. */
json_t *child_answer(const struct child_end *child, struct arena *arena, struct extract_result *result);

#endif
