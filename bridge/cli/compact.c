/* compact.c: `chasqui compact`: writes the store's file anew, without the free pages that hold what was
 * deleted.
 *
 * The copy is made beside the store and takes its place by one rename while the store's lock is still held,
 * so that a crash leaves either the old file or the new one, whole, and no daemon can begin in between. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/cli/client.h"
#include "bridge/cli/tree.h"
#include "bridge/serve.h"
#include "queue/base/file.h"
#include "queue/base/killpoint.h"
#include "queue/base/option.h"
#include "queue/store.h"

#define FILE_NAME "data.mdb"

/* Bytes of a file, 0 if it is not there. */
static int64_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* Says what was gained. */
static void report(const struct cli *cli, int64_t before, int64_t after)
{
    if (cli->json) {
        json_t *out = json_object();
        jx_set_int(out, "bytes_before", before);
        jx_set_int(out, "bytes_after", after);
        cli_print_json(out);
        json_decref(out);
    } else {
        printf("The store had %lld KiB and has %lld KiB now.\n", (long long)(before >> 10),
               (long long)(after >> 10));
    }
}

/* Removes the copy's folder and what a run that was cut short left in it. */
static void clear(const char *copy)
{
    char *file = xasprintf("%s/" FILE_NAME, copy);

    (void)unlink(file);
    (void)rmdir(copy);
    free(file);
}

/* The one step that counts. */
static int replaced(const char *from, const char *to)
{
    KILL_POINT("compact.copied");
    int failed = rename(from, to);
    KILL_POINT("compact.renamed");
    return failed;
}

/* Puts the copy in the store's place. */
static enum cli_exit replace(struct store *store, const char *place, const char *copy)
{
    char *from = xasprintf("%s/" FILE_NAME, copy), *to = xasprintf("%s/" FILE_NAME, place);
    enum cli_exit code = EXIT_DONE;
    enum err rc = store_backup(store, copy);

    if (rc != ERR_OK) {
        code = cli_fail(EXIT_FAILED, "cannot copy the store: %s", err_text(rc));
    } else if (replaced(from, to) != 0) {
        code = cli_fail(EXIT_FAILED, "cannot put the copy in the store's place: %s", strerror(errno));
    } else if (folder_sync(place) != ERR_OK) {
        code = cli_fail(EXIT_FAILED, "cannot sync %s: %s", place, strerror(errno));
    }
    free(to);
    free(from);
    return code;
}

enum cli_exit cli_compact(struct cli *cli)
{
    char *place = xasprintf("%s/store", serve_data_dir()), *copy = xasprintf("%s.compact", place);
    char *file = xasprintf("%s/" FILE_NAME, place), *uri = xasprintf("lmdb:%s", place);
    struct store *store = NULL;
    int64_t before = size_of(file);
    enum cli_exit code = EXIT_DONE;

    enum err rc =
        store_open(uri, (uint64_t)option_int(OPT_MAP_SIZE), (unsigned)option_int(OPT_STORE_BACKLOG), &store);
    if (rc == ERR_BUSY) {
        code = cli_fail(EXIT_FAILED, "the daemon has the store open; stop it first");
    } else if (rc != ERR_OK) {
        code = cli_fail(EXIT_FAILED, "cannot open the store: %s", err_text(rc));
    } else {
        clear(copy);
        code = tree_make(copy);
        KILL_POINT("compact.begun");
        code = code == EXIT_DONE ? replace(store, place, copy) : code;
        clear(copy);
        store_close(store);
    }
    if (code == EXIT_DONE) {
        report(cli, before, size_of(file));
    }
    free(uri);
    free(file);
    free(copy);
    free(place);
    return code;
}
