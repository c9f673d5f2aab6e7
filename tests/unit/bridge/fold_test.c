/* fold_test.c: messages and events become figures, each exactly once, whatever is run or submitted again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bridge/insight/fold.h"
#include "bridge/insight/rollup.h"
#include "queue/base/id.h"
#include "tests/unit/queue/store_fixture.h"

/* 2026-03-10T10:14:59Z and one second later: two quarters of an hour. */
#define FIRST_MS 1773137699000
#define NEXT_MS  1773137700000

static void store_at(struct fixture *f, enum kind kind, int64_t at_ms, unsigned number, const char *text)
{
    char floor[27], id[64];

    id_floor(at_ms + number, floor);
    snprintf(id, sizeof id, "%s_%s", kind_row(kind)->prefix, floor);
    put(f, kind, id, text);
}

static void say(struct fixture *f, int64_t at_ms, unsigned number, const char *author, const char *source,
                const char *text)
{
    char body[500];

    snprintf(body, sizeof body,
             "{'conversation_id':'cnv_A','agent_id':'agt_A','contact_id':'con_A','channel_id':'chn_A','type':"
             "'text',"
             "'author':{'type':'%s'},'source':'%s','text':'%s'}",
             author, source, text);
    store_at(f, KIND_MESSAGE, at_ms, number, body);
}

/* A change-set of what there is to count. */
static struct changes *collect(struct fixture *f, size_t most, size_t *count)
{
    struct snapshot *snap;
    struct changes *cs = changes_new();

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    *count = rollup_collect(cs, snap, PART, 0, most);
    snapshot_close(snap);
    return cs;
}

static void run(struct fixture *f, size_t most, size_t want)
{
    size_t count;
    struct changes *cs = collect(f, most, &count);

    assert_int_equal(count, want);
    if (count == 0) {
        changes_free(cs);
    } else {
        assert_int_equal(commit(f, cs), ERR_OK);
    }
}

/* A stored record. */
static json_t *record(struct fixture *f, enum kind kind, const char *id)
{
    struct snapshot *snap;
    json_t *body = NULL;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_get(snap, kind, PART, id, &body, NULL), ERR_OK);
    snapshot_close(snap);
    return body;
}

static int64_t figure(struct fixture *f, const char *slot, const char *name)
{
    json_t *body = record(f, KIND_ROLLUP, slot);
    int64_t value = jx_int(jx_obj(jx_obj(body, "agents"), "agt_A"), name, 0);

    json_decref(body);
    return value;
}

static void fill(struct fixture *f)
{
    say(f, FIRST_MS, 1, "customer", "", "When do you open? This is useless and ridiculous");
    say(f, FIRST_MS, 2, "ai", "knowledge", "At nine.");
    say(f, NEXT_MS, 3, "customer", "", "And the engines?");
    say(f, NEXT_MS, 4, "ai", "fallback", "I do not know.");
    store_at(f, KIND_EVENT, NEXT_MS, 5,
             "{'type':'handoff.triggered','agent_id':'agt_A','conversation_id':'cnv_A','data':{}}");
    store_at(f, KIND_EVENT, NEXT_MS, 6,
             "{'type':'feedback.received','agent_id':'agt_A','conversation_id':'cnv_A','data':{'feedback':{'"
             "rating':"
             "'down'}}}");
    store_at(f, KIND_EVENT, NEXT_MS, 7,
             "{'type':'message.sent','agent_id':'agt_A','conversation_id':'cnv_A'}");
}

static void expect_filled(struct fixture *f)
{
    json_t *insight = record(f, KIND_INSIGHT, "cnv_A");

    assert_int_equal(figure(f, "2026-03-10T10:00", "messages_in"), 1);
    assert_int_equal(figure(f, "2026-03-10T10:00", "conversations"), 1);
    assert_int_equal(figure(f, "2026-03-10T10:00", "answers_grounded"), 1);
    assert_int_equal(figure(f, "2026-03-10T10:15", "messages_in"), 1);
    assert_int_equal(figure(f, "2026-03-10T10:15", "conversations"), 0);
    assert_int_equal(figure(f, "2026-03-10T10:15", "fallbacks"), 1);
    assert_int_equal(figure(f, "2026-03-10T10:15", "handoffs"), 1);
    assert_int_equal(figure(f, "2026-03-10T10:15", "feedback_down"), 1);
    assert_int_equal(jx_int(insight, "in", 0), 2);
    assert_int_equal(jx_int(insight, "handoffs", 0), 1);
    assert_string_equal(jx_str(insight, "last"), "fallback");
    assert_string_equal(jx_str(insight, "rating"), "down");
    assert_string_equal(jx_str(insight, "language"), "en");
    assert_true(jx_bool(insight, "negative", false));
    json_decref(insight);
}

static void test_each_is_counted_once(void **state)
{
    struct fixture *f = *state;

    fill(f);
    run(f, 100, 7);
    expect_filled(f);
    run(f, 100, 0);
    fixture_reopen(f);
    run(f, 100, 0);
    expect_filled(f);
}

static void test_small_passes_count_the_same(void **state)
{
    struct fixture *f = *state;

    fill(f);
    for (int i = 0; i < 7; i++) {
        run(f, 1, 1);
    }
    run(f, 1, 0);
    expect_filled(f);
}

static void test_the_same_pass_submitted_twice_is_dropped(void **state)
{
    struct fixture *f = *state;
    size_t count;

    fill(f);
    struct changes *first = collect(f, 100, &count), *second = collect(f, 100, &count);
    assert_int_equal(commit(f, first), ERR_OK);
    assert_int_equal(commit(f, second), ERR_CONFLICT);
    expect_filled(f);
}

static void test_what_is_erased_takes_no_figure_along(void **state)
{
    struct fixture *f = *state;
    struct store_page page;
    struct snapshot *snap;
    struct page_query query = {.kind = KIND_MESSAGE, .part = PART, .limit = 100};

    fill(f);
    run(f, 100, 7);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(snapshot_page(snap, &query, &page), ERR_OK);
    struct changes *cs = changes_new();
    for (size_t i = 0; i < page.count; i++) {
        changes_delete(cs, KIND_MESSAGE, PART, page.rows[i].id);
    }
    store_page_free(&page);
    snapshot_close(snap);
    assert_int_equal(commit(f, cs), ERR_OK);
    run(f, 100, 0);
    expect_filled(f);
}

static void test_what_is_fresh_rests(void **state)
{
    struct fixture *f = *state;
    struct snapshot *snap;
    struct changes *cs = changes_new();

    say(f, clock_wall_ms() - 1000, 1, "customer", "", "When do you open?");
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(rollup_collect(cs, snap, PART, 60000, 100), 0);
    assert_int_equal(rollup_collect(cs, snap, PART, 500, 100), 1);
    snapshot_close(snap);
    changes_free(cs);
}

static void test_only_wanted_events_are_read(void **state)
{
    const char wanted[] = "{\"id\":\"evt_1\",\"type\":\"lead.created\"}";
    const char other[] = "{\"id\":\"evt_1\",\"type\":\"message.sent\",\"text\":\"lead.created\"}";

    (void)state;
    assert_true(fold_wants_event(wanted, sizeof wanted - 1));
    assert_false(fold_wants_event(other, sizeof other - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_each_is_counted_once),
        STORE_TEST(test_small_passes_count_the_same),
        STORE_TEST(test_the_same_pass_submitted_twice_is_dropped),
        STORE_TEST(test_what_is_erased_takes_no_figure_along),
        STORE_TEST(test_what_is_fresh_rests),
        cmocka_unit_test(test_only_wanted_events_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
