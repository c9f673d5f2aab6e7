/* backup.c: `chasqui backup DIR` and `chasqui restore DIR`.
 *
 * A backup is consistent with everything acknowledged before it began: the store by its own online copy (through the daemon when
 * one runs, else directly), media files as they are (they are named by their content and never change). The knowledge index is
 * derived and left out. The master key that opens sealed credentials is left out, too, unless --with-key says
 * otherwise: a backup alone then gives nobody the business's tokens.
 *
 * Cut short, a backup is no backup: it has no manifest, and a note in it says so, by which the next run into the same folder clears
 * what the last one left. A restore copies the master key last, and no daemon starts without it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/cli/client.h"
#include "bridge/cli/tree.h"
#include "bridge/serve.h"
#include "queue/base/killpoint.h"
#include "queue/base/option.h"
#include "queue/store.h"

#define BLOBS "blobs"
#define KEY "master.key"

/* Opens the store of this data directory for a moment. */
static enum err open_store(struct store **store)
{
    char *uri = xasprintf("lmdb:%s/store", serve_data_dir());
    enum err rc = store_open(uri, (uint64_t)option_int(OPT_MAP_SIZE), (unsigned)option_int(OPT_STORE_BACKLOG), store);
    free(uri);
    return rc;
}

/* Lets the running daemon make the copy. */
static enum cli_exit copy_by_daemon(struct cli *cli, const char *to)
{
    json_t *body = json_object();
    jx_set_str(body, "dir", to);
    enum cli_exit code = client_call(cli, "POST", "/admin/backup/", body, NULL);
    json_decref(body);
    return code;
}

/* The store into DIR/store. */
static enum cli_exit copy_store(struct cli *cli, const char *dir)
{
    char *to = xasprintf("%s/store", dir);
    enum cli_exit code = tree_make(to);
    struct store *store = NULL;
    enum err rc = code == EXIT_DONE ? open_store(&store) : ERR_OK;
    if (rc == ERR_BUSY) {
        code = copy_by_daemon(cli, to);
    } else if (rc != ERR_OK) {
        code = cli_fail(EXIT_FAILED, "cannot open the store: %s", err_text(rc));
    } else if (store != NULL) {
        rc = store_backup(store, to);
        code = rc == ERR_OK ? EXIT_DONE : cli_fail(EXIT_FAILED, "cannot copy the store: %s", err_text(rc));
        store_close(store);
    }
    free(to);
    return code;
}

/* A part of the data directory next to the store. */
static enum cli_exit copy_part(const char *from_dir, const char *to_dir, const char *name)
{
    char *from = xasprintf("%s/%s", from_dir, name), *to = xasprintf("%s/%s", to_dir, name);
    enum cli_exit code = strcmp(name, KEY) == 0 ? tree_copy_file(from, to) : tree_copy(from, to);
    free(to);
    free(from);
    return code;
}

/* Says what was saved or restored. */
static void report(const struct cli *cli, const char *dir, const json_t *manifest, const char *done)
{
    int64_t bytes = 0;
    size_t i;
    json_t *row;
    json_array_foreach(jx_arr(manifest, "files"), i, row) {
        bytes += jx_int(row, "size", 0);
    }
    size_t count = json_array_size(jx_arr(manifest, "files"));
    if (cli->json) {
        json_t *out = json_object();
        jx_set_str(out, "dir", dir);
        jx_set_int(out, "files", (int64_t)count);
        jx_set_int(out, "bytes", bytes);
        jx_set_str(out, "created_at", jx_str(manifest, "created_at"));
        cli_print_json(out);
        json_decref(out);
    } else {
        printf("%s %zu files, %lld bytes, made %s\n", done, count, (long long)bytes, jx_str_or(manifest, "created_at", "?"));
    }
}

/* The absolute form of a path that exists or whose parent does; the caller frees. */
static char *absolute(const char *path)
{
    if (path[0] == '/') {
        return xstrdup(path);
    }
    char *here = getcwd(NULL, 0);
    char *whole = xasprintf("%s/%s", here != NULL ? here : "", path);
    free(here);
    return whole;
}

/* Removes what a backup that was cut short left; the note goes last. */
static enum cli_exit clear_unfinished(const char *dir)
{
    static const char *const parts[] = {TREE_MANIFEST, KEY, BLOBS, "store", TREE_NOTE};
    enum cli_exit code = EXIT_DONE;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && code == EXIT_DONE; i++) {
        char *path = xasprintf("%s/%s", dir, parts[i]);
        code = tree_remove(path);
        free(path);
    }
    return code;
}

/* An empty folder with the note in it. */
static enum cli_exit begin(const char *dir)
{
    enum cli_exit code = tree_make(dir);
    if (code == EXIT_DONE && tree_note_is(dir)) {
        code = clear_unfinished(dir);
    }
    if (code == EXIT_DONE && !tree_is_free(dir)) {
        code = cli_fail(EXIT_REFUSED, "%s is not empty; a backup never overwrites", dir);
    }
    return code == EXIT_DONE ? tree_note_put(dir) : code;
}

/* Everything that a backup holds, the manifest last. */
static enum cli_exit save(struct cli *cli, const char *dir)
{
    KILL_POINT("backup.begun");
    enum cli_exit code = copy_store(cli, dir);
    KILL_POINT("backup.store");
    if (code == EXIT_DONE) {
        code = copy_part(serve_data_dir(), dir, BLOBS);
    }
    KILL_POINT("backup.blobs");
    if (code == EXIT_DONE && cli->flags[FLAG_WITH_KEY] != NULL) {
        code = copy_part(serve_data_dir(), dir, KEY);
    }
    return code == EXIT_DONE ? tree_manifest_write(dir) : code;
}

enum cli_exit cli_backup(struct cli *cli)
{
    if (cli->arg_count != 1) {
        return cli_fail(EXIT_USAGE, "backup needs one empty or new directory");
    }
    char *dir = absolute(cli->args[0]);
    enum cli_exit code = begin(dir);
    if (code == EXIT_DONE) {
        code = save(cli, dir);
    }
    json_t *manifest = NULL;
    if (code == EXIT_DONE) {
        code = tree_manifest_check(dir, &manifest);
    }
    KILL_POINT("backup.checked");
    if (code == EXIT_DONE) {
        code = tree_note_drop(dir);
    }
    KILL_POINT("backup.done");
    if (code == EXIT_DONE) {
        report(cli, dir, manifest, "saved");
        if (cli->flags[FLAG_WITH_KEY] == NULL) {
            fprintf(stderr, "not in it: %s/" KEY ", without which sealed credentials cannot be opened; keep it elsewhere\n",
                    serve_data_dir());
        }
    }
    json_decref(manifest);
    free(dir);
    return code;
}

/* The master key for a restored directory: out of the backup, or the file named by --key; the caller frees. NULL: there is none. */
static char *key_file(const struct cli *cli, const char *dir)
{
    char *from = cli->flags[FLAG_KEY] != NULL ? xstrdup(cli->flags[FLAG_KEY]) : xasprintf("%s/" KEY, dir);
    if (access(from, R_OK) != 0) {
        free(from);
        return NULL;
    }
    return from;
}

/* Copies the key to its place and makes the names of the new directory durable. */
static enum cli_exit restore_key(const char *from)
{
    char *to = serve_path(KEY);
    enum cli_exit code = tree_copy_file(from, to);
    free(to);
    return code == EXIT_DONE ? tree_sync(serve_data_dir()) : code;
}

/* Opens the restored store once: it must be readable by this version. */
static enum cli_exit try_store(void)
{
    struct store *store = NULL;
    enum err rc = open_store(&store);
    if (rc != ERR_OK) {
        return cli_fail(EXIT_FAILED, "the restored store does not open: %s", err_text(rc));
    }
    store_close(store);
    return EXIT_DONE;
}

enum cli_exit cli_restore(struct cli *cli)
{
    if (cli->arg_count != 1) {
        return cli_fail(EXIT_USAGE, "restore needs the directory of a backup");
    }
    if (!tree_is_free(serve_data_dir())) {
        return cli_fail(EXIT_REFUSED, "%s is not empty; restore into a new directory with --data DIR", serve_data_dir());
    }
    const char *dir = cli->args[0];
    json_t *manifest = NULL;
    enum cli_exit code = tree_manifest_check(dir, &manifest);
    char *key = key_file(cli, dir);
    if (code == EXIT_DONE && key == NULL) {
        code = cli_fail(EXIT_REFUSED, "the backup holds no master key; name the file with --key FILE");
    }
    if (code == EXIT_DONE) {
        code = tree_make(serve_data_dir());
    }
    if (code == EXIT_DONE) {
        code = copy_part(dir, serve_data_dir(), "store");
    }
    KILL_POINT("restore.store");
    if (code == EXIT_DONE) {
        code = copy_part(dir, serve_data_dir(), BLOBS);
    }
    if (code == EXIT_DONE) {
        code = try_store();
    }
    KILL_POINT("restore.tried");
    if (code == EXIT_DONE) {
        code = restore_key(key);
    }
    free(key);
    if (code == EXIT_DONE) {
        report(cli, serve_data_dir(), manifest, "restored");
        fprintf(stderr, "next: chasqui serve --data %s\n", serve_data_dir());
    }
    json_decref(manifest);
    return code;
}
