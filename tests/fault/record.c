/* record.c: a library to preload that writes down what a program does to one file and when it was durable.
 *
 * SIGKILL leaves the page cache as it is, so it cannot see a missing sync. This shim keeps the order of
 * writes, syncs and the program's acknowledgements (record.h); powerloss.py then builds what a disk may hold
 * when the power fails at any point of that order. The call itself is made as a plain system call, so that it
 * does not matter what else is preloaded. A write is made and logged under one lock: the log's order is the
 * order. A sync is logged when it begins and when it has returned: only writes from before its beginning are
 * durable by it. The file is known by device and inode, so no descriptor is missed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record.h"

#define LOG_FD_MIN 200

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static uint64_t number; /* of the next record */
static const char *target;
static struct stat target_stat, parent_stat;
static bool target_known;

__attribute__((constructor)) static void record_start(void)
{
    const char *path = getenv(RECORD_ENV_LOG);
    char parent[4096];

    target = getenv(RECORD_ENV_FILE);
    if (path == NULL || target == NULL || strlen(target) >= sizeof parent) {
        return;
    }
    memcpy(parent, target, strlen(target) + 1);
    char *slash = strrchr(parent, '/');
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (slash == NULL || fd < 0) {
        abort();
    }
    *slash = '\0';
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD_MIN);
    close(fd);
    if (log_fd < 0 || stat(parent, &parent_stat) != 0) {
        abort();
    }
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* True for a descriptor of the data file. */
static bool is_target_locked(int fd)
{
    struct stat st;

    if (!target_known && stat(target, &target_stat) == 0) {
        target_known = true;
    }
    return target_known && fstat(fd, &st) == 0 && same(&st, &target_stat);
}

/* Adds one record; returns its number. A log with a hole would prove nothing, so a failure ends the program.
 */
static uint64_t log_locked(char type, uint64_t offset, const struct iovec *data, int count, size_t size)
{
    struct record_head head = {.type = (uint32_t)type, .size = (uint32_t)size, .offset = offset};

    if (syscall(SYS_write, log_fd, &head, sizeof head) != (long)sizeof head) {
        abort();
    }
    for (int i = 0; i < count && size > 0; i++) {
        size_t part = data[i].iov_len < size ? data[i].iov_len : size;
        if (syscall(SYS_write, log_fd, data[i].iov_base, part) != (long)part) {
            abort();
        }
        size -= part;
    }
    return number++;
}

static void log_note(char type, const char *text)
{
    struct iovec data = {.iov_base = (void *)text, .iov_len = strlen(text)};

    pthread_mutex_lock(&lock);
    log_locked(type, 0, &data, 1, data.iov_len);
    pthread_mutex_unlock(&lock);
}

/* The call of a write; offset -1: at the descriptor's position. */
static long write_call(int fd, const struct iovec *data, int count, off_t offset)
{
    return offset < 0 ? syscall(SYS_writev, fd, data, count)
                      : syscall(SYS_pwritev, fd, data, count, (long)offset, 0L);
}

/* Makes a write and logs what of it was done. */
static ssize_t write_logged(int fd, const struct iovec *data, int count, off_t offset)
{
    if (log_fd < 0) {
        return write_call(fd, data, count, offset);
    }
    pthread_mutex_lock(&lock);
    bool ours = is_target_locked(fd), ack = fd == RECORD_ACK_FD;
    off_t at = offset < 0 && ours ? lseek(fd, 0, SEEK_CUR) : offset;
    long done = write_call(fd, data, count, offset);
    int error = errno;
    if (done > 0 && ours) {
        uint64_t written = log_locked('W', (uint64_t)at, data, count, (size_t)done);
        if ((fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
            log_locked('D', written, NULL, 0, 0);
        }
    } else if (done > 0 && ack) {
        log_locked('A', 0, data, count, (size_t)done);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *data, size_t size)
{
    struct iovec one = {.iov_base = (void *)data, .iov_len = size};

    return write_logged(fd, &one, 1, -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct iovec one = {.iov_base = (void *)data, .iov_len = size};

    return write_logged(fd, &one, 1, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return pwrite(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec *data, int count)
{
    return write_logged(fd, data, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *data, int count, off_t offset)
{
    return write_logged(fd, data, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *data, int count, off64_t offset)
{
    return write_logged(fd, data, count, offset);
}

int ftruncate(int fd, off_t size)
{
    pthread_mutex_lock(&lock);
    long rc = syscall(SYS_ftruncate, fd, (long)size);
    int error = errno;
    if (rc == 0 && log_fd >= 0 && is_target_locked(fd)) {
        log_locked('T', (uint64_t)size, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return (int)rc;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

/* A sync by either call, of the data file or of its directory. */
static int sync_logged(long call, int fd)
{
    struct stat st;
    uint64_t began = 0;

    if (log_fd < 0) {
        return (int)syscall(call, fd);
    }
    pthread_mutex_lock(&lock);
    bool ours = is_target_locked(fd);
    if (ours) {
        began = log_locked('B', 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    long rc = syscall(call, fd);
    int error = errno;
    pthread_mutex_lock(&lock);
    if (rc == 0 && ours) {
        log_locked('E', began, NULL, 0, 0);
    } else if (rc == 0 && target_known && fstat(fd, &st) == 0 && same(&st, &parent_stat)) {
        log_locked('N', 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return (int)rc;
}

int fdatasync(int fd)
{
    return sync_logged(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return sync_logged(SYS_fsync, fd);
}

/* Stores through a writable shared map never pass a call: such a run cannot be judged. */
void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
    bool shared = (flags & MAP_SHARED) != 0 && (prot & PROT_WRITE) != 0;

    if (log_fd >= 0 && fd >= 0 && shared) {
        pthread_mutex_lock(&lock);
        bool ours = is_target_locked(fd);
        pthread_mutex_unlock(&lock);
        if (ours) {
            log_note('X', "writable map");
        }
    }
    return (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int prot, int flags, int fd, off64_t offset)
{
    return mmap(at, size, prot, flags, fd, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    long rc = syscall(SYS_fallocate, fd, mode, (long)offset, (long)size);
    int error = errno;

    pthread_mutex_lock(&lock);
    bool ours = log_fd >= 0 && is_target_locked(fd);
    pthread_mutex_unlock(&lock);
    if (rc == 0 && ours) {
        log_note('X', "fallocate");
    }
    errno = error;
    return (int)rc;
}
