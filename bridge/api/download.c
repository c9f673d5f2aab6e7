/* download.c: the bytes of a media file over REST, piece by piece from the disk.
 *
 * A download is always an attachment of the type that the bytes themselves show, under a policy that lets no
 * browser run any of it: customers send these files. No more of it is in memory than the client has room for;
 * a file is named by the hash of its bytes, which is also its ETag, so that a broken download goes on where
 * it ended. Damaged bytes do not come out whole: a small file is held against its name before the answer
 * begins, a large one on the way, and its last piece stays behind if it does not fit. A part of a large file
 * is not looked at; its client has the name of the whole (RFC 9110 section 14: one range of bytes; several at
 * once get the whole, as the RFC allows). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/api/auth.h"
#include "bridge/api/call.h"
#include "bridge/api/reply.h"
#include "bridge/http/encode.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define SMALL (256 * 1024)
#define PIECE (64u * 1024u)

/* Bytes from first to before end. */
struct range {
    int64_t first, end;
};

struct download {
    struct call *c;
    int fd;
    struct range left;
    struct loop_timer *timer;
    struct sha256_sum *sum; /* of what was read; NULL: not looked at */
    const char *sha256;     /* what it must be */
    bool full;              /* the client has enough waiting */
    int64_t key_ms;
};

/* ---- ranges ---- */

enum wanted { WANT_ALL, WANT_RANGE, WANT_NOTHING };

/* Digits as a number; *text goes behind them. -1: there are none, or too many. */
static int64_t read_number(const char **text)
{
    size_t digits = strspn(*text, "0123456789");
    int64_t value = digits > 0 && digits <= 18 ? strtoll(*text, NULL, 10) : -1;
    *text += digits;
    return value;
}

/* What a Range field asks of a file of that size. What is no single range of bytes asks for all. */
static enum wanted read_range(const char *text, int64_t size, struct range *range)
{
    *range = (struct range){0, size};
    if (text == NULL || strncmp(text, "bytes=", 6) != 0) {
        return WANT_ALL;
    }
    text += 6;
    bool from_start = *text != '-';
    int64_t first = from_start ? read_number(&text) : -1;
    if (*text != '-' || (from_start && first < 0)) {
        return WANT_ALL;
    }
    text++;
    bool open = *text == '\0';
    int64_t last = open ? -1 : read_number(&text);
    if (*text != '\0' || (!open && last < 0) || (open && !from_start) ||
        (from_start && !open && last < first)) {
        return WANT_ALL;
    }
    if (from_start) {
        range->first = first;
        range->end = open || last >= size ? size : last + 1;
    } else {
        range->first = last < size ? size - last : 0;
    }
    return range->first < range->end ? WANT_RANGE : WANT_NOTHING;
}

/* The part of the file that this request wants; a range of another file's bytes is none. */
static enum wanted wanted_of(struct call *c, const char *tag, int64_t size, struct range *range)
{
    const char *condition = http_header(c->req, "If-Range");
    bool same = condition == NULL || strcmp(condition, tag) == 0;
    return read_range(same ? http_header(c->req, "Range") : NULL, size, range);
}

/* ---- the stream ---- */

/* The request is over. */
static void download_fini(void *arg)
{
    struct download *d = arg;
    uint8_t unused[SHA256_SIZE];
    if (d->sum != NULL) {
        sha256_end(d->sum, unused);
    }
    close(d->fd);
}

static void download_end(struct download *d)
{
    struct call *c = d->c;
    loop_cancel(d->timer);
    call_streamed(c);
    http_stream_end(c->req);
}

/* Adds a piece to the sum; false if it was the last and the file is not what its name says. */
static bool sum_fits(struct download *d, const void *piece, size_t size)
{
    uint8_t sum[SHA256_SIZE];
    char hex[65];
    if (d->sum == NULL) {
        return true;
    }
    sha256_add(d->sum, piece, size);
    if (d->left.first + (int64_t)size < d->left.end) {
        return true;
    }
    sha256_end(d->sum, sum);
    d->sum = NULL;
    hex_encode(sum, sizeof(sum), hex);
    return strcmp(hex, d->sha256) == 0;
}

/* Hands on one piece; false if the disk fails. */
static bool piece_send(struct download *d)
{
    static _Thread_local char piece[PIECE];
    size_t want = d->left.end - d->left.first < PIECE ? (size_t)(d->left.end - d->left.first) : PIECE;
    ssize_t got = pread(d->fd, piece, want, d->left.first);
    if (got < 0 && errno == EINTR) {
        return true;
    }
    if (got <= 0) {
        log_error("files.read_failed", "request=%s errno=%d", http_request_id(d->c->req),
                  got < 0 ? errno : 0);
        return false;
    }
    if (!sum_fits(d, piece, (size_t)got)) {
        log_error("files.damaged", "request=%s", http_request_id(d->c->req));
        return false;
    }
    d->left.first += got;
    d->full = http_stream_write(d->c->req, piece, (size_t)got) > HTTP_STREAM_HIGH;
    return true;
}

static void step(void *arg)
{
    struct download *d = arg;
    int64_t now = clock_mono_ms();
    bool good = true;
    d->timer = NULL;
    if (now - d->key_ms >= AUTH_AGAIN_MS) {
        d->key_ms = now;
        good = auth_still(d->c);
    }
    if (!good || d->left.first == d->left.end || !piece_send(d) || d->left.first == d->left.end) {
        download_end(
            d); /* short of its length it breaks the connection: the client sees that it is not whole */
    } else if (!d->full) {
        d->timer = loop_after(http_loop(d->c->req), 0, step, d);
    }
}

/* The client has taken what was written. */
static void on_drain(void *arg)
{
    struct download *d = arg;
    d->full = false;
    if (d->timer == NULL) {
        d->timer = loop_after(http_loop(d->c->req), 0, step, d);
    }
}

/* The client went away. */
static void on_gone(void *arg)
{
    download_end(arg);
}

/* Begins the answer; fd is taken. sha256: of a whole file that is to be looked at on the way, else NULL. */
static void download_begin(struct call *c, int fd, const struct range *range, const char *type,
                           const char *sha256)
{
    int status = c->status;
    struct download *d = arena_alloc(c->arena, sizeof(*d));
    bool bodyless = strcmp(http_method(c->req), "HEAD") == 0;
    *d = (struct download){.c = c, .fd = fd, .left = *range, .key_ms = clock_mono_ms()};
    d->sha256 = sha256;
    d->sum = sha256 != NULL && !bodyless ? sha256_begin() : NULL;
    arena_defer(c->arena, download_fini, d);
    d->left.first = bodyless ? d->left.end : d->left.first;
    call_rest(c);
    call_wait(c);
    reply_window(c);
    http_stream_length(c->req, range->end - range->first);
    http_stream_begin(c->req, status, type, on_drain, on_gone, d);
    d->timer = loop_after(http_loop(c->req), 0, step, d);
}

/* ---- the answer ---- */

/* The name for Content-Disposition: characters beyond ASCII become '_'. */
static const char *header_name(struct call *c, const json_t *file)
{
    char *name = arena_strdup(c->arena, jx_str_or(file, "name", jx_str_or(file, "id", "file")));
    for (char *at = name; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~' || *at == '"' || *at == '\\') {
            *at = '_';
        }
    }
    return name;
}

/* The fields of every answer about these bytes. */
static void add_fields(struct call *c, const json_t *file, const char *tag)
{
    http_reply_header(c->req, "Content-Disposition",
                      arena_printf(c->arena, "attachment; filename=\"%s\"", header_name(c, file)));
    http_reply_header(c->req, "Content-Security-Policy", "sandbox; default-src 'none'");
    http_reply_header(c->req, "X-Content-Type-Options", "nosniff");
    http_reply_header(c->req, "Cache-Control", "private, max-age=86400");
    http_reply_header(c->req, "Accept-Ranges", "bytes");
    http_reply_header(c->req, "ETag", tag);
}

/* Opens the bytes, which must be as many as the record says; -1: the call has ended. */
static int file_open(struct call *c, const json_t *file, int64_t *size)
{
    struct stat info;
    char *path = blob_path(jx_str_or(file, "sha256", ""));
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool gone = path == NULL || (fd < 0 && errno == ENOENT);
    free(path);
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size == jx_int(file, "size", info.st_size)) {
        *size = info.st_size;
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    call_refuse(c, gone ? ERR_NOTFOUND : fd >= 0 ? ERR_CORRUPT : ERR_IO, NULL, "");
    return -1;
}

/* Holds a small file against its name. False: the call has ended. */
static bool small_fits(struct call *c, const char *sha256, int64_t size)
{
    struct buf bytes;
    buf_init(&bytes, SMALL);
    enum err rc = size <= SMALL ? blob_get(sha256, &bytes) : ERR_OK;
    buf_fini(&bytes);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    }
    return rc == ERR_OK;
}

/* Answers with the whole file or the part asked for. */
static void send_file(struct call *c, const json_t *file)
{
    int64_t size = 0;
    struct range range;
    const char *sha256 = jx_str_or(file, "sha256", ""), *tag = arena_printf(c->arena, "\"%s\"", sha256);
    int fd = file_open(c, file, &size);
    if (fd < 0) {
        return;
    }
    if (!small_fits(c, sha256, size)) {
        close(fd);
        return;
    }
    bool fresh = http_tag_matches(http_header(c->req, "If-None-Match"), tag);
    enum wanted wanted = wanted_of(c, tag, size, &range);
    if (fresh || wanted == WANT_NOTHING) {
        close(fd);
    }
    if (fresh) {
        add_fields(c, file, tag);
        call_reply(c, 304, NULL);
        return;
    }
    if (wanted == WANT_NOTHING) {
        http_reply_header(c->req, "Content-Range", arena_printf(c->arena, "bytes */%lld", (long long)size));
        call_fail(c, API_BAD_RANGE, NULL, NULL);
        return;
    }
    add_fields(c, file, tag);
    if (wanted == WANT_RANGE) {
        http_reply_header(c->req, "Content-Range",
                          arena_printf(c->arena, "bytes %lld-%lld/%lld", (long long)range.first,
                                       (long long)range.end - 1, (long long)size));
    }
    const char *type = jx_str_or(file, "mime_type", "application/octet-stream");
    bool look = wanted == WANT_ALL && size > SMALL;
    c->status = wanted == WANT_RANGE ? 206 : 200;
    download_begin(c, fd, &range, arena_strdup(c->arena, type), look ? arena_strdup(c->arena, sha256) : NULL);
}

void files_show(struct call *c)
{
    json_t *file = call_find(c, KIND_FILE, call_param(c, "file"), NULL);
    if (file == NULL) {
        return;
    }
    if (strcmp(jx_str_or(file, "state", ""), "ready") != 0) {
        bool failed = strcmp(jx_str_or(file, "state", ""), "failed") == 0;
        call_fail(c, failed ? API_NOT_FOUND : API_IMPOSSIBLE, NULL,
                  failed ? "The file could not be fetched from the platform."
                         : "The file is still being fetched.");
        return;
    }
    send_file(c, file);
}
