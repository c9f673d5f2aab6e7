/* eval_set.c: reading the files of an evaluation folder. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kb/eval_int.h"

void kb_eval_set_fini(struct kb_eval_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        free(set->rows[i].query);
        free(set->rows[i].document);
    }
    free(set->rows);
    kb_index_free(set->index);
    *set = (struct kb_eval_set){0};
}

/* Opens a file of the folder, or says why not. */
static FILE *file_open(const char *dir, const char *name, struct buf *why)
{
    char *path = dir[0] == '\0' ? xstrdup(name) : xasprintf("%s/%s", dir, name);
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        buf_addf(why, "%s: %s", path, err_text(err_from_errno(errno)));
    }
    free(path);
    return file;
}

/* Parses and hands over one line. */
static enum err line_take(const char *line, size_t len, enum err (*take)(json_t *line, void *arg), void *arg)
{
    json_t *value = NULL;
    enum err rc = jx_parse_lenient(line, len, &value);

    if (rc == ERR_OK) {
        rc = take(value, arg);
        json_decref(value);
    }
    return rc;
}

enum err kb_eval_lines(const char *dir, const char *name, enum err (*take)(json_t *line, void *arg),
                       void *arg, struct buf *why)
{
    FILE *file = file_open(dir, name, why);
    char *line = NULL;
    size_t room = 0, number = 0;
    enum err rc = ERR_OK;

    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    while (rc == ERR_OK) {
        ssize_t len = getline(&line, &room, file);
        if (len < 0) {
            break;
        }
        number++;
        if (strspn(line, " \t\r\n") < (size_t)len) {
            rc = line_take(line, (size_t)len, take, arg);
        }
    }
    if (rc != ERR_OK) {
        buf_addf(why, "%s line %zu: %s", name, number, err_text(rc));
    }
    free(line);
    fclose(file);
    return rc;
}

static int judgement_order(const void *a, const void *b)
{
    const struct kb_judgement *x = a, *y = b;
    int order = strcmp(x->query, y->query);

    return order != 0 ? order : (x->grade < y->grade) - (x->grade > y->grade);
}

/* Takes one line "query TAB document TAB grade"; false if it is none. */
static bool qrels_take(struct kb_eval_set *set, char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
    char *document = strchr(line, '\t');
    char *grade = document == NULL ? NULL : strchr(document + 1, '\t');

    if (line[0] == '\0') {
        return true;
    }
    if (grade == NULL) {
        return false;
    }
    *document = *grade = '\0';
    long value = strtol(grade + 1, NULL, 10);
    if (value <= 0 || value > 30) {
        return value == 0;
    }
    if (set->count == set->room) {
        set->room = set->room == 0 ? 1024 : set->room * 2;
        set->rows = xrealloc(set->rows, set->room * sizeof *set->rows);
    }
    set->rows[set->count++] = (struct kb_judgement){xstrdup(line), xstrdup(document + 1), (int)value};
    return true;
}

enum err kb_eval_qrels(const char *dir, struct kb_eval_set *set, struct buf *why)
{
    FILE *file = file_open(dir, "qrels.tsv", why);
    char *line = NULL;
    size_t room = 0, number = 0;
    bool good = true;

    if (file == NULL) {
        return ERR_NOTFOUND;
    }
    while (good && getline(&line, &room, file) >= 0) {
        number++;
        good = qrels_take(set, line);
    }
    if (!good) {
        buf_addf(why, "qrels.tsv line %zu: not query, tab, document, tab, grade", number);
    } else if (set->count > 0) {
        qsort(set->rows, set->count, sizeof *set->rows, judgement_order);
    }
    free(line);
    fclose(file);
    return good ? ERR_OK : ERR_INVALID;
}

const struct kb_judged *kb_eval_judged(struct kb_eval_set *set, const char *query)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(set->rows[middle].query, query) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    size_t end = low;
    while (end < set->count && strcmp(set->rows[end].query, query) == 0) {
        end++;
    }
    set->found = (struct kb_judged){set->rows + low, end - low};
    return end > low ? &set->found : NULL;
}

int kb_judged_grade(const struct kb_judged *judged, const char *document)
{
    for (size_t i = 0; i < judged->count; i++) {
        if (strcmp(judged->rows[i].document, document) == 0) {
            return judged->rows[i].grade;
        }
    }
    return 0;
}
