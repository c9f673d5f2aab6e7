/* feed.c: lists of records, CSV and JSON, onto paper. Each record becomes a heading (its question, name or
 * title) with its fields below. Question and answer pairs are told by their names. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "kb/source/formats.h"
#include "queue/base/csv.h"

#define FIELDS_MAX 64
#define DEPTH_MAX  4

static const char *const HEADS[] = {"question", "q", "title", "name", "subject", "heading", "product", NULL};
static const char *const BODIES[] = {"answer", "a", "content", "text", "body", "description", "reply", NULL};

struct field {
    const char *name, *value;
};

/* Place of the first field whose name is in the list, in the list's order; count if none is. */
static size_t field_of(const struct field *fields, size_t count, const char *const *names)
{
    for (; *names != NULL; names++) {
        for (size_t i = 0; i < count; i++) {
            if (strcasecmp(fields[i].name, *names) == 0 && fields[i].value[0] != '\0') {
                return i;
            }
        }
    }
    return count;
}

/* One record. */
static void record(struct paper *p, const struct field *fields, size_t count)
{
    size_t head = field_of(fields, count, HEADS), body = field_of(fields, count, BODIES);
    char label[80];

    if (head < count) {
        paper_heading(p, 2);
        paper_text(p, fields[head].value, strlen(fields[head].value));
    }
    paper_block(p);
    if (body < count && body != head) {
        source_text(p, fields[body].value, strlen(fields[body].value));
        paper_block(p);
    }
    for (size_t i = 0; i < count && !paper_done(p); i++) {
        if (i != head && i != body && fields[i].value[0] != '\0') {
            paper_item(p, 0);
            snprintf(label, sizeof label, "%.70s: ", fields[i].name);
            paper_text(p, label, strlen(label));
            paper_text(p, fields[i].value, strlen(fields[i].value));
            paper_block(p);
        }
    }
}

/* A rule between records that have no heading keeps them apart. */
static bool names_known(const struct field *fields, size_t count)
{
    return field_of(fields, count, HEADS) < count;
}

void source_csv(struct paper *p, const char *text, size_t len)
{
    struct csv csv;
    struct buf names;
    size_t starts[FIELDS_MAX], columns = 0, rows = 0;
    struct field fields[FIELDS_MAX];

    buf_init(&names, 1u << 20);
    csv_init(&csv, text, len);
    while (csv_next(&csv) && !paper_done(p)) {
        if (rows++ == 0) {
            for (int i = 0; i < csv.count && i < FIELDS_MAX; i++) {
                const char *name = csv_field(&csv, i);
                starts[columns++] = names.len;
                buf_add(&names, name, strlen(name) + 1);
            }
            continue;
        }
        if (!buf_ok(&names) || !buf_ok(&csv.fields)) {
            paper_refuse(p, "A line of the file is too long.");
            break;
        }
        for (size_t i = 0; i < columns; i++) {
            fields[i] = (struct field){names.data + starts[i], csv_field(&csv, (int)i)};
        }
        if (!names_known(fields, columns) && columns > 0) { /* the first column names the record */
            fields[0].name = "name";
        }
        record(p, fields, columns);
    }
    if (rows < 2) {
        paper_refuse(p, "The file holds no rows below the line that names its columns.");
    }
    csv_fini(&csv);
    buf_fini(&names);
}

/* ---- JSON ---- */

/* Adds a value as text: lists with commas, objects as "name: value". */
static void value_text(const json_t *value, struct buf *out, unsigned depth)
{
    size_t i;
    const char *key;
    json_t *item;

    if (json_is_string(value)) {
        buf_adds(out, json_string_value(value));
    } else if (json_is_integer(value)) {
        buf_addf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        buf_addf(out, "%g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        buf_adds(out, json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value) && depth < DEPTH_MAX) {
        json_array_foreach (value, i, item) {
            buf_adds(out, i > 0 ? ", " : "");
            value_text(item, out, depth + 1);
        }
    } else if (json_is_object(value) && depth < DEPTH_MAX) {
        i = 0;
        json_object_foreach ((json_t *)value, key, item) {
            buf_addf(out, "%s%s: ", i++ > 0 ? "; " : "", key);
            value_text(item, out, depth + 1);
        }
    }
}

/* One object of the list. */
static void object_take(struct paper *p, const json_t *object)
{
    struct field fields[FIELDS_MAX];
    size_t starts[FIELDS_MAX], count = 0;
    const char *key;
    json_t *value;
    struct buf texts;

    buf_init(&texts, 8u << 20);
    json_object_foreach ((json_t *)object, key, value) {
        if (count < FIELDS_MAX) {
            fields[count].name = key;
            starts[count++] = texts.len;
            value_text(value, &texts, 0);
            buf_add(&texts, "", 1);
        }
    }
    if (!buf_ok(&texts)) {
        paper_refuse(p, "A record of the feed is too large.");
    }
    for (size_t i = 0; i < count && buf_ok(&texts); i++) {
        fields[i].value = texts.data + starts[i];
    }
    if (buf_ok(&texts) && count > 0) {
        record(p, fields, count);
    }
    buf_fini(&texts);
}

/* The list of records: the root, or the first list of objects inside it. */
static const json_t *list_of(const json_t *root)
{
    const char *key;
    json_t *value;

    if (json_is_array(root)) {
        return root;
    }
    json_object_foreach ((json_t *)root, key, value) {
        if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
            return value;
        }
    }
    return NULL;
}

void source_json(struct paper *p, const char *text, size_t len)
{
    json_t *root = NULL, *item;
    size_t i;

    if (jx_parse_lenient(text, len, &root) != ERR_OK) {
        paper_refuse(p, "The file is not valid JSON.");
        return;
    }
    const json_t *list = list_of(root);
    if (list == NULL && json_is_object(root)) {
        object_take(p, root);
    }
    json_array_foreach (list, i, item) {
        if (paper_done(p)) {
            break;
        }
        if (json_is_object(item)) {
            object_take(p, item);
        } else if (json_is_string(item)) {
            paper_block(p);
            paper_text(p, json_string_value(item), json_string_length(item));
            paper_block(p);
        }
    }
    json_decref(root);
}
