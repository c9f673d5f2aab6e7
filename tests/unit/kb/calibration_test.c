/* calibration_test.c: labels out of feedback records, the fit that is stored, and who reads it. */
#include "kb/calibration.h"

#include <math.h>
#include <string.h>

#include "queue/base/id.h"
#include "tests/unit/kb/room.h"

/* Stores an answer of a confidence with the feedback it met. */
static void answer_put(struct changes *cs, unsigned number, double confidence, bool up)
{
    char turn[48], message[48];
    snprintf(turn, sizeof turn, "trn_%06u", number);
    snprintf(message, sizeof message, "msg_%06u", number);
    json_t *msg = json_pack("{s:s,s:s}", "id", message, "turn_id", turn);
    json_t *trace = json_pack("{s:s,s:f,s:f,s:[{s:s}]}", "id", turn, "confidence", 0.5, "shipped_confidence",
                              confidence, "passages", "document_id", "doc_1");
    json_t *feedback = json_pack("{s:s,s:s}", "message_id", message, "rating", up ? "up" : "down");
    changes_put(cs, KIND_MESSAGE, "p1", message, msg);
    changes_put(cs, KIND_TURN, "p1", turn, trace);
    changes_put(cs, KIND_FEEDBACK, "p1", id_new("fbk").text, feedback);
    json_decref(msg);
    json_decref(trace);
    json_decref(feedback);
}

/* Answers that claim .9 and are right half the time, and such that claim .2 and are right every tenth time.
 */
static void answers_put(struct store *store, unsigned from, unsigned count)
{
    struct changes *cs = changes_new();

    for (unsigned i = from; i < from + count; i++) {
        bool sure = i % 2 == 0;
        answer_put(cs, i, sure ? 0.9 : 0.2, sure ? i / 2 % 2 == 0 : i / 2 % 10 == 0);
    }
    assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);
}

/* Refits; true if a record was written. */
static bool refit(struct store *store)
{
    struct changes *cs = changes_new();
    struct snapshot *snap;
    bool changed;

    assert_int_equal(snapshot_open(store, &snap), ERR_OK);
    assert_int_equal(kb_calibration_refit(snap, "p1", cs, &changed), ERR_OK);
    snapshot_close(snap);
    if (changed) {
        assert_int_equal(store_submit_wait(store, cs, NULL), ERR_OK);
    } else {
        changes_free(cs);
    }
    return changed;
}

static struct kb_calibration stored(struct store *store, const char *part)
{
    struct snapshot *snap;

    assert_int_equal(snapshot_open(store, &snap), ERR_OK);
    struct kb_calibration c = kb_calibration_read(snap, part);
    snapshot_close(snap);
    return c;
}

static void test_refit(void **state)
{
    struct room *room = *state;

    answers_put(room->store, 0, 199);
    assert_false(refit(room->store));
    struct kb_calibration c = stored(room->store, "p1");
    assert_true(c.stretch == 1 && c.shift == 0);
    answers_put(room->store, 199, 101);
    assert_true(refit(room->store));
    c = stored(room->store, "p1");
    assert_true(fabs(kb_calibrate(&c, 0.9) - 0.5) < 0.1);
    assert_true(fabs(kb_calibrate(&c, 0.2) - 0.1) < 0.1);
    assert_false(refit(room->store)); /* nothing new */
    c = stored(room->store, "p2");
    assert_true(c.stretch == 1 && c.shift == 0);
}

/* A record that nobody of ours wrote changes nothing. */
static void test_strange_record(void **state)
{
    struct room *room = *state;
    struct changes *cs = changes_new();
    json_t *record = json_pack("{s:b,s:f,s:f}", "taken", 1, "stretch", -50.0, "shift", 1e300);

    changes_put(cs, KIND_SETTING, "p1", KB_CALIBRATION_SETTING, record);
    json_decref(record);
    assert_int_equal(store_submit_wait(room->store, cs, NULL), ERR_OK);
    struct kb_calibration c = stored(room->store, "p1");
    assert_true(c.stretch == 1 && c.shift == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refit, room_setup, room_teardown),
        cmocka_unit_test_setup_teardown(test_strange_record, room_setup, room_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
