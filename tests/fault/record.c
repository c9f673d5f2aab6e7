/* record.c: a library to preload that writes down what a program does to some files and when it was durable.
 *
 * SIGKILL leaves the page cache as it is, so it cannot see a missing sync. This shim keeps the order of
 * writes, syncs and the program's acknowledgements (record.h); powerloss.py then builds what a disk may hold
 * when the power fails at any point of that order. The call itself is made as a plain system call, so that it
 * does not matter what else is preloaded. A write is made and logged under one lock: the log's order is the
 * order. A sync is logged when it begins and when it has returned: only writes from before its beginning are
 * durable by it. A file is known by device and inode, so no descriptor is missed. */
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
static struct target {
    const char *path;
    struct stat st;
    bool known;
} targets[RECORD_FILES_MAX];
static int target_count;
static struct stat parent_stat;

/* Takes the list of paths apart, and looks at the directory of the first. */
static void targets_read(char *list)
{
    char *rest;

    for (char *path = strtok_r(list, ":", &rest); path != NULL; path = strtok_r(NULL, ":", &rest)) {
        if (target_count == RECORD_FILES_MAX) {
            abort();
        }
        targets[target_count++].path = path;
    }
    char *parent = target_count > 0 ? strdup(targets[0].path) : NULL;
    char *slash = parent != NULL ? strrchr(parent, '/') : NULL;
    if (slash == NULL) {
        abort();
    }
    *slash = '\0';
    if (stat(parent, &parent_stat) != 0) {
        abort();
    }
    free(parent);
}

__attribute__((constructor)) static void record_start(void)
{
    const char *path = getenv(RECORD_ENV_LOG), *list = getenv(RECORD_ENV_FILES);

    if (path == NULL || list == NULL) {
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        abort();
    }
    targets_read(strdup(list));
    log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD_MIN);
    close(fd);
    if (log_fd < 0) {
        abort();
    }
}

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Which of the files a descriptor is of; -1: none. */
static int target_locked(int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return -1;
    }
    for (int i = 0; i < target_count; i++) {
        struct target *target = &targets[i];
        if (!target->known) {
            target->known = stat(target->path, &target->st) == 0;
        }
        if (target->known && same(&st, &target->st)) {
            return i;
        }
    }
    return -1;
}

/* Adds one record; returns its number. A log with a hole would prove nothing, so a failure ends the program.
 */
static uint64_t log_locked(char type, int file, uint64_t offset, const struct iovec *data, int count,
                           size_t size)
{
    struct record_head head = {
        .type = (uint16_t)type, .file = (uint16_t)file, .size = (uint32_t)size, .offset = offset};

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
    log_locked(type, 0, 0, &data, 1, data.iov_len);
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
    int file = target_locked(fd);
    bool ours = file >= 0, ack = fd == RECORD_ACK_FD;
    off_t at = offset < 0 && ours ? lseek(fd, 0, SEEK_CUR) : offset;
    long done = write_call(fd, data, count, offset);
    int error = errno;
    if (done > 0 && ours) {
        uint64_t written = log_locked('W', file, (uint64_t)at, data, count, (size_t)done);
        if ((fcntl(fd, F_GETFL) & O_DSYNC) != 0) {
            log_locked('D', file, written, NULL, 0, 0);
        }
    } else if (done > 0 && ack) {
        log_locked('A', 0, 0, data, count, (size_t)done);
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
    int file = rc == 0 && log_fd >= 0 ? target_locked(fd) : -1;
    if (file >= 0) {
        log_locked('T', file, (uint64_t)size, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return (int)rc;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

/* A sync by either call, of one of the files or of their directory. */
static int sync_logged(long call, int fd)
{
    struct stat st;
    uint64_t began = 0;

    if (log_fd < 0) {
        return (int)syscall(call, fd);
    }
    pthread_mutex_lock(&lock);
    int file = target_locked(fd);
    if (file >= 0) {
        began = log_locked('B', file, 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    long rc = syscall(call, fd);
    int error = errno;
    pthread_mutex_lock(&lock);
    if (rc == 0 && file >= 0) {
        log_locked('E', file, began, NULL, 0, 0);
    } else if (rc == 0 && fstat(fd, &st) == 0 && same(&st, &parent_stat)) {
        log_locked('N', 0, 0, NULL, 0, 0);
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
        bool ours = target_locked(fd) >= 0;
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
    bool ours = log_fd >= 0 && target_locked(fd) >= 0;
    pthread_mutex_unlock(&lock);
    if (rc == 0 && ours) {
        log_note('X', "fallocate");
    }
    errno = error;
    return (int)rc;
}
