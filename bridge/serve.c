/* serve.c: the daemon's life.
 *
 * Parts are opened from the ground up (store, knowledge, workers, front) and closed the other way round. The
 * order on the way down is what keeps the promise of the 200: first the front stops taking requests and
 * finishes those under way, then the workers finish or give back their jobs, then the knowledge index and the
 * store close, the store last because everything above still commits into it. Signals are taken by the main
 * thread alone (sigtimedwait), every other thread has them blocked.
 *
 * After a failed write or sync nobody knows what the disk has, and only a process that reads it anew can say.
 * So a daemon whose store is read-only answers reads for a grace time, in which operators can look, and then
 * ends with an exit code of its own; its supervisor starts it again. */
#include "bridge/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/flow/flow.h"
#include "agent/booking/booking.h"
#include "agent/embed/embed.h"
#include "agent/handoff/care.h"
#include "bridge/app.h"
#include "bridge/backup.h"
#include "bridge/integrations/integration.h"
#include "bridge/erase.h"
#include "bridge/http/http.h"
#include "bridge/trial.h"
#include "channels/channel.h"
#include "kb/kb.h"
#include "kb/source/source.h"
#include "queue/base/blob.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/log.h"
#include "queue/base/netguard.h"
#include "queue/base/option.h"
#include "queue/jobs.h"
#include "queue/store.h"

#define DRAIN_MS 10000

const char *serve_data_dir(void)
{
    static char path[4096];
    const char *set = option_text(OPT_DATA_DIR);
    if (set[0] != '\0') {
        snprintf(path, sizeof(path), "%s", set);
    } else if (getenv("XDG_DATA_HOME") != NULL && getenv("XDG_DATA_HOME")[0] == '/') {
        snprintf(path, sizeof(path), "%s/chasqui", getenv("XDG_DATA_HOME"));
    } else if (geteuid() == 0 || getenv("HOME") == NULL) {
        snprintf(path, sizeof(path), "/var/lib/chasqui");
    } else {
        snprintf(path, sizeof(path), "%s/.local/share/chasqui", getenv("HOME"));
    }
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        path[--len] = '\0';
    }
    return path;
}

char *serve_path(const char *name)
{
    return xasprintf("%s/%s", serve_data_dir(), name);
}

/* Says one sentence about what kept the daemon from starting, and what to do. */
static int start_failed(const char *what, enum err rc, const char *advice)
{
    fprintf(stderr, "chasqui: cannot %s: %s%s%s\n", what, err_text(rc), advice[0] != '\0' ? "\n  " : "",
            advice);
    return 1;
}

/* As many descriptors as the system lets us have; no core dumps that could hold secrets. */
static void process_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            log_warn("serve.descriptors", "errno=%d", errno);
        }
    }
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
}

/* Which private addresses customers' URLs may reach, from the options. */
static int open_netguard(void)
{
    netguard_allow_all(option_bool(OPT_ALLOW_PRIVATE));
    if (option_bool(OPT_ALLOW_PRIVATE)) {
        log_warn("serve.private_networks", "allowed=all");
    }
    char *list = xstrdup(option_text(OPT_ALLOW_CIDRS));
    char *rest = list;
    int failed = 0;
    for (char *cidr = strsep(&rest, ", "); cidr != NULL && !failed; cidr = strsep(&rest, ", ")) {
        if (cidr[0] != '\0' && netguard_allow(cidr) != ERR_OK) {
            fprintf(stderr, "chasqui: net.allow: '%s' is not an address range\n", cidr);
            failed = 1;
        }
    }
    free(list);
    return failed;
}

/* The company's own authorities can be read. */
static int check_authorities(void)
{
    const char *path = option_text(OPT_CA_FILE);
    if (path[0] != '\0' && access(path, R_OK) != 0) {
        fprintf(stderr, "chasqui: net.ca_file: %s cannot be read\n", path);
        return 1;
    }
    return 0;
}

/* The key that seals secrets at rest; its absence means that init never ran here. */
static int open_master_key(void)
{
    char *path = serve_path("master.key");
    enum err rc = crypto_master_key_load(path);
    free(path);
    if (rc == ERR_NOTFOUND) {
        fprintf(stderr, "chasqui: %s holds no Chasqui yet\n  run: chasqui init --data %s\n", serve_data_dir(),
                serve_data_dir());
        return 1;
    }
    return rc == ERR_OK ? 0
                        : start_failed("read the master key", rc, "master.key must be a file of mode 0600");
}

#define RESTORE "restore a backup into a new directory: chasqui restore BACKUP --data NEW"

/* A page of the store's file that is not there, or that the disk does not give, ends the process: by a
 * sentence, not by a bare signal. Only what may be called in a handler. */
static void page_missing(int number, siginfo_t *info, void *context)
{
    static const char text[] =
        "chasqui: the store's file is cut short, or the disk does not give a part of it\n"
        "  look at the disk; if the file is damaged, " RESTORE "\n";
    (void)context;
    if (info->si_code == BUS_ADRALN) {
        signal(number, SIG_DFL); /* our own fault: as ever */
        return;
    }
    ssize_t said = write(STDERR_FILENO, text, sizeof(text) - 1);
    _exit(said < 0 ? 2 : 1);
}

static void watch_pages(void)
{
    struct sigaction action = {.sa_sigaction = page_missing, .sa_flags = SA_SIGINFO};
    CHECK(sigaction(SIGBUS, &action, NULL) == 0);
}

/* What to do about a store that does not open. */
static const char *store_advice(enum err rc)
{
    switch (rc) {
    case ERR_BUSY:
        return "another chasqui serves this directory";
    case ERR_SCHEMA:
        return "a newer version wrote it: start that one";
    case ERR_CORRUPT:
        return RESTORE;
    default:
        return "";
    }
}

/* The store still has the account that init made: an empty one is a lost one. */
static int check_store(struct store *store)
{
    struct snapshot *snap = NULL;
    enum err rc = snapshot_open(store, &snap);
    if (rc != ERR_OK) {
        return start_failed("read the store", rc, store_advice(rc));
    }
    bool found = snapshot_count(snap, KIND_ACCOUNT, PARTITION_GLOBAL, INDEX_NONE, NULL) > 0;
    snapshot_close(snap);
    return found ? 0 : start_failed("use the store: it is empty", ERR_CORRUPT, RESTORE);
}

/* Store and knowledge index. */
static int open_state(struct app *app)
{
    char *blobs = serve_path("blobs");
    blob_root(blobs);
    free(blobs);
    char *uri = xasprintf("lmdb:%s/store", app->data_dir);
    enum err rc = store_open(uri, (uint64_t)option_int(OPT_MAP_SIZE), (unsigned)option_int(OPT_STORE_BACKLOG),
                             &app->store);
    free(uri);
    if (rc != ERR_OK) {
        return start_failed("open the store", rc, store_advice(rc));
    }
    if (check_store(app->store)) {
        return 1;
    }
    store_set_reserve(app->store, (uint64_t)option_int(OPT_STORE_RESERVE));
    char *index = serve_path("index");
    rc = kb_open(app->store, index, &app->kb);
    free(index);
    return rc == ERR_OK ? 0 : start_failed("open the knowledge index", rc, "");
}

/* Workers with a handler for every queue. */
static int open_workers(struct app *app)
{
    app->workers =
        workers_new(app->store, (unsigned)option_int(OPT_WORKERS), (unsigned)option_int(OPT_JOBS_IN_FLIGHT));
    channels_register(app->workers);
    agent_register(app->workers, app->kb);
    embed_register(app->workers, app->store, app->kb);
    booking_register(app->workers);
    care_register(app->workers);
    webhooks_register(app->workers);
    source_cron(flow_cron_next);
    source_register(app->workers, app->kb);
    integrations_register(app->workers);
    sweep_register(app->workers);
    erase_register(app->workers);
    trial_register(app->workers, app->kb);
    enum err rc = sweep_ensure(app->store);
    if (rc != ERR_OK) {
        return start_failed("write to the store", rc, "");
    }
    rc = workers_start(app->workers);
    return rc == ERR_OK ? 0 : start_failed("start the workers", rc, "");
}

/* The certificate of the options; none: plain HTTP. */
static enum err load_tls(struct app *app)
{
    const char *chain = option_text(OPT_TLS_CERT);
    return chain[0] != '\0' ? http_server_tls(app->http, chain, option_text(OPT_TLS_KEY)) : ERR_OK;
}

/* The proxies in front, from the options. */
static int read_proxies(struct http_config *config)
{
    char *list = xstrdup(option_text(OPT_TRUSTED_PROXIES)), *rest = list;
    const char *field = option_text(OPT_PROXY_FIELD);
    int failed = 0;
    for (char *range = strsep(&rest, ", "); range != NULL && !failed; range = strsep(&rest, ", ")) {
        if (range[0] != '\0' && !netguard_range_is(range)) {
            fprintf(stderr, "chasqui: http.trusted_proxies: '%s' is not an address range\n", range);
            failed = 1;
        }
    }
    free(list);
    config->trusted_proxies = option_text(OPT_TRUSTED_PROXIES);
    config->proxy_writes_forwarded = strcasecmp(field, "Forwarded") == 0;
    if (!failed && !config->proxy_writes_forwarded && strcasecmp(field, "X-Forwarded-For") != 0) {
        fprintf(stderr, "chasqui: http.proxy_field: '%s' is neither X-Forwarded-For nor Forwarded\n", field);
        failed = 1;
    }
    return failed;
}

/* The front: the option's address and the administration socket in the data directory. */
static int open_front(struct app *app)
{
    struct http_config config;
    http_config_default(&config);
    config.threads = (unsigned)option_int(OPT_HTTP_THREADS);
    config.head_ms = option_int(OPT_HTTP_HEAD_TIME);
    config.body_ms = option_int(OPT_HTTP_BODY_TIME);
    config.idle_ms = option_int(OPT_HTTP_IDLE_TIME);
    config.connections_max = (unsigned)option_int(OPT_HTTP_CONNECTIONS);
    config.connections_per_address = (unsigned)option_int(OPT_HTTP_PER_ADDRESS);
    config.requests_max = (unsigned)option_int(OPT_HTTP_REQUESTS);
    if (read_proxies(&config)) {
        return 1;
    }
    char *uploads = serve_path("uploads");
    config.upload_dir = uploads;
    api_attach(&config, app);
    app->http = http_server_new(&config);
    free(uploads);
    enum err rc = load_tls(app);
    if (rc != ERR_OK) {
        return start_failed("use the certificate", rc,
                            "http.tls_cert and http.tls_key name PEM files that belong together");
    }
    rc = http_server_listen(app->http, option_text(OPT_LISTEN));
    if (rc != ERR_OK) {
        return start_failed("listen", rc, "is the address free? choose another with --listen HOST:PORT");
    }
    char *socket_address = xasprintf("unix:%s/chasqui.sock", app->data_dir);
    rc = http_server_listen(app->http, socket_address);
    free(socket_address);
    if (rc != ERR_OK) {
        return start_failed("open the administration socket", rc, "");
    }
    const char *public_url = option_text(OPT_PUBLIC_URL);
    snprintf(app->public_url, sizeof(app->public_url), "%s",
             public_url[0] != '\0' ? public_url : http_server_url(app->http));
    rc = http_server_start(app->http);
    return rc == ERR_OK ? 0 : start_failed("start the HTTP front", rc, "");
}

/* Closes what is open, from the top down; see the essay above. */
static void close_all(struct app *app)
{
    atomic_store(&app->draining, true);
    unsigned cut = 0;
    if (app->kb != NULL) {
        kb_rest(app->kb); /* it posts to loops that are about to end */
    }
    if (app->http != NULL) {
        cut += http_server_stop(app->http, DRAIN_MS);
    }
    if (app->workers != NULL) {
        cut += workers_stop(app->workers, DRAIN_MS);
    }
    http_server_free(app->http);
    workers_free(app->workers);
    backup_wait();
    if (app->kb != NULL) {
        kb_close(app->kb);
    }
    if (app->store != NULL) {
        store_close(app->store);
    }
    log_info("serve.stopped", "cut_off=%u", cut);
}

/* Puts the reloadable options to work. */
static void apply_reload(struct app *app)
{
    enum log_level level = LOG_INFO;
    if (!log_level_parse(option_text(OPT_LOG_LEVEL), &level)) {
        log_warn("serve.reload", "ignored=log.level");
    }
    log_set(level, strcmp(option_text(OPT_LOG_FORMAT), "json") == 0 ? LOG_JSON : LOG_KEYVALUE);
    store_set_reserve(app->store, (uint64_t)option_int(OPT_STORE_RESERVE));
    bool secure =
        strncmp(http_server_url(app->http), "https:", 6) == 0; /* plain stays plain until a restart */
    enum err rc = secure ? load_tls(app) : ERR_OK;
    if (rc != ERR_OK) {
        log_error("serve.tls_kept", "reason=%s", log_quote(err_text(rc)));
    }
}

/* SIGHUP: rereads the file; a bad one changes nothing and is said. */
static void reload(struct app *app)
{
    struct buf why, restart;
    buf_init(&why, 2048);
    buf_init(&restart, 4096);
    const char *file = option_text(OPT_CONFIG);
    if (file[0] != '\0' && option_reload_file(file, &restart, &why) != ERR_OK) {
        log_error("serve.reload_refused", "reason=%s", log_quote(buf_str(&why)));
    } else {
        apply_reload(app);
        log_info("serve.reloaded", "file=%s needs_restart=%s", log_quote(file), log_quote(buf_str(&restart)));
    }
    buf_fini(&restart);
    buf_fini(&why);
}

/* True once the store has been read-only for the grace time; *since is the caller's memory, 0 at first. */
static bool given_up(struct app *app, int64_t *since)
{
    struct store_status status;
    if (store_accepts(app->store)) {
        return false;
    }
    store_status(app->store, &status);
    if (status.writable) {
        return false; /* no room or a backlog: that passes */
    }
    int64_t now = clock_mono_ms(), grace = option_int(OPT_READ_ONLY_GRACE);
    *since = *since > 0 ? *since : now;
    return grace > 0 && now - *since >= grace;
}

/* Waits for the signal to stop, reloading on the way, or for the store to be given up. Returns the exit code.
 */
static int run_until_told(struct app *app, const sigset_t *signals)
{
    const struct timespec look = {.tv_sec = 1};
    int64_t read_only_since = 0;
    for (;;) {
        int number = sigtimedwait(signals, NULL, &look);
        if (number == SIGHUP) {
            reload(app);
        } else if (number > 0) {
            log_info("serve.stopping", "signal=%d", number);
            return 0;
        } else if (given_up(app, &read_only_since)) {
            log_error("serve.stopping", "reason=read_only exit=%d", SERVE_READ_ONLY);
            return SERVE_READ_ONLY;
        }
    }
}

int serve_run(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    process_limits();
    watch_pages();

    static struct app app;
    app.data_dir = serve_data_dir();
    app.started_ms = clock_wall_ms();
    int failed = open_netguard() || check_authorities() || open_master_key() || open_state(&app) ||
                 open_workers(&app) || open_front(&app);
    int code = failed ? 1 : 0;
    if (!failed) {
        printf("listening on %s\n", http_server_url(app.http));
        fflush(stdout);
        log_info("serve.started", "version=%s data=%s url=%s", CHASQUI_VERSION, log_quote(app.data_dir),
                 http_server_url(app.http));
        code = run_until_told(&app, &signals);
    }
    close_all(&app);
    return code;
}
