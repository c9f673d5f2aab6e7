/* error.h: the one error type of the house.
 *
 * Every fallible function returns an enum err, zero is success, results go to out-parameters. A row
 * here is a class of outcome that callers treat differently, not a message: what the outside world sees
 * (HTTP status, public code, words) is bridge/api's table. Thread: any. */
#ifndef CHASQUI_BASE_ERROR_H
#define CHASQUI_BASE_ERROR_H

/*   symbol         name         what it means to the caller */
#define ERR_TABLE(X)                                                                                                  \
    X(ERR_OK,       "ok",        "success")                                                                           \
    X(ERR_INVALID,  "invalid",   "the input breaks a rule; nothing was done")                                         \
    X(ERR_LIMIT,    "limit",     "a size or count limit was exceeded; nothing was done")                              \
    X(ERR_NOTFOUND, "not_found", "there is no such thing")                                                            \
    X(ERR_SEEN,     "seen",      "a first-seen guard failed: this was accepted before; nothing was written")          \
    X(ERR_STALE,    "stale",     "a lease guard failed: somebody else has the job; drop yours")                       \
    X(ERR_CONFLICT, "conflict",  "a revision guard failed: read again, decide again")                                 \
    X(ERR_BUSY,     "busy",      "too much is waiting; shed load now and try later")                                  \
    X(ERR_FULL,     "full",      "the disk or the map is full; nothing was written")                                  \
    X(ERR_IO,       "io",        "the operating system failed a read, a write or a sync")                             \
    X(ERR_CORRUPT,  "corrupt",   "stored data cannot be understood")                                                  \
    X(ERR_SCHEMA,   "schema",    "the store belongs to a newer version of this program")                              \
    X(ERR_DENIED,   "denied",    "not allowed: address guard, permission, wrong key")                                 \
    X(ERR_TIMEOUT,  "timeout",   "the deadline passed")                                                               \
    X(ERR_NETWORK,  "network",   "a peer could not be reached or broke off")                                          \
    X(ERR_CLOSED,   "closed",    "shutting down, or the other end is gone")                                           \
    X(ERR_NOMEM,    "no_memory", "an allocation whose size a peer chose failed")                                      \
    X(ERR_EXISTS,   "exists",    "the place is taken already; nothing was done")

enum err {
#define X(symbol, name, text) symbol,
    ERR_TABLE(X)
#undef X
    ERR_COUNT
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* The stable short name ("not_found") and the sentence; "unknown" for a value outside the table. */
const char *err_name(enum err rc);
const char *err_text(enum err rc);

/* The class of an errno value (ENOSPC -> ERR_FULL, ENOENT -> ERR_NOTFOUND, ...; otherwise ERR_IO). */
enum err err_from_errno(int errnum);

/* Ends the process with a structured panic line: our own bug, never the outside world's fault.
 * Stays on in production; the supervisor restarts us and the durable state makes that safe. */
#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        if (!(condition)) {                                                                                           \
            panic(__FILE__, __LINE__, __func__, #condition);                                                          \
        }                                                                                                             \
    } while (0)
_Noreturn void panic(const char *file, int line, const char *func, const char *what);

/* Allocation that cannot fail: dies on exhaustion. For sizes that a peer chooses use malloc and check. */
void *xmalloc(unsigned long size);
void *xcalloc(unsigned long count, unsigned long size);
void *xrealloc(void *old, unsigned long size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, unsigned long size);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
