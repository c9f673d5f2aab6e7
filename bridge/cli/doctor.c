/* doctor.c: `chasqui doctor`: one line for each check, and for each that is not fine what to do about it.
 *
 * Checks are rows of a table; each looks at one thing and never changes any. With a running daemon the store is judged by what
 * the daemon says of itself, without one by opening it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bridge/cli/client.h"
#include "bridge/serve.h"
#include "queue/base/crypto.h"
#include "queue/base/option.h"
#include "queue/store.h"

enum verdict { FINE, WARN, FAIL };

struct finding {
    enum verdict verdict;
    char text[256];
    const char *remedy;
};

struct doctor {
    struct cli *cli;
    bool running;    /* a daemon answers on the socket */
    json_t *status;  /* what it says of itself, NULL without one */
    json_t *queues;
};

typedef void (*check_fn)(struct doctor *doctor, struct finding *out);

static void check_data(struct doctor *doctor, struct finding *out)
{
    struct stat st;
    (void)doctor;
    if (stat(serve_data_dir(), &st) != 0) {
        *out = (struct finding){.verdict = FAIL, .remedy = "create it with: chasqui init"};
        snprintf(out->text, sizeof(out->text), "%.200s is not there", serve_data_dir());
    } else if ((st.st_mode & 077) != 0) {
        *out = (struct finding){.verdict = WARN, .remedy = "chmod 0700 the data directory"};
        snprintf(out->text, sizeof(out->text), "%.200s can be entered by other users", serve_data_dir());
    } else {
        snprintf(out->text, sizeof(out->text), "%.200s", serve_data_dir());
    }
}

static void check_key(struct doctor *doctor, struct finding *out)
{
    (void)doctor;
    char *path = serve_path("master.key");
    enum err rc = crypto_master_key_load(path);
    free(path);
    snprintf(out->text, sizeof(out->text), "%s", rc == ERR_OK ? "there, readable by its owner only" : err_text(rc));
    if (rc != ERR_OK) {
        out->verdict = FAIL;
        out->remedy = rc == ERR_DENIED ? "chmod 0600 master.key" : "restore master.key from where you keep it; without it sealed "
                                                                    "credentials cannot be opened";
    }
}

static void check_disk(struct doctor *doctor, struct finding *out)
{
    struct statvfs fs;
    (void)doctor;
    if (statvfs(serve_data_dir(), &fs) != 0) {
        *out = (struct finding){.verdict = FAIL, .text = "the file system cannot be asked", .remedy = "is it mounted?"};
        return;
    }
    unsigned long long left = (unsigned long long)fs.f_bavail * fs.f_frsize;
    unsigned long long reserve = (unsigned long long)option_int(OPT_STORE_RESERVE);
    snprintf(out->text, sizeof(out->text), "%llu MiB free, webhooks are refused below %llu MiB", left >> 20, reserve >> 20);
    out->verdict = left < reserve ? FAIL : left < 4 * reserve ? WARN : FINE;
    out->remedy = "free space on the data directory's file system";
}

static void check_files(struct doctor *doctor, struct finding *out)
{
    struct rlimit limit;
    (void)doctor;
    getrlimit(RLIMIT_NOFILE, &limit);
    snprintf(out->text, sizeof(out->text), "at most %llu open files", (unsigned long long)limit.rlim_max);
    out->verdict = limit.rlim_max < 4096 ? WARN : FINE;
    out->remedy = "raise the hard limit of open files (LimitNOFILE= in the unit) to 65536";
}

static void check_daemon(struct doctor *doctor, struct finding *out)
{
    if (!doctor->running) {
        *out = (struct finding){.verdict = WARN, .text = "no daemon answers for this directory", .remedy = "start it: chasqui serve"};
    } else {
        snprintf(out->text, sizeof(out->text), "version %s on %s", jx_str_or(doctor->status, "version", "?"),
                 jx_str_or(doctor->status, "url", "?"));
    }
}

static void check_store(struct doctor *doctor, struct finding *out)
{
    if (doctor->running) {
        bool writable = jx_bool(doctor->status, "store_writable", false);
        snprintf(out->text, sizeof(out->text), "%s, %lld MiB used, %lld changes waiting", writable ? "writable" : "read-only",
                 (long long)(jx_int(doctor->status, "store_used_bytes", 0) >> 20),
                 (long long)jx_int(doctor->status, "store_waiting", 0));
        out->verdict = !writable ? FAIL : jx_bool(doctor->status, "accepts", false) ? FINE : WARN;
        out->remedy = writable ? "the daemon refuses new work: see the disk check" : "a write or sync failed: check the disk, then restart";
        return;
    }
    struct store *store = NULL;
    char *uri = xasprintf("lmdb:%s/store", serve_data_dir());
    struct stat st;
    char *file = serve_path("store/data.mdb");
    enum err rc = stat(file, &st) == 0 ? store_open(uri, (uint64_t)option_int(OPT_MAP_SIZE), 16, &store) : ERR_NOTFOUND;
    free(file);
    free(uri);
    snprintf(out->text, sizeof(out->text), "%s", rc == ERR_OK ? "opens" : err_text(rc));
    if (rc == ERR_OK) {
        store_close(store);
    } else {
        out->verdict = FAIL;
        out->remedy = rc == ERR_SCHEMA ? "run the newer chasqui, or restore a backup" : "restore a backup: chasqui restore DIR";
    }
}

static void check_queues(struct doctor *doctor, struct finding *out)
{
    int64_t jobs = 0, oldest = 0;
    size_t i;
    json_t *row;
    json_array_foreach(jx_arr(doctor->queues, "results"), i, row) {
        int64_t due = jx_int(row, "oldest_due_ms", 0);
        jobs += jx_int(row, "jobs", 0);
        oldest = due > oldest ? due : oldest;
    }
    snprintf(out->text, sizeof(out->text), "%lld jobs, the oldest due for %lld s", (long long)jobs, (long long)(oldest / 1000));
    out->verdict = oldest > 60000 ? WARN : FINE;
    out->remedy = "see chasqui get /admin/queue/ and the log for what holds it up";
}

/* The chain of one account's audit log in the chosen mode. False: it is broken, and *out says where. */
static bool audit_holds(struct doctor *doctor, const char *account, struct finding *out, int64_t *lines)
{
    json_t *answer = NULL;
    enum cli_exit code = client_call(doctor->cli, "GET", "/api/v1/audit/verify/", NULL, &answer);
    bool holds = code == EXIT_DONE && jx_bool(answer, "intact", false);
    if (!holds) {
        snprintf(out->text, sizeof(out->text), "account %s, %s: line %lld is %s", account, doctor->cli->live ? "live" : "test",
                 (long long)jx_int(answer, "broken_at", 0), jx_str_or(answer, "reason", "unreadable"));
    }
    *lines += jx_int(answer, "lines", 0);
    json_decref(answer);
    return holds;
}

static void check_audit(struct doctor *doctor, struct finding *out)
{
    struct cli *cli = doctor->cli;
    const char *chosen = cli->flags[FLAG_ACCOUNT];
    bool live = cli->live, holds = true;
    int64_t lines = 0;
    size_t i;
    json_t *row, *accounts = NULL;
    if (client_call(cli, "GET", "/admin/accounts/?page_size=100", NULL, &accounts) == EXIT_DONE) {
        json_array_foreach(jx_arr(accounts, "results"), i, row) {
            cli->flags[FLAG_ACCOUNT] = jx_str_or(row, "id", "");
            for (int mode = 0; mode < 2 && holds; mode++) {
                cli->live = mode == 0;
                holds = audit_holds(doctor, jx_str_or(row, "id", ""), out, &lines);
            }
        }
    }
    cli->flags[FLAG_ACCOUNT] = chosen;
    cli->live = live;
    if (holds) {
        snprintf(out->text, sizeof(out->text), "%lld lines, as they were written", (long long)lines);
    }
    out->verdict = holds ? FINE : FAIL;
    out->remedy = "somebody changed the store's files: compare with a backup";
    json_decref(accounts);
}

static const struct {
    const char *name;
    check_fn check;
    bool needs_daemon;
} checks[] = {
    {"data directory", check_data, false}, {"master key", check_key, false}, {"disk", check_disk, false},
    {"open files", check_files, false},    {"daemon", check_daemon, false},  {"store", check_store, false},
    {"queues", check_queues, true},        {"audit log", check_audit, true},
};

/* Asks the daemon about itself, silently when there is none. */
static void ask_daemon(struct doctor *doctor)
{
    char *path = serve_path("chasqui.sock");
    if (access(path, F_OK) == 0 && client_alive(doctor->cli)) {
        doctor->running = client_call(doctor->cli, "GET", "/admin/status/", NULL, &doctor->status) == EXIT_DONE &&
                          client_call(doctor->cli, "GET", "/admin/queue/", NULL, &doctor->queues) == EXIT_DONE;
    }
    free(path);
}

/* Prints one finding. */
static void print_finding(const struct cli *cli, const char *name, const struct finding *finding)
{
    static const char *const words[] = {"ok", "warn", "fail"};
    if (cli->json) {
        json_t *row = json_object();
        jx_set_str(row, "check", name);
        jx_set_str(row, "result", words[finding->verdict]);
        jx_set_str(row, "text", finding->text);
        if (finding->verdict != FINE) {
            jx_set_str(row, "remedy", finding->remedy);
        }
        cli_print_json(row);
        json_decref(row);
        return;
    }
    printf("%-5s %-15s %s\n", words[finding->verdict], name, finding->text);
    if (finding->verdict != FINE) {
        printf("      %s\n", finding->remedy);
    }
}

enum cli_exit cli_doctor(struct cli *cli)
{
    struct doctor doctor = {.cli = cli};
    bool failed = false;
    ask_daemon(&doctor);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        struct finding finding = {.verdict = FINE, .remedy = ""};
        if (checks[i].needs_daemon && !doctor.running) {
            continue;
        }
        checks[i].check(&doctor, &finding);
        failed = failed || finding.verdict == FAIL;
        print_finding(cli, checks[i].name, &finding);
    }
    json_decref(doctor.status);
    json_decref(doctor.queues);
    return failed ? EXIT_PROBLEMS : EXIT_DONE;
}
