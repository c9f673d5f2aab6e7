/* turn.c: customers who write and wait to be answered, and the model and the platform on the other side.
 *
 * Every customer is new and has one message. A connection posts the signed webhook of one, waits for its 200
 * and for the call of the platform that carries the reply, and goes on with the next. The time of a turn runs
 * from the write of the post to the moment at which that call is there as a whole; nothing is subtracted.
 * Client, model and platform are one thread. floor: the same turns against a process that answers the post,
 * asks the model and calls the platform, and does nothing else.
 *
 * Commands are lines on standard input, answers are lines of JSON. First comes {"port": N}: where model and
 * platform listen.
 *   target PORT PATH            where webhooks are posted
 *   turns IN_FLIGHT COUNT       through the daemon
 *   floor IN_FLIGHT COUNT       the bare way
 * Exit 1 if a turn has no end within PATIENCE_S. tests/bench/turn/turn.py starts daemon and program. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "tests/bench/load_payload.h"
#include "tests/bench/turn_peer.h"

#include "queue/base/clock.h"
#include "queue/base/error.h"

#define CUSTOMERS   10000000u /* more than any run has turns */
#define FLIGHT_MAX  4096u
#define QUESTION    64u /* bytes of a customer's words */
#define PATIENCE_S  60
#define COMMAND_MAX 1024

/* One customer at a time. */
struct lane {
    struct run *run;
    struct bufferevent *connection;
    unsigned customer;
    bool acked, called, closing; /* closing: the server says that it takes no more on this connection */
    int64_t sent_us;
};

/* One measurement. */
struct run {
    struct event_base *base;
    struct payload *payload;
    struct lane *lanes;
    unsigned in_flight, port;
    uint32_t *acks, *turns; /* us each */
    size_t count, begun, done, ack_count, call_count;
    char *post;
};

struct bench {
    struct event_base *base;
    struct evconnlistener *peers;
    struct run *run;                /* under way, NULL: none */
    struct lane *waits[FLIGHT_MAX]; /* by customer % FLIGHT_MAX */
    unsigned next_customer;
    unsigned port;
    char path[512];
    char line[COMMAND_MAX]; /* the last command */
    unsigned runs;
};

static struct bench bench;

static void lane_read(struct bufferevent *from, void *arg);
static void lane_gone(struct bufferevent *connection, short what, void *arg);

static void lane_open(struct lane *lane)
{
    if (lane->connection != NULL) {
        bufferevent_free(lane->connection);
    }
    lane->connection = peer_dial(lane->run->base, lane->run->port);
    lane->closing = false;
    bufferevent_setcb(lane->connection, lane_read, NULL, lane_gone, lane);
    bufferevent_enable(lane->connection, EV_READ | EV_WRITE);
}

/* The next customer of this lane writes. */
static void lane_begin(struct lane *lane)
{
    struct run *run = lane->run;

    if (run->begun == run->count) {
        return;
    }
    if (lane->closing) {
        lane_open(lane);
    }
    run->begun++;
    lane->customer = bench.next_customer++;
    lane->acked = lane->called = false;
    struct lane **place = &bench.waits[lane->customer % FLIGHT_MAX];
    CHECK(*place == NULL || (*place)->called);
    *place = lane;
    payload_next(run->payload, run->post);
    lane->sent_us = clock_mono_us();
    bufferevent_write(lane->connection, run->post, payload_size(run->payload));
}

/* A turn has ended when the post was acknowledged and the platform called. */
static void lane_look(struct lane *lane)
{
    if (!lane->acked || !lane->called) {
        return;
    }
    if (++lane->run->done == lane->run->count) {
        event_base_loopbreak(lane->run->base);
    }
    lane_begin(lane);
}

/* The daemon has answered the post. */
static void lane_read(struct bufferevent *from, void *arg)
{
    struct lane *lane = arg;
    struct peer_message message;

    if (peer_message(bufferevent_get_input(from), &message)) {
        CHECK(strncmp(message.head, "HTTP/1.1 200", 12) == 0 && !lane->acked);
        lane->closing = memmem(message.head, message.head_size, "lose\r\n", 6) != NULL;
        peer_drain(bufferevent_get_input(from), &message);
        lane->acked = true;
        lane->run->acks[lane->run->ack_count++] = (uint32_t)(clock_mono_us() - lane->sent_us);
        lane_look(lane);
    }
}

static void lane_gone(struct bufferevent *connection, short what, void *arg)
{
    struct lane *lane = arg;

    (void)connection;
    if (!lane->closing || !lane->acked) {
        fprintf(stderr, "a connection ended: %d\n", what);
        exit(1);
    }
}

/* The platform was called for a customer. */
static void called(unsigned customer, void *arg)
{
    struct lane *lane = bench.waits[customer % FLIGHT_MAX];
    int64_t now = clock_mono_us();

    (void)arg;
    CHECK(bench.run != NULL && lane != NULL && lane->customer == customer && !lane->called);
    lane->called = true;
    lane->run->turns[lane->run->call_count++] = (uint32_t)(now - lane->sent_us);
    bench.waits[customer % FLIGHT_MAX] = NULL;
    lane_look(lane);
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* The value of which so many in a hundred are not above. */
static double percentile_ms(uint32_t *values, size_t count, unsigned percent)
{
    size_t at = (count * percent + 99) / 100;

    return values[at > 0 ? at - 1 : 0] / 1e3;
}

static void print_result(struct run *run, const char *name, int64_t took_us)
{
    qsort(run->turns, run->count, sizeof *run->turns, by_size);
    qsort(run->acks, run->count, sizeof *run->acks, by_size);
    printf("{\"row\":\"%s\",\"in_flight\":%u,\"turns\":%zu,\"per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"max_ms\":%.3f,\"ack_p50_ms\":%.3f,\"ack_p99_ms\":%.3f}\n",
           name, run->in_flight, run->count, (double)run->count * 1e6 / (double)took_us,
           percentile_ms(run->turns, run->count, 50), percentile_ms(run->turns, run->count, 99),
           percentile_ms(run->turns, run->count, 100), percentile_ms(run->acks, run->count, 50),
           percentile_ms(run->acks, run->count, 99));
    fflush(stdout);
}

/* Posts of QUESTION bytes of text, ids that no other run has, customers from the next one on. */
static struct payload *posts_for(unsigned port, size_t count)
{
    char host[32], tag[16];
    struct payload_options options = {.kind = PAYLOAD_MESSAGE,
                                      .host = host,
                                      .path = bench.path,
                                      .secret = "app-secret",
                                      .phone_id = "106540352242922",
                                      .tag = tag,
                                      .customers = CUSTOMERS};

    snprintf(host, sizeof host, "127.0.0.1:%u", port);
    snprintf(tag, sizeof tag, "%04x%04u", (unsigned)getpid() & 0xffffu, bench.runs++ % 10000u);
    struct payload *empty = payload_new(&options);
    options.body_size = payload_body_size(empty) + QUESTION;
    payload_free(empty);
    struct payload *posts = payload_new(&options);
    payload_from(posts, bench.next_customer);
    payload_prepare(posts, count);
    return posts;
}

static void run_fini(struct run *run)
{
    for (unsigned i = 0; i < run->in_flight; i++) {
        bufferevent_free(run->lanes[i].connection);
    }
    payload_free(run->payload);
    free(run->lanes);
    free(run->acks);
    free(run->turns);
    free(run->post);
}

/* Runs count turns, so many at once. */
static void run_turns(const char *name, unsigned port, unsigned in_flight, size_t count)
{
    struct run run = {.base = bench.base, .in_flight = in_flight, .port = port, .count = count};

    run.lanes = xcalloc(in_flight, sizeof *run.lanes);
    run.acks = xcalloc(count, sizeof *run.acks);
    run.turns = xcalloc(count, sizeof *run.turns);
    run.payload = posts_for(port, count);
    run.post = xmalloc(payload_size(run.payload));
    for (unsigned i = 0; i < in_flight; i++) {
        run.lanes[i].run = &run;
        lane_open(&run.lanes[i]);
    }
    bench.run = &run;
    alarm(PATIENCE_S);
    int64_t began = clock_mono_us();
    for (unsigned i = 0; i < in_flight; i++) {
        lane_begin(&run.lanes[i]);
    }
    event_base_dispatch(bench.base);
    int64_t took = clock_mono_us() - began;
    alarm(0);
    CHECK(run.done == count);
    bench.run = NULL;
    print_result(&run, name, took);
    run_fini(&run);
}

/* True if the line is a command; it has been obeyed then. */
static bool obey(const char *line)
{
    unsigned in_flight = 0, port = 0;
    size_t count = 0;
    int at = 0, pid = 0;

    if (sscanf(line, "target %u %511s", &port, bench.path) == 2) {
        bench.port = port;
        return true;
    }
    bool floor = sscanf(line, "floor %u %zu%n", &in_flight, &count, &at) == 2;
    bool turns = !floor && sscanf(line, "turns %u %zu%n", &in_flight, &count, &at) == 2;
    if ((!floor && !turns) || in_flight == 0 || in_flight > FLIGHT_MAX / 2 || count < in_flight ||
        bench.port == 0) {
        return false;
    }
    if (turns) {
        run_turns("turns", bench.port, in_flight, count);
        return true;
    }
    port = peer_bare(peer_port(bench.peers), &pid);
    run_turns("floor", port, in_flight, count);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return true;
}

/* A line on standard input. Until a run begins the loop serves whoever asks. */
static void on_line(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    if (fgets(bench.line, sizeof bench.line, stdin) == NULL) {
        exit(0);
    }
    event_base_loopbreak(bench.base);
}

int main(void)
{
    bench.base = event_base_new();
    bench.peers = peer_listen(bench.base, called, NULL);
    setvbuf(stdin, NULL, _IONBF, 0); /* what is not read must still wake the loop */
    printf("{\"port\":%u}\n", peer_port(bench.peers));
    fflush(stdout);
    struct event *lines = event_new(bench.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_line, NULL);
    for (;;) {
        CHECK(event_add(lines, NULL) == 0);
        event_base_dispatch(bench.base);
        event_del(lines);
        if (!obey(bench.line)) {
            fprintf(stderr, "not a command: %s", bench.line);
            return 2;
        }
    }
}
