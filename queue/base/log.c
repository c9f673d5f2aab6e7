/* log.c: one line per fact.
 *
 * A line is composed on the caller's stack and leaves in one write(2), so lines of different threads never
 * mix. The fields come in as key=value text; the JSON form takes that text apart again, which keeps one
 * calling convention for both. Both forms escape control characters and repair UTF-8 at the last moment:
 * whatever a caller passes, one call is one line.
 *
 * Repeats: a small table remembers for each event name the current second and how many lines it had. Past
 * the bound lines are counted only, and the count is written as an own line with suppressed=N when the
 * second is over, at the next line of any event. One lock guards the table; it is never held while writing.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/log.h"

#include "queue/base/buf.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"

#define LINE_MAX_BYTES 16384 /* FIELDS_MAX bytes at their longest escape, and the head */
#define FIELDS_MAX     2048
#define EVENT_MAX      48
#define SLOTS          8
#define SLOT_SIZE      256
#define REPEAT_MAX     20
#define WINDOW_MS      1000
#define WINDOWS        128

static const char *const level_names[] = {"debug", "info", "warn", "error"};
#define LEVELS (sizeof level_names / sizeof *level_names)

static _Atomic int level_now = LOG_INFO;
static _Atomic int format_now = LOG_KEYVALUE;
static _Atomic unsigned long counts[LEVELS];

/* What the last second had of one event. */
struct window {
    char event[EVENT_MAX]; /* empty: free */
    enum log_level level;
    int64_t start_ms;
    unsigned lines;
    unsigned long suppressed;
};
static pthread_mutex_t windows_lock = PTHREAD_MUTEX_INITIALIZER;
static struct window windows[WINDOWS];
static int64_t swept_ms;

void log_set(enum log_level level, enum log_format format)
{
    atomic_store(&level_now, (int)level);
    atomic_store(&format_now, (int)format);
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

unsigned long log_count(enum log_level level)
{
    return (size_t)level < LEVELS ? atomic_load(&counts[level]) : 0;
}

/* ---- values ---- */

/* The calling thread's next slot. */
static char *next_slot(void)
{
    static _Thread_local char slots[SLOTS][SLOT_SIZE];
    static _Thread_local unsigned next;

    return slots[next++ % SLOTS];
}

/* Writes one byte in its escaped form, at most 4 bytes; returns how many. */
static size_t escape_byte(unsigned char c, char out[5])
{
    if (c == '\n' || c == '\r' || c == '\t') {
        out[0] = '\\';
        out[1] = c == '\n' ? 'n' : c == '\r' ? 'r' : 't';
        return 2;
    }
    if (c < 0x20 || c == 0x7f) {
        return (size_t)snprintf(out, 5, "\\x%02x", c);
    }
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = (char)c;
        return 2;
    }
    out[0] = (char)c;
    return 1;
}

static bool needs_quotes(const char *value)
{
    for (const unsigned char *at = (const unsigned char *)value; *at != '\0'; at++) {
        if (*at <= ' ' || *at == 0x7f || *at == '"' || *at == '=' || *at == '\\') {
            return true;
        }
    }
    return *value == '\0';
}

const char *log_quote(const char *value)
{
    char *slot = next_slot();
    size_t used = 0;
    char piece[5];
    const char *text = value != NULL ? value : "-";
    size_t len = utf8_prefix(text, strlen(text), SLOT_SIZE - 1);

    if (!needs_quotes(text)) {
        memcpy(slot, text, len);
        slot[len] = '\0';
        return slot;
    }
    slot[used++] = '"';
    for (size_t i = 0; i < len; i++) {
        size_t size = escape_byte((unsigned char)text[i], piece);
        if (used + size + 2 > SLOT_SIZE) {
            break;
        }
        memcpy(slot + used, piece, size);
        used += size;
    }
    slot[used++] = '"';
    slot[used] = '\0';
    return slot;
}

/* Numbers too short to hide anything show no digits. */
const char *log_phone(const char *phone)
{
    char *slot = next_slot();
    size_t len = phone != NULL ? strlen(phone) : 0;
    const char *tail = len >= 8 ? phone + len - 4 : "";

    for (const char *at = tail; *at != '\0'; at++) {
        if (!isdigit((unsigned char)*at)) {
            tail = "";
            break;
        }
    }
    snprintf(slot, SLOT_SIZE, "...%s", tail);
    return slot;
}

/* ---- the two forms of a line ---- */

/* A line under composition; what would not fit is cut before the newline. */
struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static void put(struct line *l, const char *text, size_t size)
{
    size_t room = sizeof l->text - 1 - l->len; /* the last byte is for the newline */

    size = size < room ? size : room;
    memcpy(l->text + l->len, text, size);
    l->len += size;
}

static void puts_line(struct line *l, const char *text)
{
    put(l, text, strlen(text));
}

/* Field text as it is, but for control characters. */
static void put_fields_text(struct line *l, const char *fields)
{
    char piece[5];

    for (const char *at = fields; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c < 0x20 || c == 0x7f) {
            put(l, piece, escape_byte(c, piece));
        } else {
            put(l, at, 1);
        }
    }
}

/* Adds one byte inside a JSON string. */
static void put_json_byte(struct line *l, unsigned char c)
{
    char piece[8];

    if (c == '"' || c == '\\') {
        put(l, "\\", 1);
        put(l, (const char *)&c, 1);
    } else if (c < 0x20 || c == 0x7f) {
        snprintf(piece, sizeof piece, "\\u%04x", c);
        puts_line(l, piece);
    } else {
        put(l, (const char *)&c, 1);
    }
}

/* Undoes one escape of log_quote; at is behind the backslash. */
static const char *put_unescaped(struct line *l, const char *at)
{
    unsigned char byte;

    if (*at == 'x' && at[1] != '\0' && hex_decode(at + 1, 2, &byte, 1)) {
        put_json_byte(l, byte);
        return at + 3;
    }
    put_json_byte(l, (unsigned char)(*at == 'n' ? '\n' : *at == 'r' ? '\r' : *at == 't' ? '\t' : *at));
    return at + 1;
}

/* The value of one field as a JSON string; returns what is behind it. */
static const char *put_json_value(struct line *l, const char *at)
{
    bool quoted = *at == '"';

    at += quoted;
    puts_line(l, "\"");
    while (*at != '\0' && *at != (quoted ? '"' : ' ')) {
        if (quoted && *at == '\\' && at[1] != '\0') {
            at = put_unescaped(l, at + 1);
        } else {
            put_json_byte(l, (unsigned char)*at);
            at++;
        }
    }
    puts_line(l, "\"");
    return *at != '\0' ? at + 1 : at;
}

/* True for a short whole number, which JSON shows without quotes; ids of digits alone are longer. */
static bool is_number(const char *at)
{
    size_t len = strcspn(at, " ");

    return len > 0 && len <= 12 && strspn(at, "0123456789") == len && (len == 1 || *at != '0');
}

/* key=value text as members of an object; a word without '=' becomes a key that is true. */
static void put_fields_json(struct line *l, const char *fields)
{
    const char *at = fields;

    while (*at != '\0') {
        size_t key = strcspn(at, " =");
        if (key == 0) {
            at++;
            continue;
        }
        puts_line(l, ",\"");
        for (size_t i = 0; i < key; i++) {
            put_json_byte(l, (unsigned char)at[i]);
        }
        puts_line(l, "\":");
        at += key;
        if (*at != '=') {
            puts_line(l, "true");
        } else if (is_number(at + 1)) {
            size_t len = strcspn(at + 1, " ");
            put(l, at + 1, len);
            at += 1 + len;
        } else {
            at = put_json_value(l, at + 1);
        }
    }
}

/* The head of a line: time, level, event. */
static void put_head(struct line *l, bool json, enum log_level level, const char *event)
{
    char when[CLOCK_TEXT_SIZE];
    char head[160];

    clock_rfc3339_ms(clock_wall_ms(), when);
    if (json) {
        snprintf(head, sizeof head, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%.*s\"", when,
                 level_names[level], EVENT_MAX, event);
    } else {
        snprintf(head, sizeof head, "time=%s level=%s event=%.*s", when, level_names[level], EVENT_MAX,
                 event);
    }
    puts_line(l, head);
}

/* Composes and writes one line; fields are well-formed UTF-8. */
static void emit(enum log_level level, const char *event, const char *fields)
{
    struct line l = {.len = 0};
    bool json = atomic_load(&format_now) == LOG_JSON;

    put_head(&l, json, level, event);
    if (json) {
        put_fields_json(&l, fields);
        puts_line(&l, "}");
    } else if (*fields != '\0') {
        puts_line(&l, " ");
        put_fields_text(&l, fields);
    }
    l.text[l.len++] = '\n';
    atomic_fetch_add(&counts[level], 1);
    if (write(STDERR_FILENO, l.text, l.len) < 0) {
        return; /* a log that cannot be written must not stop the work */
    }
}

/* ---- repeats ---- */

/* What the sweep found and still has to be written, outside the lock. */
struct report {
    char event[EVENT_MAX];
    enum log_level level;
    unsigned long suppressed;
};

/* Frees every window whose second is over and notes what it held back. Looks at most once a second. */
static size_t sweep_locked(int64_t now, struct report reports[WINDOWS])
{
    size_t count = 0;

    if (now - swept_ms < WINDOW_MS && swept_ms != 0) {
        return 0;
    }
    swept_ms = now;
    for (size_t i = 0; i < WINDOWS; i++) {
        struct window *w = &windows[i];
        if (w->event[0] == '\0' || now - w->start_ms < WINDOW_MS) {
            continue;
        }
        if (w->suppressed > 0) {
            reports[count].level = w->level;
            reports[count].suppressed = w->suppressed;
            memcpy(reports[count].event, w->event, EVENT_MAX);
            count++;
        }
        w->event[0] = '\0';
    }
    return count;
}

/* The window of an event: its own, else a free one; NULL if all are taken. */
static struct window *window_locked(const char *event, int64_t now)
{
    struct window *vacant = NULL;

    for (size_t i = 0; i < WINDOWS; i++) {
        struct window *w = &windows[i];
        if (w->event[0] == '\0') {
            vacant = vacant != NULL ? vacant : w;
        } else if (strncmp(w->event, event, EVENT_MAX - 1) == 0) {
            return w;
        }
    }
    if (vacant != NULL) {
        *vacant = (struct window){.start_ms = now};
        snprintf(vacant->event, EVENT_MAX, "%s", event);
    }
    return vacant;
}

/* Counts a line of an event; false if it is one too many for this second. Events beyond the table's size
 * are written without a bound. */
static bool admit_locked(enum log_level level, const char *event, int64_t now, unsigned long *held_back)
{
    struct window *w = window_locked(event, now);

    if (w == NULL) {
        return true;
    }
    if (now - w->start_ms >= WINDOW_MS) {
        *held_back = w->suppressed;
        w->start_ms = now;
        w->lines = 0;
        w->suppressed = 0;
    }
    w->level = level;
    if (w->lines == REPEAT_MAX) {
        w->suppressed++;
        return false;
    }
    w->lines++;
    return true;
}

static void emit_suppressed(enum log_level level, const char *event, unsigned long suppressed)
{
    char fields[48];

    snprintf(fields, sizeof fields, "suppressed=%lu", suppressed);
    emit(level, event, fields);
}

/* Writes the counts of every event whose second is over. */
static __attribute__((noinline)) void sweep(int64_t now)
{
    struct report reports[WINDOWS];

    pthread_mutex_lock(&windows_lock);
    size_t count = sweep_locked(now, reports);
    pthread_mutex_unlock(&windows_lock);
    for (size_t i = 0; i < count; i++) {
        emit_suppressed(reports[i].level, reports[i].event, reports[i].suppressed);
    }
}

/* Decides whether a line may go out, and writes the counts that are due before it. */
static bool admit(enum log_level level, const char *event)
{
    unsigned long held_back = 0;
    int64_t now = clock_mono_ms();

    pthread_mutex_lock(&windows_lock);
    bool due = swept_ms == 0 || now - swept_ms >= WINDOW_MS;
    pthread_mutex_unlock(&windows_lock);
    if (due) {
        sweep(now);
    }
    pthread_mutex_lock(&windows_lock);
    bool good = admit_locked(level, event, now, &held_back);
    pthread_mutex_unlock(&windows_lock);
    if (held_back > 0) {
        emit_suppressed(level, event, held_back);
    }
    return good;
}

/* Writes fields that are not well-formed UTF-8 in their repaired form. */
static void emit_repaired(enum log_level level, const char *event, const char *fields, size_t len)
{
    struct buf fixed;

    buf_init(&fixed, FIELDS_MAX * 3);
    utf8_repair(&fixed, fields, len);
    emit(level, event, buf_str(&fixed));
    buf_fini(&fixed);
}

/* Composes and writes a line that may go out. Apart, so that the many that may not cost no room on the stack.
 */
static __attribute__((noinline, format(printf, 3, 0))) void compose(enum log_level level, const char *event,
                                                                    const char *fmt, va_list args)
{
    char fields[FIELDS_MAX];
    int wanted = vsnprintf(fields, sizeof fields, fmt, args);
    size_t len = wanted > 0 ? (size_t)wanted : 0;

    if (len >= sizeof fields) {
        len = utf8_prefix(fields, sizeof fields - 1, sizeof fields - 2);
    }
    fields[len] = '\0';
    if (utf8_valid(fields, len)) {
        emit(level, event, fields);
    } else {
        emit_repaired(level, event, fields, len);
    }
}

void log_line(enum log_level level, const char *event, const char *fmt, ...)
{
    va_list args;
    int saved = errno;

    CHECK((size_t)level < LEVELS);
    if ((int)level >= atomic_load_explicit(&level_now, memory_order_relaxed) && admit(level, event)) {
        va_start(args, fmt);
        compose(level, event, fmt, args);
        va_end(args);
    }
    errno = saved;
}
