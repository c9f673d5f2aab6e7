/* upload.c: see upload.h.
 *
 * One file is open at a time, so a request costs one descriptor, one SHA-256 and the bytes in flight,
 * whatever its size. After each FLUSH_BYTES the kernel is asked to begin writing, so that the sync that makes
 * the file durable later finds little left to do. Files are named by chance; those a killed process left are
 * removed at the next start. */
#include "bridge/http/upload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/http/http_int.h"
#include "bridge/http/multipart.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/file.h"
#include "queue/base/log.h"

#define NAME_HEAD   "up-"
#define FLUSH_BYTES (4u << 20)

struct http_upload {
    struct http_request *req;
    struct http_upload_limits limits;
    struct multipart *multipart; /* NULL: the body is one file */
    struct http_part *parts;     /* limits.parts_max of them */
    unsigned count;
    bool whole;
    int fd; /* of the last part while it is a file and grows; else -1 */
    struct sha256_sum *sum;
    uint64_t flushed;
    struct buf field;
    struct http_fault fault; /* why the sink stopped */
};

static bool refuse(struct http_upload *up, int status, const char *reason)
{
    up->fault = (struct http_fault){status, reason};
    return false;
}

/* The disk took no bytes: not the client's fault. */
static bool refuse_disk(struct http_upload *up)
{
    log_warn("http.upload_failed", "errno=%d", errno);
    return refuse(up, 503, "the file cannot be stored now");
}

/* Opens a file of a new name. */
static bool open_file(struct http_upload *up, struct http_part *part)
{
    uint8_t chance[16];
    char name[2 * sizeof chance + 1];
    random_bytes(chance, sizeof chance);
    hex_encode(chance, sizeof chance, name);
    part->path =
        arena_printf(up->req->arena, "%s/" NAME_HEAD "%s", up->req->thread->server->config.upload_dir, name);
    up->fd = open(part->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    up->sum = sha256_begin();
    up->flushed = 0;
    return up->fd >= 0 || refuse_disk(up);
}

static bool on_part(const struct multipart_head *head, void *arg)
{
    struct http_upload *up = arg;
    struct arena *arena = up->req->arena;
    if (up->count == up->limits.parts_max) {
        return refuse(up, 413, "the form has too many parts");
    }
    struct http_part *part = &up->parts[up->count++];
    part->name = arena_strdup(arena, head->name);
    part->mime_type = arena_strdup(arena, head->mime_type);
    buf_reset(&up->field);
    if (head->filename == NULL) {
        return true;
    }
    part->filename = head->filename[0] != '\0' ? arena_strdup(arena, head->filename) : NULL;
    return open_file(up, part);
}

static bool on_data(const void *data, size_t size, void *arg)
{
    struct http_upload *up = arg;
    struct http_part *part = &up->parts[up->count - 1];
    if (part->path == NULL) {
        buf_add(&up->field, data, size);
        return buf_ok(&up->field) || refuse(up, 413, "a field of the form is too large");
    }
    if (size > up->limits.file_max - part->size) {
        return refuse(up, 413, "a file is too large");
    }
    if (!file_write(up->fd, data, size)) {
        return refuse_disk(up);
    }
    sha256_add(up->sum, data, size);
    part->size += size;
    if (part->size - up->flushed >= FLUSH_BYTES) {
        sync_file_range(up->fd, (off_t)up->flushed, (off_t)(part->size - up->flushed), SYNC_FILE_RANGE_WRITE);
        up->flushed = part->size;
    }
    return true;
}

static bool on_end(void *arg)
{
    struct http_upload *up = arg;
    struct http_part *part = &up->parts[up->count - 1];
    uint8_t digest[SHA256_SIZE];
    if (part->path == NULL) {
        part->size = up->field.len;
        part->value = arena_strndup(up->req->arena, buf_str(&up->field), up->field.len);
        return true;
    }
    sha256_end(up->sum, digest);
    up->sum = NULL;
    hex_encode(digest, sizeof digest, part->sha256);
    int rc = close(up->fd);
    up->fd = -1;
    return rc == 0 || refuse_disk(up);
}

static const struct multipart_sink SINK = {on_part, on_data, on_end};

void http_upload_begin(struct http_request *req, const struct http_upload_limits *limits)
{
    struct buf boundary;
    CHECK(req->upload == NULL && req->phase == HTTP_READING && req->answer == HTTP_UNANSWERED);
    CHECK(req->thread->server->config.upload_dir != NULL && limits->parts_max > 0);
    struct http_upload *up = arena_alloc(req->arena, sizeof *up);
    up->req = req;
    up->limits = *limits;
    up->parts = arena_alloc(req->arena, limits->parts_max * sizeof *up->parts);
    up->fd = -1;
    buf_init(&up->field, limits->field_max);
    buf_init(&boundary, 256);
    if (!multipart_boundary(http_header(req, "Content-Type"), &boundary)) {
        refuse(up, 400, "the Content-Type names no boundary");
    } else if (boundary.len > 0) {
        up->multipart = multipart_new(buf_str(&boundary), &SINK, up);
    }
    buf_fini(&boundary);
    req->upload = up;
}

/* The next bytes of the body. False: *fault says why it is refused. */
bool http_upload_take(struct http_upload *up, const char *data, size_t size, struct http_fault *fault)
{
    bool fine = up->fault.status == 0;
    if (fine && up->multipart != NULL) {
        fine = multipart_take(up->multipart, data, size, &up->fault);
    } else if (fine) {
        const char *type = http_header(up->req, "Content-Type");
        struct multipart_head head = {.name = "", .filename = "", .mime_type = type != NULL ? type : ""};
        fine = (up->count > 0 || on_part(&head, up)) && on_data(data, size, up);
    }
    *fault = up->fault;
    return fine;
}

/* The body's end. False: it is refused. */
bool http_upload_end(struct http_upload *up, struct http_fault *fault)
{
    bool fine = up->fault.status == 0;
    if (fine && up->multipart != NULL) {
        fine = multipart_end(up->multipart, &up->fault);
    } else if (fine && up->count > 0) {
        fine = on_end(up);
    }
    up->whole = fine;
    *fault = up->fault;
    return fine;
}

/* Removes what nobody took. */
void http_upload_free(struct http_upload *up)
{
    uint8_t digest[SHA256_SIZE];
    if (up == NULL) {
        return;
    }
    if (up->fd >= 0) {
        close(up->fd);
    }
    if (up->sum != NULL) {
        sha256_end(up->sum, digest);
    }
    for (unsigned i = 0; i < up->count; i++) {
        if (up->parts[i].path != NULL && unlink(up->parts[i].path) != 0 && errno != ENOENT) {
            log_warn("http.upload_left", "errno=%d", errno);
        }
    }
    multipart_free(up->multipart);
    buf_fini(&up->field);
}

const struct http_part *http_parts(const struct http_request *req, unsigned *count)
{
    bool there = req->upload != NULL && req->upload->whole;
    *count = there ? req->upload->count : 0;
    return there ? req->upload->parts : NULL;
}

const struct http_part *http_part_named(const struct http_request *req, const char *name)
{
    unsigned count = 0;
    const struct http_part *parts = http_parts(req, &count);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(parts[i].name, name) == 0) {
            return &parts[i];
        }
    }
    return NULL;
}

/* Makes the directory, and empties it of what a killed process left. */
enum err http_upload_prepare(const char *dir)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return err_from_errno(errno);
    }
    DIR *folder = opendir(dir);
    if (folder == NULL) {
        return err_from_errno(errno);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strncmp(entry->d_name, NAME_HEAD, strlen(NAME_HEAD)) == 0 &&
            unlinkat(dirfd(folder), entry->d_name, 0) != 0) {
            log_warn("http.upload_left", "errno=%d", errno);
        }
    }
    closedir(folder);
    return ERR_OK;
}
