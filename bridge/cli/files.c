/* files.c: files and folders as knowledge documents; see files.h. */
#include "bridge/cli/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "queue/base/csv.h"
#include "queue/base/codec.h"

#define FILE_MAX (1u << 20) /* one document; the API's own limit is the same */
#define DEPTH_MAX 16

struct walk {
    files_fn fn;
    void *arg;
};

/* The type a file's name stands for, NULL if it is none of ours. */
static const char *type_of(const char *path)
{
    static const struct {
        const char *ending, *type;
    } rows[] = {{".md", "markdown"}, {".markdown", "markdown"}, {".txt", "text"}, {".csv", "faq"},
                 {".html", "file"}, {".htm", "file"}, {".pdf", "file"}, {".docx", "file"}, {".json", "file"}};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcasecmp(dot, rows[i].ending) == 0) {
            return rows[i].type;
        }
    }
    return NULL;
}

/* Reads a whole file; the size is checked before and while reading. */
static enum cli_exit read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return cli_fail(EXIT_FAILED, "cannot read %s: %s", path, strerror(errno));
    }
    char piece[16384];
    size_t got = 0;
    do {
        got = fread(piece, 1, sizeof(piece), file);
        buf_add(out, piece, got);
    } while (got > 0 && buf_ok(out));
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        return cli_fail(EXIT_FAILED, "cannot read %s", path);
    }
    if (!buf_ok(out)) {
        return cli_fail(EXIT_REFUSED, "%s is larger than %zu MiB", path, out->max >> 20);
    }
    return EXIT_DONE;
}

enum cli_exit files_read(const char *path, struct buf *out)
{
    return read_file(path, out);
}

/* Reads a text. */
static enum cli_exit read_text(const char *path, struct buf *out)
{
    enum cli_exit code = read_file(path, out);
    if (code == EXIT_DONE && !utf8_valid(buf_str(out), out->len)) {
        code = cli_fail(EXIT_REFUSED, "%s is not UTF-8 text", path);
    }
    return code;
}

/* The title of a text: its first Markdown heading, else the file's name without its ending. */
static char *title_of(const char *path, const char *type, const char *text)
{
    if (strcmp(type, "markdown") == 0 && text[0] == '#') {
        const char *start = text + strspn(text, "# \t");
        size_t len = strcspn(start, "\r\n");
        if (len > 0) {
            return xstrndup(start, len > 200 ? utf8_prefix(start, len, 200) : len);
        }
    }
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    const char *dot = strrchr(name, '.');
    return xstrndup(name, dot != NULL ? (size_t)(dot - name) : strlen(name));
}

/* One document of one file. */
static void give(const struct walk *walk, const char *title, const char *content, const char *type, const char *external_id)
{
    json_t *document = json_object();
    jx_set_str(document, "title", title);
    if (content != NULL) {
        jx_set_str(document, "content", content);
    }
    jx_set_str(document, "doc_type", type);
    jx_set_str(document, "external_id", external_id);
    walk->fn(document, walk->arg);
}

/* FAQ pairs of a CSV text: one document a row. */
static enum cli_exit give_csv(const struct walk *walk, const char *path, const char *text, size_t size)
{
    struct csv csv;
    csv_init(&csv, text, size);
    int question = -1, answer = -1;
    unsigned row = 0;
    while (csv_next(&csv)) {
        if (row++ == 0) {
            question = csv_column(&csv, "question");
            answer = csv_column(&csv, "answer");
            if (question < 0 || answer < 0) {
                csv_fini(&csv);
                return cli_fail(EXIT_REFUSED, "%s: the first line must name the columns question and answer", path);
            }
            continue;
        }
        const char *q = csv_field(&csv, question), *a = csv_field(&csv, answer);
        if (q[0] != '\0' && a[0] != '\0') {
            char *id = xasprintf("%s#%u", path, row);
            give(walk, q, a, "faq", id);
            free(id);
        }
    }
    csv_fini(&csv);
    return EXIT_DONE;
}

/* One file. */
static enum cli_exit walk_file(const struct walk *walk, const char *path, const char *type)
{
    struct buf text;
    if (strcmp(type, "file") == 0) {
        char *title = title_of(path, type, "");
        give(walk, title, NULL, type, path);
        free(title);
        return EXIT_DONE;
    }
    buf_init(&text, FILE_MAX);
    enum cli_exit code = read_text(path, &text);
    if (code == EXIT_DONE && strcmp(type, "faq") == 0) {
        code = give_csv(walk, path, buf_str(&text), text.len);
    } else if (code == EXIT_DONE && text.len > 0) {
        char *title = title_of(path, type, buf_str(&text));
        give(walk, title, buf_str(&text), type, path);
        free(title);
    }
    buf_fini(&text);
    return code;
}

static enum cli_exit walk_path(const struct walk *walk, const char *path, unsigned depth, bool named);

/* One folder, in the order of names. */
static enum cli_exit walk_folder(const struct walk *walk, const char *path, unsigned depth)
{
    struct dirent **names = NULL;
    int count = depth < DEPTH_MAX ? scandir(path, &names, NULL, alphasort) : 0;
    if (count < 0) {
        return cli_fail(EXIT_FAILED, "cannot read folder %s: %s", path, strerror(errno));
    }
    enum cli_exit code = EXIT_DONE;
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.' && code == EXIT_DONE) {
            size_t len = strlen(path);
            char *child = xasprintf("%.*s/%s", (int)(len > 1 && path[len - 1] == '/' ? len - 1 : len), path, names[i]->d_name);
            code = walk_path(walk, child, depth + 1, false);
            free(child);
        }
        free(names[i]);
    }
    free(names);
    return code;
}

/* A file or folder; a file found by walking is passed over when it is none of ours, a named one is an error. */
static enum cli_exit walk_path(const struct walk *walk, const char *path, unsigned depth, bool named)
{
    struct stat st;
    if (lstat(path, &st) != 0) {
        return cli_fail(EXIT_NOT_FOUND, "cannot find %s", path);
    }
    if (S_ISDIR(st.st_mode)) {
        return walk_folder(walk, path, depth);
    }
    const char *type = type_of(path);
    if (S_ISREG(st.st_mode) && type != NULL) {
        return walk_file(walk, path, type);
    }
    return named ? cli_fail(EXIT_REFUSED, "%s: only .md, .txt, .csv, .html, .pdf, .docx and .json files can be pushed", path) : EXIT_DONE;
}

enum cli_exit files_documents(const char *path, files_fn fn, void *arg)
{
    struct walk walk = {.fn = fn, .arg = arg};
    return walk_path(&walk, path, 0, true);
}
