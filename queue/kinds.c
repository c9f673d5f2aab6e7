/* kinds.c: the rows of tbl_kinds.h by code, and the text form of partitions. */
#include <stdio.h>
#include <string.h>

#include "queue/base/id.h"
#include "queue/kinds.h"

static const struct kind_row kinds[] = {
#define KIND(symbol, code, name, prefix, feed) [code] = {symbol, name, prefix, feed},
#include "queue/tbl_kinds.h"
#undef KIND
};

static const struct index_row indexes[] = {
#define INDEX(symbol, code, kind, name, a, b, c, counted) [code] = {symbol, kind, name, {a, b, c}, counted},
#include "queue/tbl_kinds.h"
#undef INDEX
};

const struct kind_row *kind_row(enum kind kind)
{
    unsigned code = (unsigned)kind;

    return code < sizeof kinds / sizeof kinds[0] && kinds[code].name != NULL ? &kinds[code] : NULL;
}

const struct index_row *index_row(enum index_id index)
{
    unsigned code = (unsigned)index;

    return code < sizeof indexes / sizeof indexes[0] && indexes[code].name != NULL ? &indexes[code] : NULL;
}

struct partition partition_of(const char *account_id, enum mode mode)
{
    static const char ends[2][6] = {":live", ":test"};
    struct partition part;
    size_t len = strnlen(account_id, sizeof part.text - sizeof ends[0]);

    memcpy(part.text, account_id, len);
    memcpy(part.text + len, ends[mode == MODE_TEST], sizeof ends[0]);
    return part;
}

enum mode partition_mode(const char *partition)
{
    size_t len = strlen(partition);

    return len >= 5 && strcmp(partition + len - 5, ":test") == 0 ? MODE_TEST : MODE_LIVE;
}

void partition_account(const char *partition, char *out)
{
    const char *colon = strrchr(partition, ':');
    size_t len = colon != NULL ? (size_t)(colon - partition) : 0;

    if (len >= ID_SIZE) {
        len = ID_SIZE - 1;
    }
    memcpy(out, partition, len);
    out[len] = '\0';
}
