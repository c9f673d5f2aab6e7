/* kinds.h: the table of record kinds and indexes (tbl_kinds.h) as enums and rows; partitions. Thread: any. */
#ifndef CHASQUI_QUEUE_KINDS_H
#define CHASQUI_QUEUE_KINDS_H

#include <stdbool.h>
#include <stdint.h>

enum kind {
#define KIND(symbol, code, name, prefix, feed) symbol = code,
#include "queue/tbl_kinds.h"
#undef KIND
    KIND_LAST
};

enum index_id {
#define INDEX(symbol, code, kind, name, a, b, c, counted) symbol = code,
#include "queue/tbl_kinds.h"
#undef INDEX
    INDEX_LAST
};
#define INDEX_NONE ((enum index_id)0)

struct kind_row {
    enum kind kind;
    const char *name;
    const char *prefix;
    bool feed;
};
struct index_row {
    enum index_id index;
    enum kind kind;
    const char *name;
    const char *fields[3];
    bool counted;
};
/* Rows by code; NULL for a code that no row has. */
const struct kind_row *kind_row(enum kind kind);
const struct index_row *index_row(enum index_id index);

/* A partition is an account in one mode: "acc_01J...:live". It is the first part of every record's key, so no read
 * can cross accounts or modes. PARTITION_GLOBAL holds what belongs to no account: accounts and keys. */
enum mode { MODE_LIVE, MODE_TEST };
#define PARTITION_SIZE 48
#define PARTITION_GLOBAL "-"
struct partition {
    char text[PARTITION_SIZE];
};
struct partition partition_of(const char *account_id, enum mode mode);
enum mode partition_mode(const char *partition);
/* "acc_..." of a partition text into out (ID_SIZE bytes); "" for the global one. */
void partition_account(const char *partition, char *out);

#endif
