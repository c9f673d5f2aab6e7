/* child.c: the life of the extraction child: into the cage, read the file, parse it, write the result, end.
 *
 * Its answer is one JSON object on standard output. A child that is killed, or that answers anything else, is
 * a failed file. For a PDF it becomes pdftotext, whose pages are then the answer (form feeds between them).
 */
#include "kb/source/extract.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxml/parser.h>

#include "kb/source/formats.h"
#include "kb/source/sandbox.h"

#define EXIT_CAGED   3   /* the cage could not be closed */
#define EXIT_MISSING 127 /* no pdftotext */
#define DECODED_MAX  (4u * EXTRACT_FILE_MAX)

struct child {
    enum source_format format;
    size_t output, memory;
    unsigned cpu_s, pages;
    const char *mime_type; /* "" if unknown */
    const char *base;      /* NULL: no links */
};

/* Becomes pdftotext; one page more than allowed shows that there are more. */
static int pdf_run(const struct child *child)
{
    char last[16];
    char *args[] = {"pdftotext", "-q", "-enc", "UTF-8", "-eol", "unix", "-l", last, "-", "-", NULL};
    char *environment[] = {NULL};

    snprintf(last, sizeof last, "%u", child->pages + 1);
    execve("/usr/bin/pdftotext", args, environment);
    return EXIT_MISSING;
}

/* Reads standard input to its end. */
static bool input_read(struct buf *in)
{
    char piece[65536];

    for (;;) {
        ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
        if (got == 0) {
            return buf_ok(in);
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (got > 0) {
            buf_add(in, piece, (size_t)got);
        }
    }
}

/* Writes all of it. */
static bool output_write(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t put = write(STDOUT_FILENO, text, len);
        if (put <= 0 && errno != EINTR) {
            return false;
        }
        text += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return true;
}

/* Gives the file to its parser. */
static void parse(const struct child *child, struct paper *p, const struct buf *in)
{
    struct buf text;

    if (child->format == FORMAT_DOCX) {
        source_docx(p, in->data, in->len);
        return;
    }
    if (child->format == FORMAT_SITEMAP) {
        source_sitemap(p, in->data, in->len);
        return;
    }
    buf_init(&text, DECODED_MAX);
    source_decode(in->data, in->len, child->mime_type, child->format == FORMAT_HTML, &text);
    switch (child->format) {
    case FORMAT_MARKDOWN:
        source_markdown(p, buf_str(&text), text.len);
        break;
    case FORMAT_HTML:
        source_html(p, buf_str(&text), text.len, child->base);
        break;
    case FORMAT_CSV:
        source_csv(p, buf_str(&text), text.len);
        break;
    case FORMAT_JSON:
        source_json(p, buf_str(&text), text.len);
        break;
    default:
        source_text(p, buf_str(&text), text.len);
        break;
    }
    buf_fini(&text);
}

/* Parses the input and answers. */
static int parse_run(const struct child *child)
{
    struct buf in;

    buf_init(&in, EXTRACT_FILE_MAX);
    if (!input_read(&in)) {
        return EXIT_FAILURE;
    }
    struct paper *p = paper_new(child->output);
    if (in.len > 0) {
        parse(child, p, &in);
    }
    json_t *result = paper_result(p);
    char *text = jx_text(result);
    return output_write(text, strlen(text)) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int extract_child(int argc, char **argv)
{
    if (argc != 8) {
        return 2;
    }
    struct child child = {.format = format_named(argv[1]),
                          .output = strtoul(argv[2], NULL, 10),
                          .cpu_s = (unsigned)strtoul(argv[3], NULL, 10),
                          .memory = strtoul(argv[4], NULL, 10),
                          .pages = (unsigned)strtoul(argv[5], NULL, 10),
                          .mime_type = argv[6],
                          .base = argv[7][0] != '\0' ? argv[7] : NULL};

    if (child.format == FORMAT_NONE || child.cpu_s == 0) {
        return 2;
    }
    xmlInitParser();
    bool pdf = child.format == FORMAT_PDF;
    if (chdir("/") != 0 || !sandbox_limits(child.cpu_s, child.memory) ||
        !(pdf ? sandbox_program() : sandbox_parser())) {
        return EXIT_CAGED;
    }
    _exit(pdf ? pdf_run(&child) : parse_run(&child)); /* no clean-up: the process's memory goes with it */
}
