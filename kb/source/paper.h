/* paper.h: what a parser writes on: blocks of text that become Markdown in sections.
 *
 * A parser says what it meets (heading, item, row, text); the paper folds white space, keeps the path of open
 * headings and cuts a new section at a block's end once the open one is long enough. A section that begins
 * below headings repeats them, one that begins inside a table repeats the table's head. Once the text
 * outgrows its bound, or a call finds something that cannot be, the paper is full or refused and takes
 * nothing more. Thread: one at a time. */
#ifndef CHASQUI_KB_SOURCE_PAPER_H
#define CHASQUI_KB_SOURCE_PAPER_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/json.h"

struct paper;

/* max: bytes of text in all. */
struct paper *paper_new(size_t max);
void paper_free(struct paper *p);

/* Text of the open block. Runs of white space become one space. */
void paper_text(struct paper *p, const char *text, size_t len);
/* Text of the open block as it is, line feeds kept (code, plain text). */
void paper_raw(struct paper *p, const char *text, size_t len);
/* Ends the open block; harmless when it is empty. */
void paper_block(struct paper *p);
/* What comes until the next block end is a heading of this level (1..6), or a list item at this depth (from
 * 0). */
void paper_heading(struct paper *p, unsigned level);
void paper_item(struct paper *p, unsigned depth);
/* Tables; a table inside a cell is read as text of the cell. */
void paper_table_start(struct paper *p);
void paper_row(struct paper *p);
void paper_cell(struct paper *p);
void paper_table_end(struct paper *p);

/* The document's own title; the first one stays. */
void paper_title(struct paper *p, const char *text, size_t len);
/* An address found, each once. At most PAPER_LINKS are kept. */
#define PAPER_LINKS 5000
void paper_link(struct paper *p, const char *url);
/* Why the file cannot be read, one sentence; the first one stays. */
void paper_refuse(struct paper *p, const char *reason);
/* True if nothing more is taken. */
bool paper_done(const struct paper *p);

/* What was read: {"ok", "reason"?, "title", "sections": [{"title", "text"}], "links": []}. New reference. */
json_t *paper_result(struct paper *p);

#endif
