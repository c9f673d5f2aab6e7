/* http_reader_fuzz.c: the bytes of one client's connection through the front's whole reading path.
 *
 * The connection is a real one on a real loop but has no socket: bytes are put into its input, answers are
 * taken out of its output. What must hold: however the same bytes are cut into pieces, the same requests
 * arrive with the same content and the same refusal ends them; each request and each refusal is answered
 * once; after a refusal nothing more arrives; a path is what http.h promises; and once the client has ended
 * its side, the connection ends. */
#include <stdlib.h>
#include <string.h>

#include "bridge/http/http_int.h"
#include "tests/fuzz/fuzz.h"

#define STEPS_MAX  4096 /* more than enough to end a connection */
#define BYTES_MAX  256  /* inputs up to this size are also given byte by byte */
#define PIECES_MAX 4

/* One way to give the input, and what came of it. */
struct run {
    const char *data;
    size_t size, at;
    size_t cuts[PIECES_MAX]; /* where pieces end, in order; each byte alone if there is none */
    bool ended;
    unsigned steps;
    unsigned calls, answers;
    bool refused;
    struct buf story;
};

static struct http_server *server;
static struct http_thread *thread;
static struct run *current;

/* True if the path has no empty, "." or ".." segment but a last empty one. */
static bool path_clean(const char *path)
{
    if (*path != '/') {
        return false;
    }
    for (const char *at = path + 1; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len == 0 || (len <= 2 && strspn(at, ".") >= len)) {
            return false;
        }
        at += len + (at[len] == '/');
    }
    return true;
}

static void tell(const char *what, size_t size)
{
    buf_addf(&current->story, "%zu:", size);
    buf_add(&current->story, what, size);
}

static void on_request(struct http_request *req, void *arg)
{
    size_t size = 0;
    const char *body = http_body(req, &size);

    (void)arg;
    CHECK(!current->refused);
    CHECK(path_clean(http_path(req)));
    CHECK(req->framing != HTTP_LENGTH || size == req->length);
    CHECK(req->framing != HTTP_NO_BODY || size == 0);
    CHECK(body[size] == '\0');
    tell(http_method(req), strlen(http_method(req)));
    tell(http_path(req), strlen(http_path(req)));
    tell(http_query(req), strlen(http_query(req)));
    for (unsigned i = 0; i < req->field_count; i++) {
        tell(req->fields[i].name, strlen(req->fields[i].name));
        tell(req->fields[i].value, strlen(req->fields[i].value));
    }
    tell(body, size);
    current->calls++;
    http_reply(req, 200, "text/plain", "", 0);
}

static void on_refused(struct http_request *req, int status, const char *reason, void *arg)
{
    (void)reason;
    (void)arg;
    CHECK(!current->refused);
    current->refused = true;
    current->calls++;
    buf_addf(&current->story, "refused %d", status);
    http_reply(req, status, "text/plain", "", 0);
}

/* Releases a piece that libevent has done with. */
static void piece_free(const void *data, size_t size, void *arg)
{
    (void)data;
    (void)size;
    free(arg);
}

/* Puts the next piece into the input, in memory of its own exact size. */
static void give(struct http_conn *conn, struct run *run)
{
    struct evbuffer *in = bufferevent_get_input(conn->bev);
    size_t end = run->cuts[0] == 0 ? run->at + 1 : run->size;

    for (unsigned i = 0; i < PIECES_MAX; i++) {
        if (run->cuts[i] > run->at && run->cuts[i] < end) {
            end = run->cuts[i];
        }
    }
    size_t size = end - run->at;
    char *piece = xmalloc(size);
    memcpy(piece, run->data + run->at, size);
    run->at = end;
    evbuffer_unfreeze(in, 0);
    CHECK(evbuffer_add_reference(in, piece, size, piece_free, piece) == 0);
    evbuffer_freeze(in, 0);
}

/* Takes what was answered and counts the answers; bodies are empty, so heads are all there is. */
static void take(struct http_conn *conn, struct run *run)
{
    struct evbuffer *out = bufferevent_get_output(conn->bev);
    size_t len = evbuffer_get_length(out);
    static const char HEAD[] = "HTTP/1.1 ";

    if (len == 0) {
        return;
    }
    evbuffer_unfreeze(out, 1);
    const char *at = (const char *)evbuffer_pullup(out, -1);
    const char *end = at + len;
    CHECK(len > sizeof HEAD && memcmp(at, HEAD, sizeof HEAD - 1) == 0);
    while (at != NULL) {
        at += sizeof HEAD - 1;
        run->answers += memcmp(at, "100 ", 4) == 0 ? 0 : 1;
        at = memmem(at, (size_t)(end - at), HEAD, sizeof HEAD - 1);
    }
    evbuffer_drain(out, len);
    evbuffer_freeze(out, 1);
}

/* One turn of the client: takes what there is, gives the next piece, in the end its end. */
static void step(void *arg)
{
    struct run *run = arg;
    struct http_conn *conn = TAILQ_FIRST(&thread->conns);

    if (conn == NULL) {
        loop_stop(thread->loop);
        return;
    }
    CHECK(run->steps++ < STEPS_MAX + run->size);
    take(conn, run);
    if (run->at < run->size) {
        give(conn, run);
    } else if (!run->ended) {
        run->ended = true;
        conn->eof = true;
    }
    http_conn_kick(conn);
    loop_post(thread->loop, step, run);
}

static void begin(void *arg)
{
    http_server_adopt(server, &(struct http_guest){.fd = -1, .peer = "192.0.2.7"});
    step(arg);
}

/* Plays one connection to its end. */
static void play(struct run *run)
{
    buf_init(&run->story, 64u << 20);
    current = run;
    loop_post(thread->loop, begin, run);
    loop_run(thread->loop);
    CHECK(TAILQ_EMPTY(&thread->conns) && TAILQ_EMPTY(&thread->requests));
    CHECK(buf_ok(&run->story));
    CHECK(run->answers == run->calls);
}

/* Plays the same bytes cut in another way; the story must be the same. */
static void play_again(const struct run *first, const size_t *cuts)
{
    struct run run = {.data = first->data, .size = first->size};

    memcpy(run.cuts, cuts, sizeof run.cuts);
    play(&run);
    CHECK(run.story.len == first->story.len);
    CHECK(memcmp(buf_str(&run.story), buf_str(&first->story), run.story.len) == 0);
    CHECK(run.calls == first->calls);
    buf_fini(&run.story);
}

void fuzz_start(void)
{
    struct http_config config;

    http_config_default(&config);
    config.on_request = on_request;
    config.on_refused = on_refused;
    server = http_server_new(&config);
    thread = &server->threads[0];
}

void fuzz_one(const char *data, size_t size)
{
    static const size_t BYTES[PIECES_MAX] = {0};
    struct run whole = {.data = data, .size = size, .cuts = {size}};

    if (size == 0) {
        return;
    }
    play(&whole);
    play_again(&whole, (const size_t[PIECES_MAX]){1 + fuzz_pick(data, size, 1, size)});
    play_again(&whole, (const size_t[PIECES_MAX]){1 + fuzz_pick(data, size, 2, size),
                                                  1 + fuzz_pick(data, size, 3, size),
                                                  1 + fuzz_pick(data, size, 4, size)});
    if (size <= BYTES_MAX) {
        play_again(&whole, BYTES);
    }
    buf_fini(&whole.story);
}
