/* tree.c: files and folders for backup and restore; see tree.h. */
#include "bridge/cli/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/base/clock.h"
#include "queue/base/codec.h"
#include "queue/base/crypto.h"
#include "queue/base/file.h"
#include "queue/base/killpoint.h"
#include "queue/store.h"

#define PIECE 65536
#define MANIFEST_MAX (64u << 20)

enum cli_exit tree_make(const char *path)
{
    char *copy = xstrdup(path);
    for (char *at = copy + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            mkdir(copy, 0700);
            *at = '/';
        }
    }
    int failed = mkdir(copy, 0700) != 0 && errno != EEXIST;
    int why = errno;
    free(copy);
    return failed ? cli_fail(EXIT_FAILED, "cannot create %s: %s", path, strerror(why)) : EXIT_DONE;
}

/* Neither "." nor "..". */
static int real_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

bool tree_is_free(const char *path)
{
    struct dirent **names = NULL;
    int count = scandir(path, &names, real_entry, NULL);
    for (int i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return count == 0 || (count < 0 && errno == ENOENT);
}

/* Moves the bytes of one descriptor to another (out < 0: only summed), with their sum and size. */
static bool pour(int in, int out, uint8_t sum[SHA256_SIZE], int64_t *size)
{
    char piece[PIECE];
    struct sha256_sum *state = sha256_begin();
    ssize_t got = 0;
    bool fine = true;
    *size = 0;
    do {
        got = read(in, piece, sizeof(piece));
        fine = got >= 0 && (out < 0 || got == 0 || write(out, piece, (size_t)got) == got);
        if (fine && got > 0) {
            sha256_add(state, piece, (size_t)got);
            *size += got;
        }
    } while (fine && got > 0);
    sha256_end(state, sum);
    return fine;
}

enum cli_exit tree_copy_file(const char *from, const char *to)
{
    uint8_t sum[SHA256_SIZE];
    int64_t size = 0;
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    bool fine = out >= 0 && pour(in, out, sum, &size) && fsync(out) == 0;
    int why = errno;
    if (in >= 0) {
        close(in);
    }
    if (out >= 0) {
        fine = close(out) == 0 && fine;
    }
    return fine ? EXIT_DONE : cli_fail(EXIT_FAILED, "cannot copy %s to %s: %s", from, to, strerror(why));
}

typedef enum cli_exit (*visit_fn)(const char *path, const char *relative, bool folder, void *arg);

/* Calls visit for everything below root/relative, folders before what they hold, in the order of names. */
static enum cli_exit visit_below(const char *root, const char *relative, visit_fn visit, void *arg)
{
    char *here = relative[0] != '\0' ? xasprintf("%s/%s", root, relative) : xstrdup(root);
    struct dirent **names = NULL;
    int count = scandir(here, &names, real_entry, alphasort);
    enum cli_exit code = EXIT_DONE;
    if (count < 0 && errno != ENOENT) {
        code = cli_fail(EXIT_FAILED, "cannot read %s: %s", here, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        char *below = relative[0] != '\0' ? xasprintf("%s/%s", relative, names[i]->d_name) : xstrdup(names[i]->d_name);
        char *path = xasprintf("%s/%s", root, below);
        struct stat st;
        if (code == EXIT_DONE && lstat(path, &st) == 0 && (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
            code = visit(path, below, S_ISDIR(st.st_mode), arg);
            if (code == EXIT_DONE && S_ISDIR(st.st_mode)) {
                code = visit_below(root, below, visit, arg);
            }
        }
        free(path);
        free(below);
        free(names[i]);
    }
    free(names);
    free(here);
    return code;
}

/* Copies one entry below the target folder. */
static enum cli_exit copy_entry(const char *path, const char *relative, bool folder, void *arg)
{
    char *to = xasprintf("%s/%s", (const char *)arg, relative);
    enum cli_exit code = folder ? tree_make(to) : tree_copy_file(path, to);
    free(to);
    return code;
}

enum cli_exit tree_copy(const char *from, const char *to)
{
    struct stat st;
    if (lstat(from, &st) != 0) {
        return EXIT_DONE;
    }
    enum cli_exit code = tree_make(to);
    return code == EXIT_DONE ? visit_below(from, "", copy_entry, (void *)to) : code;
}

/* The sum of a file as hex, and its size. */
static bool file_sum(const char *path, char hex[65], int64_t *size)
{
    uint8_t sum[SHA256_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool fine = fd >= 0 && pour(fd, -1, sum, size);
    if (fd >= 0) {
        close(fd);
    }
    if (fine) {
        hex_encode(sum, sizeof(sum), hex);
    }
    return fine;
}

/* The names in a folder are durable. */
static enum cli_exit synced(const char *dir)
{
    enum err rc = folder_sync(dir);
    return rc == ERR_OK ? EXIT_DONE : cli_fail(EXIT_FAILED, "cannot sync %s: %s", dir, err_text(rc));
}

/* Syncs one folder of a walk. */
static enum cli_exit sync_entry(const char *path, const char *relative, bool folder, void *arg)
{
    (void)relative;
    (void)arg;
    return folder ? synced(path) : EXIT_DONE;
}

enum cli_exit tree_sync(const char *dir)
{
    enum cli_exit code = visit_below(dir, "", sync_entry, NULL);
    return code == EXIT_DONE ? synced(dir) : code;
}

/* Adds one file to the manifest's list. */
static enum cli_exit list_entry(const char *path, const char *relative, bool folder, void *arg)
{
    char hex[65];
    int64_t size = 0;
    if (folder || strcmp(relative, TREE_MANIFEST) == 0 || strcmp(relative, TREE_NOTE) == 0) {
        return EXIT_DONE;
    }
    if (!file_sum(path, hex, &size)) {
        return cli_fail(EXIT_FAILED, "cannot read %s back", path);
    }
    json_t *row = json_object();
    jx_set_str(row, "path", relative);
    jx_set_int(row, "size", size);
    jx_set_str(row, "sha256", hex);
    jx_push(arg, row);
    return EXIT_DONE;
}

/* Writes text to a new file and syncs it. */
static enum cli_exit write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    bool fine = fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0) {
        fine = close(fd) == 0 && fine;
    }
    return fine ? EXIT_DONE : cli_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(why));
}

enum cli_exit tree_manifest_write(const char *dir)
{
    json_t *manifest = json_object(), *files = json_array();
    enum cli_exit code = visit_below(dir, "", list_entry, files);
    jx_set_int(manifest, "format", TREE_FORMAT);
    jx_set_str(manifest, "version", CHASQUI_VERSION);
    jx_set_int(manifest, "schema", STORE_SCHEMA);
    jx_set_time(manifest, "created_at", clock_wall_ms());
    jx_set(manifest, "files", files);
    if (code == EXIT_DONE) {
        char *path = xasprintf("%s/" TREE_MANIFEST, dir);
        char *text = jx_text(manifest);
        KILL_POINT("backup.manifest");
        code = write_file(path, text);
        free(text);
        free(path);
    }
    json_decref(manifest);
    return code == EXIT_DONE ? tree_sync(dir) : code;
}

enum cli_exit tree_note_put(const char *dir)
{
    char *path = xasprintf("%s/" TREE_NOTE, dir);
    enum cli_exit code = write_file(path, "This backup is not finished.\n");
    free(path);
    return code == EXIT_DONE ? synced(dir) : code;
}

bool tree_note_is(const char *dir)
{
    char *path = xasprintf("%s/" TREE_NOTE, dir);
    bool is = access(path, F_OK) == 0;
    free(path);
    return is;
}

enum cli_exit tree_note_drop(const char *dir)
{
    char *path = xasprintf("%s/" TREE_NOTE, dir);
    enum cli_exit code =
        unlink(path) == 0 ? EXIT_DONE : cli_fail(EXIT_FAILED, "cannot remove %s: %s", path, strerror(errno));
    free(path);
    return code == EXIT_DONE ? synced(dir) : code;
}

/* Removes one entry of a walk; what is below a folder goes first. */
static enum cli_exit remove_entry(const char *path, const char *relative, bool folder, void *arg)
{
    (void)relative;
    (void)arg;
    enum cli_exit code = folder ? visit_below(path, "", remove_entry, NULL) : EXIT_DONE;
    if (code == EXIT_DONE && remove(path) != 0 && errno != ENOENT) {
        code = cli_fail(EXIT_FAILED, "cannot remove %s: %s", path, strerror(errno));
    }
    return code;
}

enum cli_exit tree_remove(const char *path)
{
    struct stat st;
    return remove_entry(path, "", lstat(path, &st) == 0 && S_ISDIR(st.st_mode), NULL);
}

/* One row of the manifest against the file on disk. */
static enum cli_exit check_row(const char *dir, const json_t *row)
{
    const char *relative = jx_str_or(row, "path", "");
    char hex[65] = "";
    int64_t size = -1;
    if (relative[0] == '/' || relative[0] == '\0' || strstr(relative, "..") != NULL) {
        return cli_fail(EXIT_PROBLEMS, "the manifest names a file outside the backup: %s", relative);
    }
    char *path = xasprintf("%s/%s", dir, relative);
    bool read = file_sum(path, hex, &size);
    free(path);
    if (!read) {
        return cli_fail(EXIT_PROBLEMS, "%s is missing from the backup", relative);
    }
    if (size != jx_int(row, "size", -2) || strcmp(hex, jx_str_or(row, "sha256", "")) != 0) {
        return cli_fail(EXIT_PROBLEMS, "%s is damaged: size or SHA-256 differ from the manifest", relative);
    }
    return EXIT_DONE;
}

/* Reads DIR/manifest.json. */
static enum cli_exit manifest_read(const char *dir, json_t **manifest)
{
    char *path = xasprintf("%s/" TREE_MANIFEST, dir);
    json_error_t error;
    *manifest = json_load_file(path, 0, &error);
    free(path);
    if (*manifest == NULL) {
        return cli_fail(EXIT_NOT_FOUND, "%s holds no backup: %s", dir, error.text);
    }
    if (jx_int(*manifest, "format", 0) > TREE_FORMAT || jx_int(*manifest, "schema", 0) > STORE_SCHEMA) {
        return cli_fail(EXIT_REFUSED, "the backup was made by a newer version (%s)", jx_str_or(*manifest, "version", "?"));
    }
    return EXIT_DONE;
}

enum cli_exit tree_manifest_check(const char *dir, json_t **manifest)
{
    enum cli_exit code = manifest_read(dir, manifest);
    size_t i;
    json_t *row;
    json_array_foreach(jx_arr(*manifest, "files"), i, row) {
        if (code == EXIT_DONE) {
            code = check_row(dir, row);
        }
    }
    return code;
}
