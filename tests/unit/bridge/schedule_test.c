/* schedule_test.c: deliveries while the wall clock jumps by a day, forward and back, and across a restart:
 * the schedule is kept, no attempt is lost, none is made twice. Time passes only when the test moves the
 * monotonic clock. A second endpoint, which is well, shows that the workers had their turn. */
#include "tests/unit/queue/store_fixture.h"

#include "bridge/app.h"
#include "bridge/http/http.h"
#include "bridge/webhooks/desk.h"
#include "queue/base/clock.h"
#include "queue/base/netguard.h"
#include "queue/events.h"

#define DAY_MS (86400 * (int64_t)1000)

struct world {
    struct fixture *f;
    struct http_server *server;
    struct workers *workers;
    struct gate gate;
    int bad;   /* attempts at the endpoint that fails */
    int well;  /* at the other */
    int fails; /* so many attempts fail */
};

static void on_request(struct http_request *req, void *arg)
{
    struct world *w = arg;
    bool bad = strstr(http_path(req), "bad") != NULL;
    pthread_mutex_lock(&w->gate.lock);
    bool fails = bad && w->bad < w->fails;
    pthread_mutex_unlock(&w->gate.lock);
    http_reply(req, fails ? 500 : 200, "text/plain", "ok", 2);
    gate_add(&w->gate, bad ? &w->bad : &w->well, 1);
}

static void add_endpoint(struct world *w, const char *id, const char *path, const char *event)
{
    char *text = xasprintf("{'id':'%s','url':'%s/%s','events':['%s'],'status':'active','secrets':[]}", id,
                           http_server_url(w->server), path, event);
    put(w->f, KIND_WEBHOOK, id, text);
    free(text);
}

static void start_workers(struct world *w)
{
    w->workers = workers_new(w->f->store, 1, 32);
    webhooks_register(w->workers);
    assert_int_equal(workers_start(w->workers), ERR_OK);
}

static void stop_workers(struct world *w)
{
    assert_int_equal(workers_stop(w->workers, WAIT_MS), 0);
    workers_free(w->workers);
}

static void setup(struct world *w)
{
    struct http_config config;
    netguard_allow_all(true);
    http_config_default(&config);
    config.threads = 1;
    config.on_request = on_request;
    config.arg = w;
    w->server = http_server_new(&config);
    assert_int_equal(http_server_listen(w->server, "127.0.0.1:0"), ERR_OK);
    assert_int_equal(http_server_start(w->server), ERR_OK);
    add_endpoint(w, "whk_bad", "bad", "lead.created");
    add_endpoint(w, "whk_well", "well", "lead.qualified");
    start_workers(w);
}

static void teardown(struct world *w)
{
    stop_workers(w);
    desks_reset(0);
    http_server_stop(w->server, 1000);
    http_server_free(w->server);
    netguard_reset();
}

static void tell(struct world *w, const char *type)
{
    struct snapshot *snap;
    struct changes *cs = changes_new();
    json_t *data = json_object();
    assert_int_equal(snapshot_open(w->f->store, &snap), ERR_OK);
    event_append(cs, snap, PART, type, NULL, data, NULL);
    snapshot_close(snap);
    json_decref(data);
    assert_int_equal(commit(w->f, cs), ERR_OK);
}

/* An event for the endpoint that is well arrives: the workers looked at what is due. */
static void turn(struct world *w)
{
    int before = w->well;
    tell(w, "lead.qualified");
    assert_true(gate_wait(&w->gate, &w->well, before + 1, WAIT_MS));
}

/* The first delivery to the failing endpoint; new reference. */
static json_t *delivery(struct world *w)
{
    struct snapshot *snap;
    struct page_query query = {.kind = KIND_DELIVERY, .part = PART, .limit = 100};
    struct store_page page;
    json_t *found = NULL;
    assert_int_equal(snapshot_open(w->f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    for (size_t i = 0; i < page.count; i++) {
        if (found == NULL && strcmp(jx_str_or(page.rows[i].body, "webhook_id", ""), "whk_bad") == 0) {
            found = json_incref(page.rows[i].body);
        }
    }
    store_page_free(&page);
    snapshot_close(snap);
    return found;
}

/* Waits until that many attempts are on record, and for no more. */
static void wait_tries(struct world *w, int tries, const char *status)
{
    int64_t end = clock_mono_ms() + WAIT_MS;
    bool reached = false;
    while (!reached && clock_mono_ms() < end) {
        json_t *found = delivery(w);
        reached = found != NULL && jx_int(found, "tries", 0) == tries;
        if (reached) {
            assert_string_equal(jx_str(found, "status"), status);
            assert_int_equal(json_array_size(jx_arr(found, "attempts")), tries);
        }
        json_decref(found);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    assert_true(reached);
    assert_int_equal(w->bad, tries);
}

/* Time passes; the next attempt is made, and only that. */
static void pass(struct world *w, int64_t ms, int tries, const char *status)
{
    clock_shift_mono(ms);
    turn(w);
    assert_true(gate_wait(&w->gate, &w->bad, tries, WAIT_MS));
    wait_tries(w, tries, status);
}

/* The schedule is 0 s, 5 s, 5 min, 30 min, each give or take a fifth. */
static void a_day_forward_and_back_changes_nothing(void **state)
{
    struct world w = {.f = *state, .gate = GATE_INIT, .fails = 3};
    setup(&w);
    tell(&w, "lead.created");
    assert_true(gate_wait(&w.gate, &w.bad, 1, WAIT_MS));
    wait_tries(&w, 1, "pending");
    clock_shift_wall(DAY_MS);
    turn(&w);
    wait_tries(&w, 1, "pending"); /* a day on the wall is no time at all */
    pass(&w, 6001, 2, "pending");
    clock_shift_wall(-2 * DAY_MS);
    turn(&w);
    wait_tries(&w, 2, "pending");
    pass(&w, 360001, 3, "pending");
    clock_shift_wall(DAY_MS);
    turn(&w);
    pass(&w, 2160001, 4, "delivered");
    turn(&w);
    clock_shift_mono(DAY_MS);
    turn(&w);
    wait_tries(&w, 4, "delivered");
    teardown(&w);
}

/* Set back while the daemon is down, an attempt still waits no longer than it was told to; set forward, it is
 * due at once, and made once. */
static void a_day_back_or_forward_while_it_is_down_loses_nothing(void **state)
{
    struct world w = {.f = *state, .gate = GATE_INIT, .fails = 3};
    setup(&w);
    tell(&w, "lead.created");
    assert_true(gate_wait(&w.gate, &w.bad, 1, WAIT_MS));
    wait_tries(&w, 1, "pending");
    pass(&w, 6001, 2, "pending");
    stop_workers(&w);
    clock_shift_wall(-DAY_MS);
    fixture_reopen(w.f);
    start_workers(&w);
    turn(&w);
    wait_tries(&w, 2, "pending");
    pass(&w, 360001, 3, "pending");
    stop_workers(&w);
    clock_shift_wall(2 * DAY_MS);
    fixture_reopen(w.f);
    start_workers(&w);
    assert_true(gate_wait(&w.gate, &w.bad, 4, WAIT_MS));
    turn(&w);
    wait_tries(&w, 4, "delivered");
    clock_shift_wall(-DAY_MS);
    teardown(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_day_forward_and_back_changes_nothing),
        STORE_TEST(a_day_back_or_forward_while_it_is_down_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
