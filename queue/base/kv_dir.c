/* kv_dir.c: an flock, a list and a few questions to the file system. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "queue/base/kv_dir.h"

#include "queue/base/file.h"

#define FULL_BELOW ((unsigned long long)1 << 20) /* bytes: with less room a failed write was a full disk */

static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct kv_dir *open_list;

/* Enters a directory in the list of open ones; ERR_BUSY if it is there. */
static enum err list_add(struct kv_dir *dir)
{
    struct stat st;
    enum err rc = ERR_OK;

    if (stat(dir->path, &st) != 0) {
        return err_from_errno(errno);
    }
    dir->device = st.st_dev;
    dir->inode = st.st_ino;
    pthread_mutex_lock(&open_mutex);
    for (const struct kv_dir *other = open_list; other != NULL; other = other->next) {
        if (other->device == dir->device && other->inode == dir->inode) {
            rc = ERR_BUSY;
        }
    }
    if (rc == ERR_OK) {
        dir->next = open_list;
        open_list = dir;
    }
    pthread_mutex_unlock(&open_mutex);
    return rc;
}

/* Takes a directory out of the list, if it is there. */
static void list_remove(struct kv_dir *dir)
{
    struct kv_dir **at = &open_list;

    pthread_mutex_lock(&open_mutex);
    while (*at != NULL && *at != dir) {
        at = &(*at)->next;
    }
    if (*at == dir) {
        *at = dir->next;
    }
    pthread_mutex_unlock(&open_mutex);
}

/* Takes the lock and writes our process id into it, for people to read. */
static enum err lock_take(struct kv_dir *dir)
{
    char *path = xasprintf("%s/lock.pid", dir->path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    free(path);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        enum err rc = errno == EWOULDBLOCK ? ERR_BUSY : err_from_errno(errno);
        close(fd);
        return rc;
    }
    dir->lock_fd = fd;
    /* A full disk must not keep the daemon from starting, so the number may be missing. */
    if (ftruncate(fd, 0) == 0) {
        dprintf(fd, "%ld\n", (long)getpid());
    }
    return ERR_OK;
}

/* Makes a directory ours. */
enum err kv_dir_claim(struct kv_dir *dir, const char *path, bool read_only)
{
    enum err rc;

    *dir = (struct kv_dir){.path = xstrdup(path), .lock_fd = -1};
    if (!read_only && mkdir(path, 0700) != 0 && errno != EEXIST) {
        return err_from_errno(errno);
    }
    rc = list_add(dir);
    if (rc == ERR_OK && !read_only) {
        rc = lock_take(dir);
    }
    return rc;
}

/* Lets go of a directory. */
void kv_dir_release(struct kv_dir *dir)
{
    list_remove(dir);
    if (dir->lock_fd >= 0) {
        close(dir->lock_fd);
    }
    free(dir->path);
    *dir = (struct kv_dir){.lock_fd = -1};
}

/* Syncs a directory and its parent. A parent that we may pass but not read is its owner's to sync. */
enum err kv_dir_sync(const char *path)
{
    char *parent = xasprintf("%s/..", path);
    enum err rc = folder_sync(path);

    if (rc == ERR_OK) {
        rc = folder_sync(parent);
        rc = rc == ERR_DENIED ? ERR_OK : rc;
    }
    free(parent);
    return rc;
}

/* Asks the file system for its room. */
bool kv_dir_full(const char *path)
{
    struct statvfs fs;

    return statvfs(path, &fs) == 0 && (unsigned long long)fs.f_bavail * fs.f_frsize < FULL_BELOW;
}

/* Reads the directory up to the first name that is not "." or "..". */
bool kv_dir_empty(const char *path)
{
    DIR *stream = opendir(path);
    const struct dirent *entry;
    bool empty = true;

    if (stream == NULL) {
        return false;
    }
    for (entry = readdir(stream); entry != NULL && empty; entry = readdir(stream)) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(stream);
    return empty;
}
