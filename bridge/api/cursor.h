/* cursor.h: opaque places in a list. A cursor is sealed under the master key together with the account, mode,
 * route and filters of its list: it cannot be read, altered, or used with another list. Thread: any. */
#ifndef CHASQUI_API_CURSOR_H
#define CHASQUI_API_CURSOR_H

#include "queue/base/buf.h"
#include "queue/base/error.h"

/* list: text that is the same for every page of one list and for no other. */
enum err cursor_make(const char *list, const char *position, struct buf *out) MUST_CHECK;
/* ERR_INVALID: not a cursor of this list. */
enum err cursor_read(const char *list, const char *cursor, struct buf *position) MUST_CHECK;

#endif
