/* option_file.c: the INI file, read by libinih line by line.
 *
 * Any fault refuses the whole file, with the place: a half-understood configuration is worse than none. The
 * lines come from our own reader for three reasons: the handler is not told line numbers, so the reader
 * counts them; the library cuts a long line in two, so the reader refuses it; and an indented line would
 * continue the value above it, so the reader takes leading blanks away. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "queue/base/option_int.h"

struct reading {
    FILE *file;
    const char *path;
    struct option_layer *layer;
    struct buf *why; /* may be NULL */
    int line;        /* of the line read last */
    enum err rc;     /* the first fault; the rest is not looked at */
};

/* Starts the sentence of the first fault: "PATH:LINE: ". */
static struct buf *fault(struct reading *r)
{
    r->rc = ERR_INVALID;
    if (r->why != NULL) {
        buf_addf(r->why, "%s:%d: ", r->path, r->line);
    }
    return r->why;
}

/* A whole sentence of the first fault. */
static void fault_text(struct reading *r, const char *text)
{
    struct buf *why = fault(r);

    if (why != NULL) {
        buf_adds(why, text);
    }
}

/* Takes one character of a line; false if it ends the line or is refused. */
static bool take_char(struct reading *r, int c, char *line, size_t room, size_t *len)
{
    if (c == '\n' || c == EOF) {
        return false;
    }
    if (c == '\r' || ((c == ' ' || c == '\t') && *len == 0)) {
        return true;
    }
    if ((c < 0x20 && c != '\t') || c == 0x7f) {
        fault_text(r, "a control character");
        return false;
    }
    if (*len == room - 1) {
        fault_text(r, "the line is too long: 199 characters at most");
        return false;
    }
    line[(*len)++] = (char)c;
    return true;
}

/* The library's source of lines, in the manner of fgets; a fault ends the file. */
static char *read_line(char *line, int room, void *arg)
{
    struct reading *r = arg;
    size_t len = 0;
    int c;

    if (r->rc != ERR_OK) {
        return NULL;
    }
    r->line++;
    do {
        c = getc(r->file);
    } while (take_char(r, c, line, (size_t)room, &len));
    line[len] = '\0';
    if (r->rc == ERR_OK && ferror(r->file)) {
        fault_text(r, "cannot be read");
        r->rc = ERR_IO;
    }
    return r->rc != ERR_OK || (c == EOF && len == 0) ? NULL : line;
}

static void fault_unknown(struct reading *r, const char *name)
{
    char near[OPTION_NAME_MAX];
    struct buf *why = fault(r);

    option_nearest(name, OPTION_FORM_KEY, near);
    if (why != NULL) {
        buf_addf(why, "there is no option %s; did you mean %s?", name, near);
    }
}

/* Checks one value and puts it into the layer. */
static void take_value(struct reading *r, enum option_id id, const char *name, const char *value)
{
    struct buf rest;
    int64_t number;

    if (r->layer->text[id] != NULL) {
        struct buf *why = fault(r);
        if (why != NULL) {
            buf_addf(why, "%s is given twice", name);
        }
        return;
    }
    buf_init(&rest, 1024);
    if (option_value_parse(option_row(id), value, &number, &rest) == ERR_OK) {
        r->layer->text[id] = xstrdup(value);
    } else {
        struct buf *why = fault(r);
        if (why != NULL) {
            buf_addf(why, "%s %s", name, buf_str(&rest));
        }
    }
    buf_fini(&rest);
}

/* The library's callback for key = value; zero reports a fault. */
static int on_pair(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *r = arg;
    enum option_id id;

    if (r->rc != ERR_OK) {
        return 0;
    }
    if (section[0] == '\0') {
        fault_text(r, "a key before the first [section]");
        return 0;
    }
    char *name = xasprintf("%s.%s", section, key);
    if (option_find(name, OPTION_FORM_KEY, &id)) {
        take_value(r, id, name, value);
    } else {
        fault_unknown(r, name);
    }
    free(name);
    return r->rc == ERR_OK;
}

/* Parses the open file. A fault that neither the reader nor the callback saw is one of syntax, and then the
 * library's answer is its line. */
static enum err parse(struct reading *r)
{
    int line = ini_parse_stream(read_line, r, on_pair, r);

    if (line > 0 && (r->rc == ERR_OK || line < r->line)) {
        if (r->why != NULL) {
            buf_reset(r->why);
        }
        r->line = line;
        fault_text(r, "neither [section] nor key = value");
    } else if (line < 0 && r->rc == ERR_OK) {
        fault_text(r, "no memory");
        r->rc = ERR_NOMEM;
    }
    return r->rc;
}

enum err option_file_read(const char *path, struct option_layer *layer, struct buf *why)
{
    struct reading r = {.path = path, .layer = layer, .why = why, .file = fopen(path, "re")};

    if (r.file == NULL) {
        enum err rc = err_from_errno(errno);
        if (why != NULL) {
            buf_addf(why, "%s: cannot be opened: %s", path, err_text(rc));
        }
        return rc;
    }
    enum err rc = parse(&r);
    fclose(r.file);
    return rc;
}
