/* file.c: whole writes and durable folders. */
#include "queue/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool file_write(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t put = write(fd, at, size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        at += put;
        size -= (size_t)put;
    }
    return true;
}

enum err folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return err_from_errno(errno);
    }
    enum err rc = fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);
    close(fd);
    return rc;
}
