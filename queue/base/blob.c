/* blob.c: content-addressed files.
 *
 * A blob that is put again although it is there gets a new time, so that a sweep, which takes old ones that
 * no record names, spares what somebody is just about to name. Looking at that time and acting on it is done
 * under one lock on both sides. Pieces of a sink go to a file of their own in the root until the sum is
 * known. */
#include "queue/base/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/file.h"
#include "queue/base/log.h"

#define PART_PREFIX   "part-"
#define TEXT_LOOK_MAX ((size_t)1 << 20) /* longer files are not looked through for being text */

static char root[3072];
static pthread_mutex_t age_lock = PTHREAD_MUTEX_INITIALIZER;

void blob_root(const char *dir)
{
    snprintf(root, sizeof root, "%s", dir);
}

/* 64 lower-case hex digits: nothing else may become a path. */
static bool is_name(const char *hex)
{
    return strspn(hex, "0123456789abcdef") == 64 && hex[64] == '\0';
}

static char *path_of(const char *hex)
{
    return xasprintf("%s/%.2s/%s", root, hex, hex + 2);
}

/* Makes the root and the blob's folder. */
static bool folders_make(const char *hex)
{
    char *folder = xasprintf("%s/%.2s", root, hex);
    bool good = (mkdir(root, 0700) == 0 || errno == EEXIST) && (mkdir(folder, 0700) == 0 || errno == EEXIST);

    free(folder);
    return good;
}

/* The directory entry is durable too. */
static void entry_sync(const char *hex)
{
    char *folder = xasprintf("%s/%.2s", root, hex);
    enum err rc = folder_sync(folder);

    if (rc != ERR_OK) {
        log_warn("blob.sync", "error=%s", err_name(rc));
    }
    free(folder);
}

/* Writes the temporary file and gives it its name. */
static bool store(const char *path, const char *hex, const void *data, size_t size)
{
    char *temporary = xasprintf("%s.%llx", path, (unsigned long long)random_below(UINT64_MAX));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && file_write(fd, data, size) && fsync(fd) == 0;

    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    good = good && rename(temporary, path) == 0;
    if (good) {
        entry_sync(hex);
    } else {
        unlink(temporary);
    }
    free(temporary);
    return good;
}

/* True if the blob is there whole; it is young again then. */
static bool renew(const char *path, size_t size)
{
    struct stat info;

    pthread_mutex_lock(&age_lock);
    bool there =
        stat(path, &info) == 0 && (size_t)info.st_size == size && utimensat(AT_FDCWD, path, NULL, 0) == 0;
    pthread_mutex_unlock(&age_lock);
    return there;
}

enum err blob_put(const void *data, size_t size, char hex[65])
{
    sha256_hex(data, size, hex);
    char *path = path_of(hex);
    bool there = renew(path, size);
    bool good = there || (root[0] != '\0' && folders_make(hex) && store(path, hex, data, size));
    if (!good) {
        log_warn("blob.failed", "errno=%d bytes=%zu", errno, size);
    }
    free(path);
    return good ? ERR_OK : ERR_IO;
}

/* Syncs a file of somebody else's and gives it its place. */
static bool move_in(const char *from, const char *hex, const char *path)
{
    int fd = open(from, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0 && folders_make(hex) && rename(from, path) == 0;

    if (fd >= 0) {
        close(fd);
    }
    if (good) {
        entry_sync(hex);
    }
    return good;
}

enum err blob_adopt(const char *path, const char *hex, size_t size)
{
    if (!is_name(hex)) {
        return ERR_INVALID;
    }
    char *place = path_of(hex);
    bool good = renew(place, size) || (root[0] != '\0' && move_in(path, hex, place));
    if (!good) {
        log_warn("blob.failed", "errno=%d bytes=%zu", errno, size);
    }
    free(place);
    return good ? ERR_OK : ERR_IO;
}

/* Adds all of the file to out. */
static enum err read_all(int fd, struct buf *out)
{
    char piece[65536];

    for (;;) {
        ssize_t got = read(fd, piece, sizeof piece);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return ERR_IO;
        }
        if (got == 0) {
            return buf_ok(out) ? ERR_OK : ERR_LIMIT;
        }
        buf_add(out, piece, (size_t)got);
    }
}

enum err blob_get(const char *hex, struct buf *out)
{
    char found[65];
    size_t before = out->len;

    if (!is_name(hex)) {
        return ERR_NOTFOUND;
    }
    char *path = path_of(hex);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOTFOUND : ERR_IO;
    }
    enum err rc = read_all(fd, out);
    close(fd);
    if (rc == ERR_OK) {
        sha256_hex(buf_str(out) + before, out->len - before, found);
        rc = strcmp(found, hex) == 0 ? ERR_OK : ERR_CORRUPT;
    }
    return rc;
}

char *blob_path(const char *hex)
{
    return is_name(hex) ? path_of(hex) : NULL;
}

enum err blob_size(const char *hex, size_t *size)
{
    struct stat info;

    if (!is_name(hex)) {
        return ERR_NOTFOUND;
    }
    char *path = path_of(hex);
    int rc = stat(path, &info);
    free(path);
    *size = rc == 0 ? (size_t)info.st_size : 0;
    return rc == 0 ? ERR_OK : ERR_NOTFOUND;
}

/* ---- piece by piece ---- */

struct blob_sink {
    int fd;
    char *path; /* of the piece file */
    size_t size;
    struct sha256_sum *sum;
    bool failed;
};

struct blob_sink *blob_sink_new(void)
{
    struct blob_sink *sink = xcalloc(1, sizeof *sink);
    bool made = root[0] != '\0' && (mkdir(root, 0700) == 0 || errno == EEXIST);

    sink->path = xasprintf("%s/" PART_PREFIX "%016llx", root, (unsigned long long)random_below(UINT64_MAX));
    sink->fd = made ? open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    sink->failed = sink->fd < 0;
    sink->sum = sha256_begin();
    return sink;
}

bool blob_sink_add(struct blob_sink *sink, const void *data, size_t size)
{
    sink->failed = sink->failed || !file_write(sink->fd, data, size);
    sha256_add(sink->sum, data, size);
    sink->size += size;
    return !sink->failed;
}

size_t blob_sink_size(const struct blob_sink *sink)
{
    return sink->size;
}

/* Gives the piece file its place. */
static bool sink_place(struct blob_sink *sink, const char *hex)
{
    char *path = path_of(hex);
    bool there = renew(path, sink->size);
    bool good = there || (fsync(sink->fd) == 0 && folders_make(hex) && rename(sink->path, path) == 0);

    if (good && !there) {
        entry_sync(hex);
    }
    free(path);
    return good;
}

enum err blob_sink_end(struct blob_sink *sink, char hex[65])
{
    uint8_t sum[SHA256_SIZE];

    sha256_end(sink->sum, sum);
    sink->sum = NULL;
    hex_encode(sum, sizeof sum, hex);
    bool good = !sink->failed && sink_place(sink, hex);
    if (!good) {
        log_warn("blob.failed", "errno=%d bytes=%zu", errno, sink->size);
    }
    blob_sink_free(sink);
    return good ? ERR_OK : ERR_IO;
}

void blob_sink_free(struct blob_sink *sink)
{
    uint8_t unused[SHA256_SIZE];

    if (sink == NULL) {
        return;
    }
    if (sink->sum != NULL) {
        sha256_end(sink->sum, unused);
    }
    if (sink->fd >= 0) {
        close(sink->fd);
        unlink(sink->path); /* gone already if it found its place */
    }
    free(sink->path);
    free(sink);
}

/* ---- sweeping ---- */

/* A sweep under way. */
struct sweeping {
    time_t before;
    bool (*named)(const char *hex, void *arg);
    void *arg;
    unsigned swept;
};

/* Unlinks the file if it is still old. */
static void old_unlink(struct sweeping *s, const char *path)
{
    struct stat info;

    pthread_mutex_lock(&age_lock);
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_mtime < s->before && unlink(path) == 0) {
        s->swept++;
    }
    pthread_mutex_unlock(&age_lock);
}

/* One folder of blobs: what has no blob's name is left of a write that broke off. */
static void folder_sweep(struct sweeping *s, const char *name)
{
    char hex[80];
    char *folder = xasprintf("%s/%s", root, name);
    DIR *dir = opendir(folder);

    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        snprintf(hex, sizeof hex, "%s%.70s", name, e->d_name);
        if (e->d_name[0] != '.' && !(is_name(hex) && s->named(hex, s->arg))) {
            char *path = xasprintf("%s/%s", folder, e->d_name);
            old_unlink(s, path);
            free(path);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    free(folder);
}

unsigned blob_sweep(int64_t before_ms, bool (*named)(const char *hex, void *arg), void *arg)
{
    struct sweeping s = {.before = (time_t)(before_ms / 1000), .named = named, .arg = arg};
    DIR *dir = opendir(root);

    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, PART_PREFIX, strlen(PART_PREFIX)) == 0) {
            char *path = xasprintf("%s/%s", root, e->d_name);
            old_unlink(&s, path);
            free(path);
        } else if (strlen(e->d_name) == 2 && strspn(e->d_name, "0123456789abcdef") == 2) {
            folder_sweep(&s, e->d_name);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return s.swept;
}

/* ---- types ---- */

static const struct {
    size_t at;
    const char *bytes;
    size_t size;
    const char *type;
} magic[] = {
    {0, "\xff\xd8\xff", 3, "image/jpeg"}, {0, "\x89PNG\r\n\x1a\n", 8, "image/png"},
    {0, "GIF8", 4, "image/gif"},          {8, "WEBP", 4, "image/webp"},
    {0, "OggS", 4, "audio/ogg"},          {0, "ID3", 3, "audio/mpeg"},
    {0, "\xff\xfb", 2, "audio/mpeg"},     {0, "\xff\xf3", 2, "audio/mpeg"},
    {0, "\xff\xf2", 2, "audio/mpeg"},     {8, "WAVE", 4, "audio/wav"},
    {0, "fLaC", 4, "audio/flac"},         {0, "\xff\xf1", 2, "audio/aac"},
    {0, "\xff\xf9", 2, "audio/aac"},      {0, "#!AMR", 5, "audio/amr"},
    {4, "ftypM4A", 7, "audio/mp4"},       {4, "ftyp3gp", 7, "video/3gpp"},
    {4, "ftyp", 4, "video/mp4"},          {0, "%PDF-", 5, "application/pdf"},
};

/* The magic number's type; NULL if the bytes show none. */
static const char *magic_type(const char *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        if (size >= magic[i].at + magic[i].size &&
            memcmp(bytes + magic[i].at, magic[i].bytes, magic[i].size) == 0) {
            return magic[i].type;
        }
    }
    return NULL;
}

/* Texts have no magic number: a declared type of these is believed if the bytes are clean UTF-8. */
static const char *text_type(const char *declared)
{
    static const char *const types[] = {"text/plain", "text/markdown", "text/csv"};
    static const char *const served[] = {"text/plain; charset=utf-8", "text/markdown; charset=utf-8",
                                         "text/csv; charset=utf-8"};

    for (size_t i = 0; declared != NULL && i < sizeof types / sizeof *types; i++) {
        size_t len = strlen(types[i]);
        if (strncmp(declared, types[i], len) == 0 &&
            (declared[len] == '\0' || strchr("; ", declared[len]) != NULL)) {
            return served[i];
        }
    }
    return NULL;
}

const char *blob_sniff(const void *data, size_t size, const char *declared)
{
    const char *type = magic_type(data, size);

    if (type != NULL) {
        return type;
    }
    type = text_type(declared);
    return type != NULL && memchr(data, '\0', size) == NULL && utf8_valid(data, size)
               ? type
               : "application/octet-stream";
}

const char *blob_type(const char *hex, const char *declared)
{
    char head[64];
    size_t size = 0;
    const char *type = NULL;
    char *path = is_name(hex) ? path_of(hex) : NULL;
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got = fd >= 0 ? read(fd, head, sizeof head) : -1;

    free(path);
    if (fd >= 0) {
        close(fd);
    }
    type = got > 0 ? magic_type(head, (size_t)got) : NULL;
    if (type == NULL && text_type(declared) != NULL && blob_size(hex, &size) == ERR_OK &&
        size <= TEXT_LOOK_MAX) {
        struct buf bytes;
        buf_init(&bytes, TEXT_LOOK_MAX);
        type = blob_get(hex, &bytes) == ERR_OK ? blob_sniff(buf_str(&bytes), bytes.len, declared) : NULL;
        buf_fini(&bytes);
    }
    return type != NULL ? type : "application/octet-stream";
}
