/* extract.h: the text of one file, read by a short-lived child process that may do nothing else.
 *
 * Files of customers are hostile until proven otherwise, and parsers have faults. So every file is taken
 * apart by our own binary started anew ("chasqui extract FORMAT"): empty environment, working directory "/",
 * the file as its standard input and nothing else open, limits on processor time, memory, file size and
 * descriptors, no new privileges, a system call filter without network, files or processes; killed when its
 * time is up. A PDF is handed on to pdftotext under the same limits and a filter without network. Whatever
 * becomes of the child, the caller gets one answer: sections of text, or the reason in words that a person
 * can act on.
 *
 * Text is Markdown: headings, list items and table rows keep their marks, so that the splitter sees them. A
 * section is a page of a PDF, or a part of at most EXTRACT_SECTION bytes that begins with the headings it
 * stands under.
 *
 * Formats are told by the bytes first, then by name and type: text (UTF-8, UTF-16 with its mark, Latin-1),
 * Markdown, HTML, PDF, DOCX, CSV and JSON (question and answer columns, lists of objects). Threads: a run
 * belongs to one loop. */
#ifndef CHASQUI_KB_SOURCE_EXTRACT_H
#define CHASQUI_KB_SOURCE_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/base/error.h"

struct loop;

#define EXTRACT_FILE_MAX (25u << 20) /* bytes of a file */
#define EXTRACT_SECTION  (32u << 10) /* goal for the bytes of one section */

struct extract_limits {
    int wall_ms;    /* 0: 30,000 */
    int cpu_s;      /* 0: 10 */
    size_t memory;  /* bytes of address space; 0: 256 MiB */
    size_t output;  /* bytes of text; 0: 8 MiB */
    unsigned pages; /* of a PDF; 0: 2,000 */
};

/* The file: its bytes (copied before the call returns), or, with bytes NULL, the path of a regular file (a
 * symbolic link is refused). mime_type and filename are hints, may be NULL. */
struct extract_request {
    const void *bytes;
    size_t size;
    const char *path;
    const char *mime_type, *filename;
    const char *base;                    /* collect links, relative to this address; NULL: no */
    bool sitemap;                        /* the file must be a sitemap: only links are wanted */
    const struct extract_limits *limits; /* NULL: the defaults */
};

struct extract_section {
    const char *title; /* the headings it begins under, " > " between; "" if none */
    const char *text;  /* Markdown, UTF-8, never empty */
    unsigned page;     /* page number from 1, 0 where the format has none */
};

/* Good until done returns. */
struct extract_result {
    bool ok;
    const char *reason; /* one sentence for the owner of the file, when not ok; "" otherwise */
    const char *format; /* "text", "markdown", "html", "pdf", "docx", "csv", "json"; "" if it was none */
    const char *title;  /* of the document; "" if it has none */
    const struct extract_section *sections; /* at least one when ok, unless links were asked for */
    size_t count;
    const char *const *links; /* absolute http and https addresses, each once */
    size_t link_count;
};
typedef void (*extract_done_fn)(const struct extract_result *result, void *arg);

/* On the loop's thread. done(result, arg) comes exactly once, on that thread, never inside this call: also
 * for a file that cannot be opened or is too large. Returns the run's number, never 0. At most
 * EXTRACT_AT_ONCE children run in a process; the rest wait their turn. */
#define EXTRACT_AT_ONCE 4
uint64_t extract_start(struct loop *loop, const struct extract_request *request, extract_done_fn done,
                       void *arg);
/* Kills the child; done is not called any more. A number that ended does nothing. On the loop's thread. */
void extract_cancel(uint64_t number);

/* The child's whole life: "extract FORMAT OUTPUT CPU MEMORY PAGES TYPE BASE" as its arguments. Returns its
 * exit code.
 */
int extract_child(int argc, char **argv);
/* The program to start instead of this one (tests); NULL: this one. Before the first start; borrowed. */
void extract_program(const char *path);

#endif
