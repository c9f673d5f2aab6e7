/* httpc.c: one transfer from request to answer.
 *
 * What holds for each transfer:
 *  - it is in the table under its number from httpc_send until just before its done is called;
 *  - libcurl forbids adding and removing transfers inside its callbacks, and callers may send and cancel
 *    anywhere, so both only queue the transfer; an event of ours starts and ends what is queued, a slice
 *    for each turn of the loop;
 *  - whether anything may have been sent is decided by two facts: libcurl announced the request
 *    (CURLOPT_PREREQFUNCTION: the connection and its TLS are up) and bytes of it were written;
 *  - libcurl repeats a request on a fresh connection when a kept one dies without an answer. For anything but
 * GET and HEAD that could do the thing twice, so the second announcement is refused once bytes went out. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>
#include <event2/event.h>
#include <uthash.h>
#include <utlist.h>

#include "queue/base/buf.h"
#include "queue/base/clock.h"
#include "queue/base/httpc.h"
#include "queue/base/httpc_parts.h"
#include "queue/base/httpc_pool.h"
#include "queue/base/loop.h"
#include "queue/base/netguard.h"
#include "queue/base/shelf.h"

#define CONNECT_MS  5000
#define TOTAL_MS    15000
#define ANSWER_MAX  ((size_t)1 << 20)
#define HEADERS_MAX ((size_t)64 << 10)
#define SLICE       64 /* transfers started or ended in one turn of the loop */

struct transfer {
    uint64_t number;
    UT_hash_handle hh;
    struct transfer *prev; /* in the client's queue */
    struct transfer *next;
    bool queued;
    struct httpc *client;

    CURL *easy; /* of the handle */
    struct httpc_handle *handle;
    bool begun; /* libcurl has or had it */
    struct httpc_parts parts;
    char *pool_name;         /* NULL: the shared pool */
    struct httpc_pool *pool; /* set while libcurl has the transfer */
    bool trusted;
    int silence_ms;
    size_t max_answer;
    bool (*on_data)(const char *data, size_t size, long status, void *arg);
    httpc_done_fn done;
    void *arg;

    bool ending; /* outcome is settled, only done is left to call */
    enum httpc_outcome outcome;
    const char *words;  /* our reason, when it is not libcurl's */
    unsigned announced; /* requests about to be sent */
    unsigned sockets;   /* opened */
    bool refused;       /* netguard refused an address */
    bool too_large;
    bool stopped; /* on_data returned false */
    bool headers_done;
    struct buf answer_headers; /* name NUL value NUL, again and again */
    struct buf answer_body;
    size_t received;
    int64_t begun_us;
    int64_t last_ms; /* when bytes last moved */
    curl_off_t uploaded;
    struct loop_timer *silence;
    char error[CURL_ERROR_SIZE];
};

struct httpc {
    struct loop *loop;
    struct httpc_pools *pools;
    struct event *work;
    struct transfer *table;
    struct transfer *queue;
    uint64_t last_number;
    unsigned calling; /* done callbacks on the stack */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

/* Short names for logs. */
const char *httpc_outcome_name(enum httpc_outcome outcome)
{
    static const char *const names[] = {
        [HTTPC_ANSWERED] = "answered",   [HTTPC_BLOCKED] = "blocked", [HTTPC_UNREACHED] = "unreached",
        [HTTPC_BROKEN] = "broken",       [HTTPC_TIMEOUT] = "timeout", [HTTPC_TOO_LARGE] = "too_large",
        [HTTPC_CANCELLED] = "cancelled",
    };

    return (size_t)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

/* libcurl's process-wide part. It makes some forty small pieces for each transfer. */
static void global_init(void)
{
    CURLcode code = curl_global_init_mem(CURL_GLOBAL_DEFAULT, shelf_take, shelf_give, shelf_retake,
                                         shelf_take_text, shelf_take_zeroed);

    CHECK(code == CURLE_OK);
}

/* Whether bytes of the request may have reached the other side. */
static bool was_sent(const struct transfer *t)
{
    long size = 0;

    if (t->announced == 0) {
        return false;
    }
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &size);
    return size > 0;
}

/* Settles the outcome; the first one stays. */
static void settle(struct transfer *t, enum httpc_outcome outcome, const char *words)
{
    if (!t->ending) {
        t->ending = true;
        t->outcome = outcome;
        t->words = words;
    }
}

/* The outcome of a transfer that libcurl ended. */
static enum httpc_outcome outcome_of(const struct transfer *t, CURLcode code)
{
    if (t->too_large) {
        return HTTPC_TOO_LARGE;
    }
    if (t->stopped) {
        return HTTPC_CANCELLED;
    }
    if (code == CURLE_OK) {
        return HTTPC_ANSWERED;
    }
    if (!was_sent(t)) {
        bool blocked = t->refused && t->sockets == 0;
        bool foreign = code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT;
        return blocked || foreign ? HTTPC_BLOCKED : HTTPC_UNREACHED;
    }
    return code == CURLE_OPERATION_TIMEDOUT ? HTTPC_TIMEOUT : HTTPC_BROKEN;
}

/* Why a transfer ended badly, for logs. */
static const char *reason_of(const struct transfer *t, CURLcode code)
{
    if (t->outcome == HTTPC_ANSWERED) {
        return "";
    }
    if (t->words != NULL) {
        return t->words;
    }
    if (t->outcome == HTTPC_BLOCKED && t->refused) {
        return "the address is not allowed";
    }
    if (t->too_large) {
        return "the answer is too large";
    }
    return t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
}

/* The last header of that name in name NUL value NUL pairs, or NULL. */
static const char *find_header(const struct buf *headers, const char *name)
{
    const char *at = headers->data;
    const char *end = at + headers->len;
    const char *found = NULL;

    if (headers->len == 0) {
        return NULL;
    }
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0) {
            found = value;
        }
        at = value + strlen(value) + 1;
    }
    return found;
}

/* The value of an answer's header. */
const char *httpc_answer_header(const struct httpc_answer *answer, const char *name)
{
    return find_header(answer->headers, name);
}

/* The value of a header, "" if there is none. */
static const char *header_or_empty(const struct transfer *t, const char *name)
{
    const char *value = find_header(&t->answer_headers, name);

    return value != NULL ? value : "";
}

/* Frees what a transfer owns. */
static void transfer_free(struct transfer *t)
{
    httpc_pool_spare(t->client->pools, t->pool_name, t->trusted, t->handle);
    httpc_parts_free(&t->parts);
    buf_fini(&t->answer_headers);
    buf_fini(&t->answer_body);
    free(t->pool_name);
    free(t);
}

/* Takes a transfer off every list, calls its done and frees it. libcurl has let go of it. */
static void finish(struct transfer *t, CURLcode code)
{
    struct httpc *client = t->client;
    struct httpc_answer answer = {.headers = &t->answer_headers};

    CHECK(t->pool == NULL && t->ending);
    HASH_DEL(client->table, t);
    if (t->queued) {
        DL_DELETE(client->queue, t);
    }
    loop_cancel(t->silence);
    if (t->begun) { /* else the handle may still know of the transfer before */
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    }
    answer.outcome = t->outcome;
    answer.head_done = t->headers_done;
    answer.body = buf_str(&t->answer_body);
    answer.body_size = t->answer_body.len;
    answer.content_type = header_or_empty(t, "Content-Type");
    answer.retry_after = header_or_empty(t, "Retry-After");
    answer.total_us = clock_mono_us() - t->begun_us;
    answer.reason = reason_of(t, code);
    client->calling++;
    t->done(&answer, t->arg);
    client->calling--;
    transfer_free(t);
}

/* Ends a transfer from our side. */
static void end(struct transfer *t)
{
    if (t->pool != NULL) {
        httpc_pool_remove(t->pool, t->easy);
        t->pool = NULL;
    }
    finish(t, CURLE_OK);
}

/* The pool reports that libcurl ended a transfer. */
static void on_pool_done(CURL *easy, CURLcode code)
{
    char *private = NULL;
    struct transfer *t;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    t = (struct transfer *)(void *)private;
    t->pool = NULL;
    settle(t, outcome_of(t, code), NULL);
    finish(t, code);
}

/* Puts a transfer into the queue of those to start or to end. */
static void enqueue(struct transfer *t)
{
    if (!t->queued) {
        DL_APPEND(t->client->queue, t);
        t->queued = true;
        event_active(t->client->work, EV_TIMEOUT, 0);
    }
}

/* Starts or ends a slice of the queue. */
static void on_work(evutil_socket_t fd, short what, void *arg)
{
    struct httpc *client = arg;

    (void)fd;
    (void)what;
    for (int i = 0; i < SLICE && client->queue != NULL; i++) {
        struct transfer *t = client->queue;
        DL_DELETE(client->queue, t);
        t->queued = false;
        if (t->ending) {
            end(t);
        } else {
            t->begun = true;
            t->pool = httpc_pool_add(client->pools, t->pool_name, t->trusted, t->easy);
        }
    }
    httpc_pools_begin(client->pools);
    if (client->queue != NULL) {
        event_active(client->work, EV_TIMEOUT, 0);
    }
}

/* libcurl: open a socket to this address. The gate of the private-address defence. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *t = arg;
    int fd;

    if (purpose != CURLSOCKTYPE_IPCXN || (!t->trusted && !netguard_permits(&address->addr))) {
        t->refused = true;
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0) {
        t->sockets++;
        httpc_pool_opened(t->pool, fd);
    }
    return fd;
}

/* The silence timer: ends the transfer if no byte moved for too long, else waits for the rest. */
static void on_silence(void *arg)
{
    struct transfer *t = arg;
    curl_off_t uploaded = 0;
    int64_t now = clock_mono_ms();
    int64_t left;

    t->silence = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    if (uploaded != t->uploaded) {
        t->uploaded = uploaded;
        t->last_ms = now;
    }
    left = t->last_ms + t->silence_ms - now;
    if (left > 0) {
        t->silence = loop_after(t->client->loop, left, on_silence, t);
        return;
    }
    settle(t, was_sent(t) ? HTTPC_TIMEOUT : HTTPC_UNREACHED, "no byte came for too long");
    end(t);
}

/* libcurl: the connection is up, the request is about to be sent. */
static int on_announce(void *arg, char *ip, char *local_ip, int port, int local_port)
{
    struct transfer *t = arg;

    (void)ip;
    (void)local_ip;
    (void)port;
    (void)local_port;
    if (!t->parts.repeatable && was_sent(t)) {
        return CURL_PREREQFUNC_ABORT;
    }
    t->announced++;
    t->last_ms = clock_mono_ms();
    if (t->silence_ms > 0 && t->silence == NULL) {
        t->silence = loop_after(t->client->loop, t->silence_ms, on_silence, t);
    }
    return CURL_PREREQFUNC_OK;
}

/* Keeps one "Name: value" line. */
static void keep_header(struct buf *headers, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    const char *value;
    const char *stop = line + size;

    if (colon == NULL || colon == line || memchr(line, '\0', size) != NULL || line[0] == ' ' ||
        line[0] == '\t') {
        return;
    }
    value = colon + 1;
    while (value < stop && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (stop > value && strchr(" \t\r\n", stop[-1]) != NULL) {
        stop--;
    }
    buf_add(headers, line, (size_t)(colon - line));
    buf_addc(headers, '\0');
    buf_add(headers, value, (size_t)(stop - value));
    buf_addc(headers, '\0');
}

/* libcurl: one line of the answer's head, or of the trailers, which are not kept. */
static size_t on_header(char *line, size_t one, size_t size, void *arg)
{
    struct transfer *t = arg;

    (void)one;
    t->last_ms = clock_mono_ms();
    if (t->received == 0 && size >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        buf_reset(&t->answer_headers);
        t->headers_done = false;
    } else if (size == 0 || line[0] == '\r' || line[0] == '\n') {
        t->headers_done = true;
    } else if (!t->headers_done) {
        keep_header(&t->answer_headers, line, size);
    }
    if (!buf_ok(&t->answer_headers)) {
        t->too_large = true;
        return 0;
    }
    return size;
}

/* libcurl: a piece of the answer's body. Anything but size as the result breaks the transfer off. */
static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
    struct transfer *t = arg;
    long status = 0;

    (void)one;
    t->last_ms = clock_mono_ms();
    if (t->ending || t->stopped) {
        return 0;
    }
    if (size > t->max_answer - t->received) {
        t->too_large = true;
        return 0;
    }
    t->received += size;
    if (t->on_data == NULL) {
        buf_add(&t->answer_body, data, size);
        t->too_large = !buf_ok(&t->answer_body);
        return t->too_large ? 0 : size;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->stopped = !t->on_data(data, size, status, t->arg);
    return t->stopped ? 0 : size;
}

/* The options that lead back to the transfer, and its deadlines. */
static void set_hooks(struct transfer *t, const struct httpc_request *request)
{
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_announce);
    curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(request->connect_ms > 0 ? request->connect_ms : CONNECT_MS));
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS,
                     (long)(request->total_ms > 0 ? request->total_ms : TOTAL_MS));
}

/* Makes a client on a loop. */
struct httpc *httpc_new(struct loop *loop)
{
    struct httpc *client = xcalloc(1, sizeof(*client));

    pthread_once(&curl_once, global_init);
    client->loop = loop;
    client->pools = httpc_pools_new(loop, on_pool_done);
    client->work = event_new(loop_base(loop), -1, 0, on_work, client);
    CHECK(client->work != NULL);
    return client;
}

/* Cancels all and frees. */
void httpc_free(struct httpc *client)
{
    if (client == NULL) {
        return;
    }
    CHECK(client->calling == 0);
    while (client->table != NULL) {
        settle(client->table, HTTPC_CANCELLED, "the client is closing");
        end(client->table);
    }
    event_free(client->work);
    httpc_pools_free(client->pools);
    free(client);
}

/* Makes a transfer and queues it, to be started or, if the request cannot be sent, to be ended. */
uint64_t httpc_send(struct httpc *client, const struct httpc_request *request, httpc_done_fn done, void *arg)
{
    struct transfer *t = xcalloc(1, sizeof(*t));
    const char *fault;

    t->number = ++client->last_number;
    t->client = client;
    t->begun_us = clock_mono_us();
    t->pool_name = request->pool != NULL ? xstrdup(request->pool) : NULL;
    t->trusted = request->trusted;
    t->silence_ms = request->silence_ms;
    t->max_answer = request->max_answer != 0 ? request->max_answer : ANSWER_MAX;
    t->on_data = request->on_data;
    t->done = done;
    t->arg = arg;
    buf_init(&t->answer_headers, HEADERS_MAX);
    buf_init(&t->answer_body, t->max_answer);
    t->handle = httpc_pool_handle(client->pools, request);
    t->easy = t->handle->easy;
    fault = httpc_parts_set(&t->parts, t->handle, request);
    set_hooks(t, request);
    if (fault != NULL) {
        settle(t, HTTPC_BLOCKED, fault);
    }
    HASH_ADD(hh, client->table, number, sizeof(t->number), t);
    enqueue(t);
    return t->number;
}

/* Queues a transfer to be ended. */
void httpc_cancel(struct httpc *client, uint64_t number)
{
    struct transfer *t = NULL;

    HASH_FIND(hh, client->table, &number, sizeof(number), t);
    if (t != NULL && !t->ending) {
        settle(t, HTTPC_CANCELLED, "cancelled");
        enqueue(t);
    }
}

/* Transfers whose done has not been called. */
size_t httpc_in_flight(const struct httpc *client)
{
    return HASH_COUNT(client->table);
}
