/* init.c: `chasqui init` and `chasqui serve`.
 *
 * init makes the data directory (mode 0700), the master key that seals secrets (0600), and in one change-set the first
 * account, its agent and two keys. It refuses a directory that holds an account already: run twice, the second run changes
 * nothing. With --api-key it only remembers key and URL for this user's command line. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/api/accounts.h"
#include "bridge/cli/cli.h"
#include "bridge/cli/tree.h"
#include "bridge/cli/words.h"
#include "bridge/serve.h"
#include "queue/base/crypto.h"
#include "queue/base/option.h"
#include "queue/store.h"

/* Loads the master key, creating it in a new data directory. */
static enum cli_exit make_master_key(void)
{
    char *path = serve_path("master.key");
    enum err rc = crypto_master_key_load(path);
    if (rc == ERR_NOTFOUND) {
        rc = crypto_master_key_create(path);
    }
    enum cli_exit code = rc == ERR_OK ? EXIT_DONE : cli_fail(EXIT_FAILED, "cannot use %s: %s", path, err_text(rc));
    free(path);
    return code;
}

/* True if the store holds an account. */
static bool has_account(struct store *store)
{
    struct snapshot *snap = NULL;
    if (snapshot_open(store, &snap) != ERR_OK) {
        return false;
    }
    bool any = snapshot_count(snap, KIND_ACCOUNT, PARTITION_GLOBAL, INDEX_NONE, NULL) > 0;
    snapshot_close(snap);
    return any;
}

/* Prints what was made, the secrets for the only time. */
static void print_created(const struct cli *cli, const struct account_made *made)
{
    if (cli->json) {
        json_t *out = json_object();
        jx_set_str(out, "account_id", made->account_id.text);
        jx_set_str(out, "agent_id", made->agent_id.text);
        jx_set_str(out, "live_key", made->live_key);
        jx_set_str(out, "test_key", made->test_key);
        jx_set_str(out, "data_dir", serve_data_dir());
        cli_print_json(out);
        json_decref(out);
        return;
    }
    printf("data      %s\naccount   %s\nagent     %s\nlive key  %s\ntest key  %s\n", serve_data_dir(), made->account_id.text,
           made->agent_id.text, made->live_key, made->test_key);
    fprintf(stderr, "this is the only time the keys are shown\nnext: chasqui serve --data %s\n", serve_data_dir());
}

/* The first account, in one change-set. */
static enum cli_exit create_account(const struct cli *cli, struct store *store)
{
    if (has_account(store)) {
        return cli_fail(EXIT_REFUSED, "%s holds an account already\n  more accounts: chasqui accounts create --name N",
                        serve_data_dir());
    }
    const char *name = cli->flags[FLAG_NAME] != NULL ? cli->flags[FLAG_NAME] : "My business";
    const char *email = cli->flags[FLAG_EMAIL] != NULL ? cli->flags[FLAG_EMAIL] : "owner@localhost";
    const char *plan = cli->flags[FLAG_PLAN] != NULL ? cli->flags[FLAG_PLAN] : "enterprise";
    struct account_made made;
    struct buf why;
    buf_init(&why, 512);
    const char *field = NULL;
    struct changes *cs = changes_new();
    enum err rc = account_create(cs, name, email, plan, &made, &field, &why);
    enum cli_exit code = EXIT_DONE;
    if (rc != ERR_OK) {
        changes_free(cs);
        code = cli_fail(EXIT_REFUSED, "%s: %s", field != NULL ? field : "account", buf_str(&why));
    } else {
        rc = store_submit_wait(store, cs, NULL);
        if (rc != ERR_OK) {
            code = cli_fail(EXIT_FAILED, "cannot write the account: %s", err_text(rc));
        } else {
            print_created(cli, &made);
        }
    }
    wipe(&made, sizeof(made));
    buf_fini(&why);
    return code;
}

/* Remembers a key (and URL) for this user. */
static enum cli_exit save_profile(void)
{
    char *path = words_profile_path();
    if (path == NULL) {
        return cli_fail(EXIT_FAILED, "HOME is not set: nowhere to keep a profile");
    }
    char *folder = xstrndup(path, (size_t)(strrchr(path, '/') - path));
    enum cli_exit code = tree_make(folder);
    free(folder);
    int fd = code == EXIT_DONE ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (code == EXIT_DONE && file == NULL) {
        code = cli_fail(EXIT_FAILED, "cannot write %s: %s", path, strerror(errno));
    }
    if (file != NULL) {
        const char *url = option_text(OPT_URL)[0] != '\0' ? option_text(OPT_URL) : "http://127.0.0.1:8080";
        fprintf(file, "[core]\nurl = %s\napi_key = %s\n", url, option_text(OPT_API_KEY));
        if (fclose(file) != 0) {
            code = cli_fail(EXIT_FAILED, "cannot write %s", path);
        } else {
            printf("remembered in %s for %s\n", path, url);
        }
    }
    free(path);
    return code;
}

enum cli_exit cli_init(struct cli *cli)
{
    if (option_source_of(OPT_API_KEY) == OPTION_FLAG) {
        return save_profile();
    }
    umask(077);
    enum cli_exit code = tree_make(serve_data_dir());
    if (code == EXIT_DONE) {
        code = make_master_key();
    }
    if (code != EXIT_DONE) {
        return code;
    }
    char *uri = xasprintf("lmdb:%s/store", serve_data_dir());
    struct store *store = NULL;
    enum err rc = store_open(uri, (uint64_t)option_int(OPT_MAP_SIZE), (unsigned)option_int(OPT_STORE_BACKLOG), &store);
    free(uri);
    if (rc != ERR_OK) {
        return cli_fail(rc == ERR_BUSY ? EXIT_REFUSED : EXIT_FAILED, "cannot open the store in %s: %s%s", serve_data_dir(),
                        err_text(rc), rc == ERR_BUSY ? "\n  a daemon serves this directory already" : "");
    }
    code = create_account(cli, store);
    store_close(store);
    return code;
}

enum cli_exit cli_serve(struct cli *cli)
{
    if (cli->arg_count > 0) {
        return cli_fail(EXIT_USAGE, "serve takes no arguments");
    }
    return (enum cli_exit)serve_run();
}
