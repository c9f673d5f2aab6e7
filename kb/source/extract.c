/* extract.c: runs of the extraction child: start, read, end.
 *
 * A run waits for a place (EXTRACT_AT_ONCE in the process), is started on its own loop, and is read until the
 * child closes its output; then the child is collected and its answer taken apart. Time, output and the
 * child's death are the parent's to judge: nothing the child says can make a run last longer or cost more
 * than its limits. The list of runs is shared by all loops and guarded by a lock; what belongs to one run is
 * its loop's alone. */
#include "kb/source/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>
#include <utlist.h>

#include "kb/source/answer.h"
#include "queue/base/arena.h"
#include "queue/base/file.h"
#include "queue/base/log.h"
#include "queue/base/loop.h"

#define REAP_MS     5
#define ANSWER_OVER (2u << 20) /* of an answer beyond twice its text: marks and links */
#define ARENA_BYTES (256u << 20)

struct run {
    struct run *prev, *next;
    uint64_t number;
    struct loop *loop;
    extract_done_fn done;
    void *arg;
    struct extract_limits limits;
    enum source_format format;
    char *mime_type, *base;
    int input; /* the file; -1: none */
    const char *reason;
    bool placed; /* has one of the places */
    pid_t pid;   /* 0: no child */
    int status;  /* of the child that ended */
    int output;  /* -1: closed */
    struct event *readable;
    struct loop_timer *deadline, *reap;
    struct buf answer;
    bool encrypted; /* a PDF that says so */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static struct run *runs;                                 /* in the order of their start */
static unsigned places_taken;
static uint64_t last_number;

static const char *program = "/proc/self/exe";

void extract_program(const char *path)
{
    program = path != NULL ? path : "/proc/self/exe";
}

/* ---- the end of a run ---- */

static void run_start(void *arg);

/* Gives the place back and starts the next run that waits. */
static void place_free(struct run *run)
{
    struct run *next = NULL;

    pthread_mutex_lock(&lock);
    DL_DELETE(runs, run);
    places_taken -= run->placed;
    DL_FOREACH (runs, next) {
        if (!next->placed && places_taken < EXTRACT_AT_ONCE) {
            next->placed = true;
            places_taken++;
            loop_post(next->loop, run_start, (void *)(uintptr_t)next->number);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* Stops reading and kills the child with all it started. */
static void child_end(struct run *run)
{
    if (run->readable != NULL) {
        event_free(run->readable);
        run->readable = NULL;
    }
    if (run->output >= 0) {
        close(run->output);
        run->output = -1;
    }
    if (run->pid > 0) {
        kill(-run->pid, SIGKILL);
        while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR) {
        }
        run->pid = 0;
    }
    loop_cancel(run->deadline);
    loop_cancel(run->reap);
    run->deadline = run->reap = NULL;
}

static void run_free(struct run *run)
{
    child_end(run);
    place_free(run);
    if (run->input >= 0) {
        close(run->input);
    }
    buf_fini(&run->answer);
    free(run->mime_type);
    free(run->base);
    free(run);
}

/* The run of a number, NULL if it ended. */
static struct run *run_find(uint64_t number)
{
    struct run *run;

    pthread_mutex_lock(&lock);
    DL_FOREACH (runs, run) {
        if (run->number == number) {
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return run;
}

/* Tells the caller and ends the run. */
static void run_finish(struct run *run)
{
    struct arena *arena = arena_new(ARENA_BYTES);
    struct extract_result result = {
        .ok = true, .reason = "", .title = "", .format = FORMAT_NAMES[run->format]};
    json_t *answer = NULL;

    child_end(run);
    struct child_end end = {.format = run->format,
                            .status = run->status,
                            .encrypted = run->encrypted,
                            .links = run->base != NULL || run->format == FORMAT_SITEMAP,
                            .pages = run->limits.pages,
                            .answer = &run->answer};
    if (run->reason != NULL) {
        result = (struct extract_result){.reason = run->reason, .title = "", .format = result.format};
    } else {
        answer = child_answer(&end, arena, &result);
    }
    extract_done_fn done = run->done;
    void *arg = run->arg;
    run_free(run); /* the caller may start the next one */
    done(&result, arg);
    json_decref(answer);
    arena_free(arena);
}

/* ---- a run under way ---- */

static void deadline_passed(void *arg)
{
    struct run *run = arg;

    run->deadline = NULL;
    run->reason = "Reading the file took too long.";
    run_finish(run);
}

/* Its output is closed: waits for the child to end. */
static void child_reap(void *arg)
{
    struct run *run = arg;

    run->reap = NULL;
    pid_t got = waitpid(run->pid, &run->status, WNOHANG);
    if (got == 0) {
        run->reap = loop_after(run->loop, REAP_MS, child_reap, run);
        return;
    }
    run->pid = 0;
    run_finish(run);
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
    struct run *run = arg;
    char piece[65536];

    (void)what;
    ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got > 0) {
        buf_add(&run->answer, piece, (size_t)got);
        if (!buf_ok(&run->answer)) {
            run->reason = "The file holds more text than one source may have; split it into several files.";
            run_finish(run);
        }
        return;
    }
    event_free(run->readable);
    run->readable = NULL;
    close(run->output);
    run->output = -1;
    child_reap(run);
}

/* Starts the program with the file as its input and a pipe as its output; false if it cannot be. */
static bool child_spawn(struct run *run, int output)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, all;
    char *numbers[4] = {xasprintf("%zu", run->limits.output), xasprintf("%d", run->limits.cpu_s),
                        xasprintf("%zu", run->limits.memory), xasprintf("%u", run->limits.pages)};
    char *args[] = {
        "chasqui",  "extract",      (char *)FORMAT_NAMES[run->format],  numbers[0], numbers[1], numbers[2],
        numbers[3], run->mime_type, run->base != NULL ? run->base : "", NULL};
    char *environment[] = {NULL};

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_adddup2(&files, run->input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    int rc = posix_spawn(&run->pid, program, &files, &attr, args, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    for (size_t i = 0; i < 4; i++) {
        free(numbers[i]);
    }
    if (rc != 0) {
        run->pid = 0;
        log_error("extract.start", "errno=%d", rc);
    }
    return rc == 0;
}

/* On its loop: a place is free. */
static void run_start(void *arg)
{
    struct run *run = run_find((uint64_t)(uintptr_t)arg);
    int pipes[2];

    if (run == NULL) {
        return;
    }
    if (run->reason != NULL) {
        run_finish(run);
        return;
    }
    if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) != 0) {
        run->reason = "The file could not be read now; try again.";
        run_finish(run);
        return;
    }
    fcntl(pipes[1], F_SETFL, 0); /* the child writes as it likes */
    run->output = pipes[0];
    bool started = child_spawn(run, pipes[1]);
    close(pipes[1]);
    if (!started) {
        run->reason = "The file could not be read now; try again.";
        run_finish(run);
        return;
    }
    run->deadline = loop_after(run->loop, run->limits.wall_ms, deadline_passed, run);
    run->readable = event_new(loop_base(run->loop), run->output, EV_READ | EV_PERSIST, on_output, run);
    event_add(run->readable, NULL);
}

/* ---- starting ---- */

/* A file in memory that holds the bytes, -1 on failure. */
static int input_bytes(const void *bytes, size_t size)
{
    int fd = memfd_create("extract", MFD_CLOEXEC);

    if (fd >= 0 && !file_write(fd, bytes, size)) {
        close(fd);
        return -1;
    }
    return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

/* Opens the input; NULL, or what is wrong with it. */
static const char *input_open(struct run *run, const struct extract_request *request)
{
    struct stat info;

    if (request->bytes != NULL) {
        run->input = request->size <= EXTRACT_FILE_MAX ? input_bytes(request->bytes, request->size) : -1;
        return request->size > EXTRACT_FILE_MAX ? "The file is larger than 25 MB."
               : run->input < 0                 ? "The file could not be read now; try again."
                                                : NULL;
    }
    run->input =
        request->path == NULL ? -1 : open(request->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (run->input < 0 || fstat(run->input, &info) != 0 || !S_ISREG(info.st_mode)) {
        return errno == ELOOP ? "Symbolic links are not followed." : "The file cannot be opened.";
    }
    return info.st_size > (off_t)EXTRACT_FILE_MAX ? "The file is larger than 25 MB." : NULL;
}

/* Looks at the first and last bytes: which format, and whether a PDF is locked. */
static const char *input_judge(struct run *run, const struct extract_request *request)
{
    char head[4096], tail[4096];
    const char *why = "";
    struct stat info;

    if (fstat(run->input, &info) != 0) {
        return "The file could not be read now; try again.";
    }
    ssize_t got = pread(run->input, head, sizeof head, 0);
    off_t from = info.st_size > (off_t)sizeof tail ? info.st_size - (off_t)sizeof tail : 0;
    ssize_t end = pread(run->input, tail, sizeof tail, from);
    run->format = request->sitemap ? FORMAT_SITEMAP
                                   : format_detect(head, got > 0 ? (size_t)got : 0, request->mime_type,
                                                   request->filename, &why);
    run->encrypted = (got > 0 && memmem(head, (size_t)got, "/Encrypt", 8) != NULL) ||
                     (end > 0 && memmem(tail, (size_t)end, "/Encrypt", 8) != NULL);
    return run->format == FORMAT_NONE ? why : NULL;
}

/* The limits with the defaults filled in. */
static struct extract_limits limits_of(const struct extract_limits *given)
{
    struct extract_limits limits = given != NULL ? *given : (struct extract_limits){0};

    limits.wall_ms = limits.wall_ms > 0 ? limits.wall_ms : 30000;
    limits.cpu_s = limits.cpu_s > 0 ? limits.cpu_s : 10;
    limits.memory = limits.memory > 0 ? limits.memory : 256u << 20;
    limits.output = limits.output > 0 ? limits.output : 8u << 20;
    limits.pages = limits.pages > 0 ? limits.pages : 2000;
    return limits;
}

uint64_t extract_start(struct loop *loop, const struct extract_request *request, extract_done_fn done,
                       void *arg)
{
    struct run *run = xcalloc(1, sizeof *run);

    CHECK(loop_is_current(loop));
    run->loop = loop;
    run->done = done;
    run->arg = arg;
    run->limits = limits_of(request->limits);
    run->input = run->output = -1;
    run->mime_type = xstrdup(request->mime_type != NULL ? request->mime_type : "");
    run->base = request->base != NULL ? xstrdup(request->base) : NULL;
    buf_init(&run->answer, 2 * run->limits.output + ANSWER_OVER);
    run->reason = input_open(run, request);
    if (run->reason == NULL) {
        run->reason = input_judge(run, request);
    }
    pthread_mutex_lock(&lock);
    uint64_t number = run->number = ++last_number;
    DL_APPEND(runs, run);
    run->placed = places_taken < EXTRACT_AT_ONCE;
    places_taken += run->placed;
    if (run->placed) {
        loop_post(loop, run_start, (void *)(uintptr_t)number);
    }
    pthread_mutex_unlock(&lock);
    return number;
}

void extract_cancel(uint64_t number)
{
    struct run *run = run_find(number);

    if (run != NULL) {
        run_free(run);
    }
}
