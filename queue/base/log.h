/* log.h: one line per fact, on stderr, as key=value or JSON.
 *
 * A line has a time, a level, a stable event name ("send.failed"), then fields. Never message text, never
 * secrets, never a whole phone number (log_phone shows the last four digits). Control characters are
 * escaped, so no input can forge a line. The same event repeated more than 20 times in a second is counted
 * instead of written; the count follows as suppressed=N. Thread: any. */
#ifndef CHASQUI_BASE_LOG_H
#define CHASQUI_BASE_LOG_H

#include <stdbool.h>

#include "queue/base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_KEYVALUE, LOG_JSON };

/* Process-wide settings; call before threads start, or at reload (atomic). */
void log_set(enum log_level level, enum log_format format);
bool log_level_parse(const char *text, enum log_level *out);

/* Writes one line. event: dotted stable name. fmt and the rest: space-separated key=%s style fields; a value
 * with spaces or quotes is written by the macro FIELD below. Example:
 *     log_info("hook.accepted", "channel=%s bytes=%zu", channel_id, size); */
void log_line(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* A value made safe to stand in a line: quoted when it holds spaces, quotes, '=' or control characters.
 * Returns a pointer into one of eight per-thread slots: good until the eighth next call on this thread. */
const char *log_quote(const char *value);
/* "+14155550123" -> "...0123", the only form in which a number may be logged; same slots as log_quote. */
const char *log_phone(const char *phone);

/* Lines written per level since start, for metrics and for tests. */
unsigned long log_count(enum log_level level);

#endif
