/* blob.c: content-addressed files. */
#include "queue/base/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"

static char root[3072];

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

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t put = write(fd, data, size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        data += put;
        size -= (size_t)put;
    }
    return true;
}

/* The directory entry is durable too. */
static void folder_sync(const char *hex)
{
    char *folder = xasprintf("%s/%.2s", root, hex);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        if (fsync(fd) != 0) {
            log_warn("blob.sync", "errno=%d", errno);
        }
        close(fd);
    }
    free(folder);
}

/* Writes the temporary file and gives it its name. */
static bool store(const char *path, const char *hex, const void *data, size_t size)
{
    char *temporary = xasprintf("%s.%llx", path, (unsigned long long)random_below(UINT64_MAX));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write_all(fd, data, size) && fsync(fd) == 0;

    if (fd >= 0) {
        good = close(fd) == 0 && good;
    }
    good = good && rename(temporary, path) == 0;
    if (good) {
        folder_sync(hex);
    } else {
        unlink(temporary);
    }
    free(temporary);
    return good;
}

enum err blob_put(const void *data, size_t size, char hex[65])
{
    struct stat info;

    sha256_hex(data, size, hex);
    char *path = path_of(hex);
    bool there = stat(path, &info) == 0 && (size_t)info.st_size == size;
    bool good = there || (root[0] != '\0' && folders_make(hex) && store(path, hex, data, size));
    if (!good) {
        log_warn("blob.failed", "errno=%d bytes=%zu", errno, size);
    }
    free(path);
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
        sha256_hex(buf_str(out), out->len, found);
        rc = strcmp(found, hex) == 0 ? ERR_OK : ERR_CORRUPT;
    }
    return rc;
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
    {0, "\xff\xfb", 2, "audio/mpeg"},     {0, "\xff\xf1", 2, "audio/aac"},
    {0, "\xff\xf9", 2, "audio/aac"},      {0, "#!AMR", 5, "audio/amr"},
    {4, "ftypM4A", 7, "audio/mp4"},       {4, "ftyp3gp", 7, "video/3gpp"},
    {4, "ftyp", 4, "video/mp4"},          {0, "%PDF-", 5, "application/pdf"},
};

const char *blob_sniff(const void *data, size_t size, const char *declared)
{
    const char *bytes = data;

    for (size_t i = 0; i < sizeof magic / sizeof *magic; i++) {
        if (size >= magic[i].at + magic[i].size &&
            memcmp(bytes + magic[i].at, magic[i].bytes, magic[i].size) == 0) {
            return magic[i].type;
        }
    }
    bool text = declared != NULL && strncmp(declared, "text/plain", 10) == 0;
    return text && memchr(data, '\0', size) == NULL && utf8_valid(data, size) ? "text/plain; charset=utf-8"
                                                                              : "application/octet-stream";
}
