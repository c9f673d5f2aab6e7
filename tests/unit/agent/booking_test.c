/* booking_test.c: slots over days on which the clock changes, buffers, capacity, notice; and that of all who
 * want one slot exactly one gets it. */
#include <stdatomic.h>

#include "../queue/store_fixture.h"

#include "agent/booking/booking.h"
#include "queue/base/id.h"

#define CONTENDERS 1000
#define THREADS    8

/* An agent whose section "appointments" is given; the clock stands at a time of ours. */
static json_t *agent_of(const char *section)
{
    json_t *agent = json_of("{'id': 'agt_A', 'settings': {}}");

    jx_set(jx_obj(agent, "settings"), "appointments", json_of(section));
    return agent;
}

static int64_t at(const char *utc)
{
    int64_t ms;
    bool date_only;

    assert_true(clock_parse(utc, &ms, &date_only));
    return ms;
}

/* Moves the wall clock to a moment. */
static void clock_set(const char *utc)
{
    clock_shift_wall(at(utc) - clock_wall_ms());
}

/* The starts of the free slots as one text. */
static char *starts(struct fixture *f, const json_t *agent, const char *from, const char *to, const char *key)
{
    struct snapshot *snap;
    struct booking_search search = {.from_ms = at(from), .to_ms = at(to), .limit = 100};
    struct buf out;
    json_t *slots;
    size_t i;
    json_t *slot;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    assert_int_equal(booking_slots(snap, PART, agent, &search, &slots, NULL, NULL), ERR_OK);
    snapshot_close(snap);
    buf_init(&out, 10000);
    json_array_foreach (slots, i, slot) {
        buf_addf(&out, "%s%s", i > 0 ? " " : "", jx_str_or(slot, key, ""));
    }
    json_decref(slots);
    char *text = buf_take(&out, NULL);
    return text;
}

/* Books in a change-set of its own. */
static enum err book(struct fixture *f, const json_t *agent, const char *wish, char id[ID_SIZE],
                     const char **why)
{
    static struct buf reason;
    struct snapshot *snap;
    struct changes *cs = changes_new();
    json_t *given = json_of(wish), *appointment = NULL;
    const char *field = NULL;

    buf_fini(&reason);
    buf_init(&reason, 500);
    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    enum err rc = booking_book(cs, snap, PART, agent, NULL, given, &appointment, &field, &reason);
    snapshot_close(snap);
    if (rc == ERR_OK) {
        rc = commit(f, cs);
    } else {
        changes_free(cs);
    }
    if (id != NULL && appointment != NULL) {
        snprintf(id, ID_SIZE, "%s", jx_str_or(appointment, "id", ""));
    }
    if (why != NULL) {
        *why = buf_str(&reason);
    }
    json_decref(appointment);
    json_decref(given);
    return rc;
}

/* Each row: a zone, a local day from 00:00 to 05:00 around a change of the clock, the slots of an hour. */
static const struct {
    const char *label, *zone, *now, *from, *to, *want;
} changes_of_clock[] = {
    {"Madrid, spring: no 02:00", "Europe/Madrid", "2026-03-20T00:00:00Z", "2026-03-28T23:00:00Z",
     "2026-03-29T03:00:00Z",
     "2026-03-28T23:00:00Z 2026-03-29T00:00:00Z 2026-03-29T01:00:00Z 2026-03-29T02:00:00Z"},
    {"Madrid, autumn: 02:00 twice", "Europe/Madrid", "2026-10-20T00:00:00Z", "2026-10-24T22:00:00Z",
     "2026-10-25T04:00:00Z",
     "2026-10-24T22:00:00Z 2026-10-24T23:00:00Z 2026-10-25T00:00:00Z 2026-10-25T01:00:00Z "
     "2026-10-25T02:00:00Z "
     "2026-10-25T03:00:00Z"},
    {"New York, spring", "America/New_York", "2026-03-01T00:00:00Z", "2026-03-08T05:00:00Z",
     "2026-03-08T09:00:00Z",
     "2026-03-08T05:00:00Z 2026-03-08T06:00:00Z 2026-03-08T07:00:00Z 2026-03-08T08:00:00Z"},
    {"New York, autumn", "America/New_York", "2026-10-25T00:00:00Z", "2026-11-01T04:00:00Z",
     "2026-11-01T10:00:00Z",
     "2026-11-01T04:00:00Z 2026-11-01T05:00:00Z 2026-11-01T06:00:00Z 2026-11-01T07:00:00Z "
     "2026-11-01T08:00:00Z "
     "2026-11-01T09:00:00Z"},
    {"Lord Howe, autumn: half an hour more", "Australia/Lord_Howe", "2026-04-01T00:00:00Z",
     "2026-04-04T13:00:00Z", "2026-04-04T18:30:00Z",
     "2026-04-04T13:00:00Z 2026-04-04T14:00:00Z 2026-04-04T15:00:00Z 2026-04-04T16:00:00Z "
     "2026-04-04T17:00:00Z"},
    {"Kolkata: half an hour of offset", "Asia/Kolkata", "2026-03-20T00:00:00Z", "2026-03-28T18:30:00Z",
     "2026-03-28T20:30:00Z", "2026-03-28T18:30:00Z 2026-03-28T19:30:00Z"},
};

static void test_clock_changes(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof changes_of_clock / sizeof *changes_of_clock; i++) {
        char section[400];
        snprintf(
            section, sizeof section,
            "{'enabled': true, 'time_zone': '%s', 'slot_minutes': 60, 'hours': {'sun': [['00:00', '05:00']]},"
            " 'services': [{'id': 'cut', 'name': 'Cut', 'minutes': 60}]}",
            changes_of_clock[i].zone);
        json_t *agent = agent_of(section);
        clock_set(changes_of_clock[i].now);
        char *got = starts(f, agent, changes_of_clock[i].from, changes_of_clock[i].to, "starts_at");
        if (strcmp(got, changes_of_clock[i].want) != 0) {
            print_error("%s\n", changes_of_clock[i].label);
        }
        assert_string_equal(got, changes_of_clock[i].want);
        free(got);
        json_decref(agent);
    }
}

#define SHOP                                                                                                 \
    "{'enabled': true, 'time_zone': 'Europe/Madrid', 'slot_minutes': 30, 'notice_minutes': 60,"              \
    " 'horizon_days': 30, 'hours': {'tue': [['09:00', '12:00']]},"                                           \
    " 'exceptions': [{'date': '2026-12-01', 'hours': []}],"                                                  \
    " 'resources': [{'id': 'ana'}, {'id': 'room', 'capacity': 2}],"                                          \
    " 'services': [{'id': 'cut', 'name': 'Corte', 'minutes': 60, 'buffer_after': 15, 'resources': ['ana']}," \
    "  {'id': 'class', 'name': 'Class', 'minutes': 60, 'resources': ['room']}]}"

static void test_book(void **state)
{
    struct fixture *f = *state;
    json_t *agent = agent_of(SHOP);
    const char *why;

    clock_set("2026-11-23T08:00:00Z");
    assert_int_equal(book(f, agent, "{'service': 'corte', 'starts_at': '2026-11-24T10:00'}", NULL, &why),
                     ERR_OK);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T09:00:00Z'}", NULL, &why),
                     ERR_EXISTS);
    assert_string_equal(why, "that time is taken");
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T11:00'}", NULL, &why),
                     ERR_EXISTS);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T11:30'}", NULL, &why),
                     ERR_EXISTS);
    assert_string_equal(why, "that time is outside opening hours");
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T09:00'}", NULL, &why),
                     ERR_EXISTS);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-12-01T09:00'}", NULL, &why),
                     ERR_EXISTS);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2027-01-26T09:00'}", NULL, &why),
                     ERR_EXISTS);
    assert_string_equal(why, "that is too far ahead");
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-17T09:00'}", NULL, &why),
                     ERR_EXISTS);
    assert_int_equal(book(f, agent, "{'starts_at': '2026-11-24T10:00'}", NULL, &why), ERR_INVALID);
    assert_string_equal(why, "one of these is meant: Corte, Class");
    assert_int_equal(
        book(f, agent, "{'service': 'cut', 'resource': 'room', 'starts_at': '2026-11-24T10:00'}", NULL, &why),
        ERR_INVALID);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': 'tomorrow'}", NULL, &why), ERR_INVALID);
    for (int i = 0; i < 3; i++) {
        enum err want = i < 2 ? ERR_OK : ERR_EXISTS;
        assert_int_equal(book(f, agent, "{'service': 'class', 'starts_at': '2026-11-24T10:00'}", NULL, &why),
                         want);
    }
    assert_int_equal(count(f, KIND_APPOINTMENT, INDEX_NONE, NULL), 3);
    json_decref(agent);
}

static void test_slots(void **state)
{
    struct fixture *f = *state;
    json_t *agent = agent_of(SHOP), *only = agent_of(SHOP);
    char *got;

    clock_set("2026-11-24T07:45:00Z"); /* 08:45: an hour's notice ends at 09:45 */
    json_array_remove(jx_arr(jx_obj(jx_obj(only, "settings"), "appointments"), "services"), 1);
    got = starts(f, only, "2026-11-24T00:00:00Z", "2026-12-05T00:00:00Z", "local");
    assert_string_equal(got, "Tue 24 Nov, 10:00 Tue 24 Nov, 10:30 Tue 24 Nov, 11:00");
    free(got);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T11:00'}", NULL, NULL),
                     ERR_OK);
    got = starts(f, only, "2026-11-24T00:00:00Z", "2026-12-05T00:00:00Z", "local");
    assert_string_equal(got, ""); /* 10:00 ends at 11:00, its buffer would not fit */
    free(got);
    json_decref(agent);
    json_decref(only);
}

/* One change of a stored appointment: moved if wish is given, else cancelled. */
static enum err change(struct fixture *f, const json_t *agent, const char *id, const char *wish)
{
    struct snapshot *snap;
    struct changes *cs = changes_new();
    uint64_t rev;
    json_t *appointment = get(f, KIND_APPOINTMENT, PART, id, &rev);
    json_t *given = wish != NULL ? json_of(wish) : NULL;

    assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
    enum err rc = wish != NULL ? booking_move(cs, snap, PART, agent, appointment, rev, given, NULL, NULL)
                               : booking_cancel(cs, snap, PART, appointment, rev, "changed my mind");
    snapshot_close(snap);
    if (rc == ERR_OK && changes_any(cs)) {
        rc = commit(f, cs);
    } else {
        changes_free(cs);
    }
    json_decref(appointment);
    json_decref(given);
    return rc;
}

static void test_move_and_cancel(void **state)
{
    struct fixture *f = *state;
    json_t *agent = agent_of(SHOP);
    char one[ID_SIZE], two[ID_SIZE];

    clock_set("2026-11-23T08:00:00Z");
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T09:00'}", one, NULL),
                     ERR_OK);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T10:30'}", two, NULL),
                     ERR_OK);
    assert_int_equal(change(f, agent, one, "{'starts_at': '2026-11-24T10:30'}"), ERR_EXISTS);
    assert_int_equal(change(f, agent, one, "{'starts_at': '2026-11-24T09:15'}"),
                     ERR_OK); /* overlaps only itself */
    assert_int_equal(change(f, agent, two, NULL), ERR_OK);
    assert_int_equal(change(f, agent, two, NULL), ERR_OK); /* again: nothing */
    assert_int_equal(change(f, agent, two, "{'starts_at': '2026-11-24T10:30'}"), ERR_EXISTS);
    assert_int_equal(change(f, agent, one, "{'starts_at': '2026-11-24T10:30'}"), ERR_OK);
    json_t *record = get(f, KIND_APPOINTMENT, PART, one, NULL);
    assert_int_equal(jx_int(record, "sequence", 0), 2);
    assert_string_equal(jx_str(record, "starts_at"), "2026-11-24T09:30:00Z");
    json_decref(record);
    record = get(f, KIND_APPOINTMENT, PART, two, NULL);
    assert_string_equal(jx_str(record, "status"), "cancelled");
    json_decref(record);
    assert_int_equal(book(f, agent, "{'service': 'cut', 'starts_at': '2026-11-24T09:00'}", NULL, NULL),
                     ERR_OK);
    json_decref(agent);
}

/* A booking over midnight (UTC) stands on both days. */
static void test_midnight(void **state)
{
    struct fixture *f = *state;
    json_t *agent =
        agent_of("{'enabled': true, 'time_zone': 'UTC', 'services': [{'id': 'n', 'minutes': 120}]}");

    clock_set("2026-11-23T08:00:00Z");
    jx_set(jx_obj(jx_obj(agent, "settings"), "appointments"), "time_zone", json_string("America/New_York"));
    assert_int_equal(book(f, agent, "{'starts_at': '2026-11-24T23:00:00Z'}", NULL, NULL), ERR_OK);
    assert_int_equal(book(f, agent, "{'starts_at': '2026-11-25T00:30:00Z'}", NULL, NULL), ERR_EXISTS);
    assert_int_equal(book(f, agent, "{'starts_at': '2026-11-25T01:00:00Z'}", NULL, NULL), ERR_OK);
    json_decref(agent);
}

/* ---- contenders ---- */
struct race {
    struct fixture *f;
    atomic_uint next, won, taken, conflicts, odd;
};

/* One customer who wants the slot and does not give up before he is told that it is taken. */
static void contend(struct race *race, json_t *agent, json_t *wish)
{
    for (;;) {
        struct snapshot *snap;
        struct changes *cs = changes_new();
        json_t *appointment = NULL;
        enum err rc = snapshot_open(race->f->store, &snap);
        if (rc == ERR_OK) {
            rc = booking_book(cs, snap, PART, agent, NULL, wish, &appointment, NULL, NULL);
            snapshot_close(snap);
        }
        json_decref(appointment);
        if (rc != ERR_OK) {
            changes_free(cs);
            atomic_fetch_add(rc == ERR_EXISTS ? &race->taken : &race->odd, 1);
            return;
        }
        rc = store_submit_wait(race->f->store, cs, NULL);
        if (rc != ERR_CONFLICT) {
            atomic_fetch_add(rc == ERR_OK ? &race->won : &race->odd, 1);
            return;
        }
        atomic_fetch_add(&race->conflicts, 1);
    }
}

static void *contender(void *arg)
{
    struct race *race = arg;

    while (atomic_fetch_add(&race->next, 1) < CONTENDERS) {
        json_t *agent = agent_of(SHOP),
               *wish = json_of("{'service': 'cut', 'starts_at': '2026-11-24T10:00'}");
        contend(race, agent, wish);
        json_decref(agent);
        json_decref(wish);
    }
    return NULL;
}

static void test_one_slot_1000_contenders(void **state)
{
    struct race race = {.f = *state};
    pthread_t threads[THREADS];

    clock_set("2026-11-23T08:00:00Z");
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, contender, &race), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(race.won, 1);
    assert_int_equal(race.taken, CONTENDERS - 1);
    assert_int_equal(race.odd, 0);
    assert_int_equal(count(race.f, KIND_APPOINTMENT, INDEX_NONE, NULL), 1);
}

/* Round by round: four who have all read that the slot is free submit; one commits. */
static void test_1000_rounds_of_one_slot(void **state)
{
    struct fixture *f = *state;
    json_t *agent = agent_of("{'enabled': true, 'time_zone': 'UTC', 'horizon_days': 365,"
                             " 'services': [{'id': 's', 'minutes': 30}]}");
    int64_t first = at("2026-11-24T00:00:00Z");

    clock_set("2026-11-23T08:00:00Z");
    for (int round = 0; round < 1000; round++) {
        struct changes *sets[4];
        struct snapshot *snap;
        char when[CLOCK_TEXT_SIZE];
        unsigned won = 0;
        json_t *wish = json_object();
        jx_set_str(wish, "starts_at", clock_rfc3339(first + round * (int64_t)1800000, when));
        assert_int_equal(snapshot_open(f->store, &snap), ERR_OK);
        for (int i = 0; i < 4; i++) {
            json_t *appointment;
            sets[i] = changes_new();
            assert_int_equal(booking_book(sets[i], snap, PART, agent, NULL, wish, &appointment, NULL, NULL),
                             ERR_OK);
            json_decref(appointment);
        }
        snapshot_close(snap);
        for (int i = 0; i < 4; i++) {
            won += commit(f, sets[i]) == ERR_OK;
        }
        assert_int_equal(won, 1);
        json_decref(wish);
    }
    assert_int_equal(count(f, KIND_APPOINTMENT, INDEX_NONE, NULL), 1000);
    json_decref(agent);
}

/* Each row: a section, the place of its fault. */
static const struct {
    const char *text, *where;
} faults[] = {
    {"[]", ""},
    {"{'colour': 1}", "/colour"},
    {"{'time_zone': 'Mars'}", "/time_zone"},
    {"{'hours': {'monday': []}}", "/hours/monday"},
    {"{'hours': {'weekly': {'mon': 1}}}", "/hours/weekly/mon"},
    {"{'exceptions': [{'date': 'x', 'hours': []}]}", "/exceptions/0"},
    {"{'services': [{'id': 'a'}]}", "/services/0"},
    {"{'services': [{'id': 'a', 'minutes': 30, 'resources': ['x']}]}", "/services/0/resources/0"},
    {"{'services': [{'id': 'a', 'minutes': 30}, {'id': 'a', 'minutes': 30}]}", "/services/1"},
    {"{'resources': [{'id': 'a b'}]}", "/resources/0"},
    {"{'resources': [{'id': 'a', 'hours': {'mon': [['9', '10']]}}]}", "/resources/0/hours/mon/0"},
    {"{'reminders': [{'before_minutes': 0}]}", "/reminders/0"},
    {"{'reminders': [{'before_minutes': 60, 'template': {'name': 'x'}}]}", "/reminders/0/template"},
    {"{'horizon_days': 1000}", "/horizon_days"},
};

static void test_settings(void **state)
{
    json_t *good = json_of(SHOP);

    (void)state;
    assert_int_equal(booking_settings_check(good, NULL, NULL), ERR_OK);
    json_decref(good);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        const char *field = NULL;
        json_t *section = json_of(faults[i].text);
        assert_int_equal(booking_settings_check(section, &field, NULL), ERR_INVALID);
        assert_string_equal(field, faults[i].where);
        json_decref(section);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_clock_changes),
        STORE_TEST(test_book),
        STORE_TEST(test_slots),
        STORE_TEST(test_move_and_cancel),
        STORE_TEST(test_midnight),
        STORE_TEST(test_one_slot_1000_contenders),
        STORE_TEST(test_1000_rounds_of_one_slot),
        cmocka_unit_test(test_settings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
