/* cursor.c: a cursor is its place sealed under the name of its list. */
#include "bridge/api/cursor.h"

#include <string.h>

#include "queue/base/crypto.h"

#define CURSOR_MAX 4096

/* What a cursor is bound to. */
static void context_of(const char *list, char out[SHA256_SIZE * 2 + 8])
{
    memcpy(out, "cursor/", 7);
    sha256_hex(list, strlen(list), out + 7);
}

enum err cursor_make(const char *list, const char *position, struct buf *out)
{
    char context[SHA256_SIZE * 2 + 8];
    context_of(list, context);
    return seal(context, position, strlen(position), out);
}

enum err cursor_read(const char *list, const char *cursor, struct buf *position)
{
    char context[SHA256_SIZE * 2 + 8];
    if (strlen(cursor) > CURSOR_MAX) {
        return ERR_INVALID;
    }
    context_of(list, context);
    return unseal(context, cursor, position) == ERR_OK ? ERR_OK : ERR_INVALID;
}
