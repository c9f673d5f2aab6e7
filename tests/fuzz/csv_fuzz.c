/* csv_fuzz.c: comma-separated values.
 *
 * The reader ends, a record has at least one field and every field is a text; a record written with each
 * field quoted is read back the same. */
#include <stdlib.h>
#include <string.h>

#include "queue/base/csv.h"
#include "tests/fuzz/fuzz.h"

/* Writes the record read last, every field in quotes. */
static void write_record(const struct csv *csv, struct buf *out)
{
    for (int i = 0; i < csv->count; i++) {
        buf_adds(out, i > 0 ? ",\"" : "\"");
        for (const char *at = csv_field(csv, i); *at != '\0'; at++) {
            buf_adds(out, *at == '"' ? "\"" : "");
            buf_addc(out, *at);
        }
        buf_addc(out, '"');
    }
    buf_addc(out, '\n');
}

/* Reads what was written for one record and compares. */
static void read_back(const struct csv *csv)
{
    struct buf text;
    struct csv again;

    buf_init(&text, 64u << 20);
    write_record(csv, &text);
    csv_init(&again, buf_str(&text), text.len);
    bool one_empty = csv->count == 1 && csv_field(csv, 0)[0] == '\0';
    CHECK(csv_next(&again) == !one_empty);
    if (!one_empty) {
        CHECK(again.count == csv->count);
        for (int i = 0; i < csv->count; i++) {
            CHECK(strcmp(csv_field(&again, i), csv_field(csv, i)) == 0);
        }
        CHECK(!csv_next(&again));
    }
    csv_fini(&again);
    buf_fini(&text);
}

void fuzz_one(const char *data, size_t size)
{
    struct csv csv;
    size_t records = 0;

    csv_init(&csv, data, size);
    while (csv_next(&csv)) {
        CHECK(csv.count >= 1 && csv.count <= CSV_COLUMNS && buf_ok(&csv.fields));
        CHECK(++records <= size);
        CHECK(csv_field(&csv, -1)[0] == '\0' && csv_field(&csv, csv.count)[0] == '\0');
        CHECK(csv_column(&csv, csv_field(&csv, csv.count - 1)) >= 0);
        read_back(&csv);
    }
    csv_fini(&csv);
}
