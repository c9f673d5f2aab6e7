/* csv.h: a reader and writer of comma-separated values (RFC 4180): quoted fields may hold commas, quotes ("") and line breaks; LF and CRLF
 * end a record; a byte-order mark is passed over. */
#ifndef CHASQUI_BASE_CSV_H
#define CHASQUI_BASE_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/buf.h"

#define CSV_COLUMNS 64

struct csv {
    const char *at, *end;
    struct buf fields;           /* the record's fields, each NUL-terminated */
    size_t starts[CSV_COLUMNS];  /* offsets into fields */
    int count;                   /* of the record read last; columns beyond CSV_COLUMNS are dropped */
};

/* text must outlive the reader. */
void csv_init(struct csv *csv, const char *text, size_t size);
void csv_fini(struct csv *csv);
/* Reads the next record that is not empty; false at the end. */
bool csv_next(struct csv *csv);
/* A field of the record read last, "" beyond its columns; good until the next csv_next. */
const char *csv_field(const struct csv *csv, int column);
/* The column of that name (any case) in the record read last, -1 if absent. */
int csv_column(const struct csv *csv, const char *name);

/* Writing: adds a cell, with a comma before it unless it is the record's first. Quoted where it must be; what a spreadsheet
 * would take for a formula (= + - @, tab, CR at its begin) gets an apostrophe before it. */
void csv_add_cell(struct buf *out, const char *text, bool first);
void csv_end_record(struct buf *out); /* CRLF */

#endif
