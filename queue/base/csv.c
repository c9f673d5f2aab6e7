/* csv.c: reading RFC 4180 records; see csv.h. */
#include "queue/base/csv.h"

#include <string.h>
#include <strings.h>

void csv_init(struct csv *csv, const char *text, size_t size)
{
    *csv = (struct csv){.at = text, .end = text + size};
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        csv->at += 3;
    }
    buf_init(&csv->fields, size + CSV_COLUMNS + 1);
}

void csv_fini(struct csv *csv)
{
    buf_fini(&csv->fields);
}

/* The inside of a quoted field; stops behind its closing quote or at the end of the text. */
static void read_quoted(struct csv *csv)
{
    for (csv->at++; csv->at < csv->end; csv->at++) {
        if (*csv->at == '"') {
            if (csv->at + 1 >= csv->end || csv->at[1] != '"') {
                csv->at++;
                return;
            }
            csv->at++;
        }
        buf_addc(&csv->fields, *csv->at);
    }
}

/* One field; leaves at on the comma or line end behind it. */
static void read_field(struct csv *csv)
{
    if (csv->count < CSV_COLUMNS) {
        csv->starts[csv->count++] = csv->fields.len;
    }
    if (csv->at < csv->end && *csv->at == '"') {
        read_quoted(csv);
    }
    while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' && *csv->at != '\r') {
        buf_addc(&csv->fields, *csv->at++);
    }
    buf_addc(&csv->fields, '\0');
}

/* One record with its line end. */
static void read_record(struct csv *csv)
{
    buf_reset(&csv->fields);
    csv->count = 0;
    read_field(csv);
    while (csv->at < csv->end && *csv->at == ',') {
        csv->at++;
        read_field(csv);
    }
    if (csv->at < csv->end && *csv->at == '\r') {
        csv->at++;
    }
    if (csv->at < csv->end && *csv->at == '\n') {
        csv->at++;
    }
}

bool csv_next(struct csv *csv)
{
    while (csv->at < csv->end) {
        read_record(csv);
        if (csv->count > 1 || csv_field(csv, 0)[0] != '\0') {
            return true;
        }
    }
    return false;
}

const char *csv_field(const struct csv *csv, int column)
{
    return column >= 0 && column < csv->count ? csv->fields.data + csv->starts[column] : "";
}

int csv_column(const struct csv *csv, const char *name)
{
    for (int i = 0; i < csv->count; i++) {
        if (strcasecmp(csv_field(csv, i), name) == 0) {
            return i;
        }
    }
    return -1;
}

void csv_add_cell(struct buf *out, const char *text, bool first)
{
    bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;

    if (!first) {
        buf_addc(out, ',');
    }
    if (quoted) {
        buf_addc(out, '"');
    }
    if (formula) {
        buf_addc(out, '\'');
    }
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"') {
            buf_addc(out, '"');
        }
        buf_addc(out, *at);
    }
    if (quoted) {
        buf_addc(out, '"');
    }
}

void csv_end_record(struct buf *out)
{
    buf_adds(out, "\r\n");
}
