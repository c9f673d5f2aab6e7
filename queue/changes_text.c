/* changes_text.c: a record that is put as the text it already is. */
#include <string.h>

#include "queue/changes.h"
#include "queue/jobs.h"

#define ENTRIES_MAX 8192

void changes_put_text(struct changes *cs, enum kind kind, const char *part, const char *id, const char *text,
                      size_t size, const json_t *indexed)
{
    CHECK(kind_row(kind) != NULL && json_is_object(indexed));
    struct op *op = changes_op(cs, OP_PUT, (unsigned)kind, part, id, STORE_ID_MAX);
    struct buf entries;

    if (op == NULL) {
        return;
    }
    buf_init(&entries, ENTRIES_MAX);
    entries_of(kind, indexed, &entries);
    CHECK(buf_ok(&entries));
    changes_value_text(cs, op, RECORD_HEAD + entries.len, text, size);
    if (op->value != NULL) {
        put_u32(op->value + 9, (uint32_t)entries.len);
        memcpy(op->value + RECORD_HEAD, buf_str(&entries), entries.len);
    }
    buf_fini(&entries);
}
