/* error.c: the names of the error table, the panic line, and allocation that dies instead of failing. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "queue/base/error.h"

#include "queue/base/clock.h"

static const struct {
    const char *name;
    const char *text;
} rows[ERR_COUNT] = {
#define X(symbol, name, text) [symbol] = {name, text},
    ERR_TABLE(X)
#undef X
};

/* The stable short name of an outcome. */
const char *err_name(enum err rc)
{
    return (unsigned)rc < ERR_COUNT ? rows[rc].name : "unknown";
}

/* The sentence of an outcome. */
const char *err_text(enum err rc)
{
    return (unsigned)rc < ERR_COUNT ? rows[rc].text : "unknown";
}

static const struct {
    int errnum;
    enum err rc;
} errno_rows[] = {
    {0, ERR_OK},
    {ENOSPC, ERR_FULL},
    {EDQUOT, ERR_FULL},
    {ENOENT, ERR_NOTFOUND},
    {ENOTDIR, ERR_NOTFOUND},
    {ESRCH, ERR_NOTFOUND},
    {EEXIST, ERR_CONFLICT},
    {EACCES, ERR_DENIED},
    {EPERM, ERR_DENIED},
    {EROFS, ERR_DENIED},
    {EINVAL, ERR_INVALID},
    {EILSEQ, ERR_INVALID},
    {ENAMETOOLONG, ERR_LIMIT},
    {E2BIG, ERR_LIMIT},
    {EFBIG, ERR_LIMIT},
    {EMSGSIZE, ERR_LIMIT},
    {ERANGE, ERR_LIMIT},
    {ENOMEM, ERR_NOMEM},
    {EAGAIN, ERR_BUSY},
    {EBUSY, ERR_BUSY},
    {EMFILE, ERR_BUSY},
    {ENFILE, ERR_BUSY},
    {ENOBUFS, ERR_BUSY},
    {EADDRINUSE, ERR_CONFLICT},
    {ETIMEDOUT, ERR_TIMEOUT},
    {ETIME, ERR_TIMEOUT},
    {ECONNREFUSED, ERR_NETWORK},
    {ECONNRESET, ERR_NETWORK},
    {ECONNABORTED, ERR_NETWORK},
    {EHOSTUNREACH, ERR_NETWORK},
    {ENETUNREACH, ERR_NETWORK},
    {ENETDOWN, ERR_NETWORK},
    {EPIPE, ERR_CLOSED},
    {ECANCELED, ERR_CLOSED},
    {ESHUTDOWN, ERR_CLOSED},
};

/* The class of an errno value. */
enum err err_from_errno(int errnum)
{
    for (size_t i = 0; i < sizeof errno_rows / sizeof *errno_rows; i++) {
        if (errno_rows[i].errnum == errnum) {
            return errno_rows[i].rc;
        }
    }
    return ERR_IO;
}

/* Writes the panic line with nothing but the stack and write(2), since the heap and the log's lock may be
 * what broke, and aborts so that the supervisor gets a core and starts us again. */
_Noreturn void panic(const char *file, int line, const char *func, const char *what)
{
    char when[CLOCK_TEXT_SIZE];
    char text[512];
    int len =
        snprintf(text, sizeof text, "time=%s level=panic event=panic file=%s line=%d func=%s check=\"%s\"\n",
                 clock_rfc3339_ms(clock_wall_ms(), when), file, line, func, what);
    if (len >= (int)sizeof text) {
        len = (int)sizeof text - 1;
        text[len - 1] = '\n';
    }
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0) {
        abort(); /* nobody can read us; the signal still tells */
    }
    abort();
}

/* Dies unless an allocation gave memory. */
static void *must(void *memory)
{
    CHECK(memory != NULL);
    return memory;
}

void *xmalloc(unsigned long size)
{
    return must(malloc(size > 0 ? size : 1));
}

void *xcalloc(unsigned long count, unsigned long size)
{
    return must(count > 0 && size > 0 ? calloc(count, size) : calloc(1, 1));
}

void *xrealloc(void *old, unsigned long size)
{
    return must(realloc(old, size > 0 ? size : 1));
}

char *xstrdup(const char *text)
{
    return must(strdup(text));
}

char *xstrndup(const char *text, unsigned long size)
{
    return must(strndup(text, size));
}

char *xasprintf(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    CHECK(len >= 0);
    return text;
}
