/* deliver.c: event deliveries a second, beside a bare loop over libcurl's multi interface that posts the same
 * bytes.
 *
 * rate     so many events to one endpoint, and over 1,000 endpoints: from the start of the workers until the
 * last arrived and was recorded. Each delivery is signed, sent, judged and recorded in a durable commit. The
 * bare loop has as many posts in flight as the gate allows, to the same receiver, in the same process, with
 * bodies and headers of the same length that it made once. latency  from the submission of an event's
 * change-set into an idle daemon to the arrival of its post. size     the process's memory and the store's
 * pages for each delivery that waits.
 *
 * The receiver is our own HTTP front on a thread of its own; on two cores it takes its share. Usage:
 * bench_deliver DIR [COUNT [WAITING]]: DIR must be on the disk to be measured; COUNT deliveries of each rate
 * (10000), WAITING of size (100000). One line of JSON for each row. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bridge/app.h"
#include "bridge/http/http.h"
#include "bridge/webhooks/endpoint.h"
#include "queue/base/clock.h"
#include "queue/base/crypto.h"
#include "queue/base/id.h"
#include "queue/base/log.h"
#include "queue/base/netguard.h"
#include "queue/base/option.h"
#include "queue/events.h"
#include "queue/jobs.h"
#include "tests/bench/deliver_bare.h"
#include "tests/bench/deliver_cpu.h"

#define MAP_SIZE  (16ull << 30)
#define EVENT_SET 200 /* deliveries made by one change-set, about */
#define PROBES    200
#define WAIT_S    300
#define ONE       8   /* what the gate lets one endpoint have in flight */
#define MANY      192 /* and all of them */
#define ENDPOINTS 1000

struct bench {
    char dir[256], uri[300], url[128];
    struct store *store;
    struct http_server *server;
    struct partition part;
    unsigned long count, waiting;
};

static atomic_ulong arrived;
static _Atomic int64_t arrived_us;
static atomic_size_t arrived_size; /* of the last body */

static void sleep_us(long us)
{
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

/* The receiver: counts and says 200. */
static void on_request(struct http_request *req, void *arg)
{
    size_t size;
    (void)arg;
    http_body(req, &size);
    atomic_store(&arrived_size, size);
    atomic_store(&arrived_us, clock_mono_us());
    atomic_fetch_add(&arrived, 1);
    http_reply(req, 200, "text/plain", "ok", 2);
}

static void start_receiver(struct bench *b)
{
    struct http_config config;
    http_config_default(&config);
    config.threads = 1;
    config.on_request = on_request;
    b->server = http_server_new(&config);
    CHECK(http_server_listen(b->server, "127.0.0.1:0") == ERR_OK);
    CHECK(http_server_start(b->server) == ERR_OK);
    snprintf(b->url, sizeof(b->url), "%s/events", http_server_url(b->server));
}

/* Waits until so many posts have arrived. */
static enum err wait_arrived(unsigned long count)
{
    int64_t end = clock_mono_ms() + WAIT_S * 1000;
    while (atomic_load(&arrived) < count) {
        if (clock_mono_ms() > end) {
            return ERR_TIMEOUT;
        }
        sleep_us(500);
    }
    return ERR_OK;
}

/* Waits until every delivery's success is recorded. */
static enum err wait_recorded(struct bench *b)
{
    int64_t end = clock_mono_ms() + WAIT_S * 1000;
    struct queue_shape shape = {.jobs = 1};
    for (store_queue_shape(b->store, QUEUE_DELIVER, &shape); shape.jobs > 0;
         store_queue_shape(b->store, QUEUE_DELIVER, &shape)) {
        if (clock_mono_ms() > end) {
            return ERR_TIMEOUT;
        }
        sleep_us(200);
    }
    return ERR_OK;
}

/* Takes all endpoints away and makes so many new ones. */
static void make_endpoints(struct bench *b, unsigned count)
{
    struct snapshot *snap;
    struct store_page page;
    bool more = true;
    while (more) {
        struct changes *cs = changes_new();
        struct page_query query = {.kind = KIND_WEBHOOK, .part = b->part.text, .limit = 1000};
        CHECK(snapshot_open(b->store, &snap) == ERR_OK && snapshot_page(snap, &query, &page) == ERR_OK);
        for (size_t i = 0; i < page.count; i++) {
            changes_delete(cs, KIND_WEBHOOK, b->part.text, page.rows[i].id);
        }
        more = page.more;
        store_page_free(&page);
        snapshot_close(snap);
        CHECK(store_submit_wait(b->store, cs, NULL) == ERR_OK);
    }
    struct changes *cs = changes_new();
    for (unsigned i = 0; i < count; i++) {
        char secret[SIGN_SECRET_SIZE];
        struct id id = id_new("whk");
        json_t *webhook = json_pack("{s:s,s:n,s:s,s:[s],s:s}", "id", id.text, "agent_id", "url", b->url,
                                    "events", "*", "status", "active");
        endpoint_secret_make(secret);
        endpoint_secret_set(webhook, b->part.text, secret, 0);
        changes_put(cs, KIND_WEBHOOK, b->part.text, id.text, webhook);
        json_decref(webhook);
    }
    CHECK(store_submit_wait(b->store, cs, NULL) == ERR_OK);
}

/* The data of an event, about 1 kB of it. */
static json_t *event_data(void)
{
    static char text[801];
    memset(text, 'x', sizeof(text) - 1);
    return json_pack("{s:{s:s,s:s}}", "message", "id", "msg_01K5A7Q2V4N8M6T3R9Y1W0XZMS", "text", text);
}

/* Events until there are so many deliveries; each reaches every endpoint. */
static void make_events(struct bench *b, unsigned long deliveries, unsigned endpoints)
{
    unsigned events = EVENT_SET / endpoints + 1;
    json_t *data = event_data();
    for (unsigned long made = 0; made < deliveries;) {
        struct snapshot *snap;
        struct changes *cs = changes_new();
        CHECK(snapshot_open(b->store, &snap) == ERR_OK);
        for (unsigned i = 0; i < events && made < deliveries; i++, made += endpoints) {
            struct id conversation = id_new("cnv");
            struct event_about about = {.conversation_id = conversation.text};
            event_append(cs, snap, b->part.text, "message.received", &about, data, NULL);
        }
        snapshot_close(snap);
        CHECK(store_submit_wait(b->store, cs, NULL) == ERR_OK);
    }
    json_decref(data);
}

static struct workers *start_workers(struct bench *b)
{
    struct workers *ws = workers_new(b->store, 1, 256);
    webhooks_register(ws);
    CHECK(workers_start(ws) == ERR_OK);
    return ws;
}

/* What has been spent up to now, in microseconds of a processor; and on the store's side. */
struct spent {
    double worker, committer, receiver;
    struct store_status store;
};

static void look(struct bench *b, struct spent *out)
{
    out->worker = deliver_cpu_us("worker-");
    out->committer = deliver_cpu_us("committer");
    out->receiver = deliver_cpu_us("http-");
    store_status(b->store, &out->store);
}

/* The row of one rate: what each delivery took of each thread says where the time went. */
static void print_rate(unsigned endpoints, unsigned long count, const struct spent *began,
                       const struct spent *ended, const double rates[2])
{
    double commits = (double)(ended->store.commits - began->store.commits);
    printf("{\"bench\":\"deliver\",\"row\":\"rate\",\"endpoints\":%u,\"deliveries\":%lu,\"per_s\":%.0f,"
           "\"bare_per_s\":%.0f,\"ratio\":%.2f,\"worker_us\":%.1f,\"committer_us\":%.1f,\"receiver_us\":%.1f,"
           "\"per_commit\":%.1f}\n",
           endpoints, count, rates[0], rates[1], rates[1] > 0 ? rates[0] / rates[1] : 0,
           (ended->worker - began->worker) / (double)count,
           (ended->committer - began->committer) / (double)count,
           (ended->receiver - began->receiver) / (double)count, commits > 0 ? (double)count / commits : 0);
}

/* Deliveries a second over so many endpoints, and the bare loop's posts. */
static enum err measure_rate(struct bench *b, unsigned endpoints)
{
    struct spent began, ended;
    make_endpoints(b, endpoints);
    make_events(b, b->count, endpoints);
    unsigned long want = (b->count + endpoints - 1) / endpoints * endpoints;
    atomic_store(&arrived, 0);
    int64_t began_us = clock_mono_us();
    look(b, &began);
    struct workers *ws = start_workers(b);
    enum err rc = wait_arrived(want);
    rc = rc == ERR_OK ? wait_recorded(b) : rc;
    double rates[2] = {(double)want * 1e6 / (double)(clock_mono_us() - began_us), 0};
    look(b, &ended);
    workers_stop(ws, 10000);
    workers_free(ws);
    struct deliver_bare load = {b->url, atomic_load(&arrived_size), want, endpoints == 1 ? ONE : MANY};
    rates[1] = rc == ERR_OK ? deliver_bare(&load) : 0;
    print_rate(endpoints, want, &began, &ended, rates);
    return rc;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* From cause to arrival, one at a time. */
static enum err measure_latency(struct bench *b)
{
    int64_t took[PROBES];
    enum err rc = ERR_OK;
    make_endpoints(b, 1);
    struct workers *ws = start_workers(b);
    for (int i = 0; i < PROBES && rc == ERR_OK; i++) {
        atomic_store(&arrived, 0);
        int64_t began = clock_mono_us();
        make_events(b, 1, 1);
        rc = wait_arrived(1);
        took[i] = atomic_load(&arrived_us) - began;
        sleep_us(2000);
    }
    workers_stop(ws, 10000);
    workers_free(ws);
    qsort(took, PROBES, sizeof(took[0]), compare);
    printf("{\"bench\":\"deliver\",\"row\":\"latency\",\"probes\":%d,\"p50_us\":%lld,\"p99_us\":%lld}\n",
           PROBES, (long long)took[PROBES / 2], (long long)took[PROBES * 99 / 100]);
    return rc;
}

/* Resident bytes of this process that are no part of the store's map. */
static unsigned long own_memory(void)
{
    char line[256];
    unsigned long kb = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "RssAnon: %lu", &kb) == 1) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kb * 1024;
}

/* Waits until the store has brought in what its journal holds, and its lists are given back. */
static void wait_calm(struct bench *b, struct store_status *out)
{
    int64_t end = clock_mono_ms() + WAIT_S * 1000;
    for (store_status(b->store, out); out->recent_bytes > 0 && clock_mono_ms() < end;
         store_status(b->store, out)) {
        sleep_us(20000);
    }
}

/* What a delivery that waits costs. */
static void measure_size(struct bench *b)
{
    struct store_status before, after;
    make_endpoints(b, 1);
    wait_calm(b, &before);
    unsigned long memory = own_memory();
    make_events(b, b->waiting, 1);
    wait_calm(b, &after);
    unsigned long more = own_memory() > memory ? own_memory() - memory : 0;
    printf("{\"bench\":\"deliver\",\"row\":\"size\",\"waiting\":%lu,\"memory_bytes_each\":%.1f,\"store_bytes_"
           "each\":%.0f}\n",
           b->waiting, (double)more / (double)b->waiting,
           (double)(after.used_bytes - before.used_bytes) / (double)b->waiting);
}

/* Removes the store's files. */
static void clean(const struct bench *b)
{
    static const char *const names[] = {"store/data.mdb", "store/journal-0", "store/journal-1", "store/lock.mdb", "store/lock.pid", "store", "master.key"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[400];
        snprintf(path, sizeof(path), "%s/%s", b->dir, names[i]);
        (void)remove(path);
    }
    (void)rmdir(b->dir);
}

int main(int argc, char **argv)
{
    struct bench b = {.count = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000,
                      .waiting = argc > 3 ? strtoul(argv[3], NULL, 10) : 100000};
    struct buf why;
    char key[300];
    if (argc < 2 || b.count == 0 || b.waiting == 0) {
        fprintf(stderr, "usage: bench_deliver DIR [COUNT [WAITING]]\n");
        return 2;
    }
    snprintf(b.dir, sizeof(b.dir), "%s/deliver-XXXXXX", argv[1]);
    if (mkdtemp(b.dir) == NULL) {
        perror(b.dir);
        return 1;
    }
    log_set(LOG_ERROR, LOG_KEYVALUE);
    buf_init(&why, 256);
    CHECK(option_set_flag("webhooks-rate", "0", &why) == ERR_OK);
    buf_fini(&why);
    netguard_allow_all(true);
    snprintf(key, sizeof(key), "%s/master.key", b.dir);
    snprintf(b.uri, sizeof(b.uri), "lmdb:%s/store", b.dir);
    b.part = partition_of(id_new("acc").text, MODE_LIVE);
    CHECK(crypto_master_key_create(key) == ERR_OK);
    CHECK(store_open(b.uri, MAP_SIZE, 4096, &b.store) == ERR_OK);
    start_receiver(&b);
    enum err rc = measure_latency(&b);
    rc = rc == ERR_OK ? measure_rate(&b, 1) : rc;
    rc = rc == ERR_OK ? measure_rate(&b, ENDPOINTS) : rc;
    if (rc == ERR_OK) {
        measure_size(&b);
    } else {
        fprintf(stderr, "bench_deliver: %s\n", err_name(rc));
    }
    http_server_stop(b.server, 1000);
    http_server_free(b.server);
    store_close(b.store);
    clean(&b);
    return rc == ERR_OK ? 0 : 1;
}
