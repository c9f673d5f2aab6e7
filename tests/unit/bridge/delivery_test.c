/* delivery_test.c: when an event is tried again, what an answer means, which name of an event an endpoint
 * gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/webhooks/attempt.h"
#include "bridge/webhooks/endpoint.h"
#include "bridge/webhooks/schedule.h"
#include "queue/base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LIVE         "0,5,300,1800,7200,18000,36000,50400,72000,86400"
#define HOUR_MS      (3600 * (int64_t)1000)

static void delays(void **state)
{
    static const struct {
        const char *label, *schedule;
        unsigned attempt;
        bool busy;
        const char *retry_after;
        bool want;
        int64_t least, most;
    } cases[] = {
        {"second", LIVE, 2, false, "", true, 4000, 6000},
        {"third", LIVE, 3, false, "", true, 240000, 360000},
        {"last", LIVE, 10, false, "", true, 69120000, 103680000},
        {"over", LIVE, 11, false, "", false, 0, 0},
        {"busy waits a minute", LIVE, 2, true, "", true, 60000, 60000},
        {"Retry-After is honoured", LIVE, 3, true, "400", true, 400000, 400000},
        {"Retry-After at most doubles", LIVE, 2, true, "100000", true, 120000, 120000},
        {"Retry-After never shortens", LIVE, 3, false, "1", true, 240000, 360000},
        {"Retry-After in the past", LIVE, 3, false, "Wed, 21 Oct 2015 07:28:00 GMT", true, 240000, 360000},
        {"Retry-After that is none", LIVE, 3, false, "soon", true, 240000, 360000},
        {"a list with spaces", "0, 10, 20", 3, false, "", true, 16000, 24000},
        {"no list", "", 2, false, "", false, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int round = 0; round < 50; round++) {
            int64_t delay = 0;
            bool got = schedule_delay(cases[i].schedule, cases[i].attempt, cases[i].busy,
                                      cases[i].retry_after, &delay);
            if (got != cases[i].want || delay < cases[i].least || delay > cases[i].most) {
                fail_msg("%s: %d %lld", cases[i].label, got, (long long)delay);
            }
        }
    }
}

static void outcomes(void **state)
{
    static const struct {
        enum httpc_outcome outcome;
        long status;
        enum attempt_end want;
        bool busy;
    } cases[] = {
        {HTTPC_ANSWERED, 200, ATTEMPT_DELIVERED, false}, {HTTPC_ANSWERED, 204, ATTEMPT_DELIVERED, false},
        {HTTPC_ANSWERED, 299, ATTEMPT_DELIVERED, false}, {HTTPC_ANSWERED, 301, ATTEMPT_RETRY, false},
        {HTTPC_ANSWERED, 404, ATTEMPT_RETRY, false},     {HTTPC_ANSWERED, 410, ATTEMPT_GONE, false},
        {HTTPC_ANSWERED, 429, ATTEMPT_RETRY, true},      {HTTPC_ANSWERED, 500, ATTEMPT_RETRY, false},
        {HTTPC_ANSWERED, 503, ATTEMPT_RETRY, true},      {HTTPC_TIMEOUT, 0, ATTEMPT_RETRY, true},
        {HTTPC_UNREACHED, 0, ATTEMPT_RETRY, false},      {HTTPC_BLOCKED, 0, ATTEMPT_RETRY, false},
        {HTTPC_BROKEN, 200, ATTEMPT_DELIVERED, false},   {HTTPC_TOO_LARGE, 200, ATTEMPT_DELIVERED, false},
        {HTTPC_TOO_LARGE, 500, ATTEMPT_RETRY, false},    {HTTPC_BROKEN, 0, ATTEMPT_RETRY, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct httpc_answer answer = {.outcome = cases[i].outcome,
                                      .status = cases[i].status,
                                      .head_done = cases[i].status != 0,
                                      .retry_after = ""};
        assert_int_equal(attempt_judge(&answer), cases[i].want);
        assert_int_equal(attempt_is_busy(&answer), cases[i].busy);
    }
}

static void half_an_answer_head_delivers_nothing(void **state)
{
    struct httpc_answer answer = {.outcome = HTTPC_TIMEOUT, .status = 200, .retry_after = ""};
    (void)state;
    assert_int_equal(attempt_judge(&answer), ATTEMPT_RETRY);
    answer.outcome = HTTPC_TOO_LARGE; /* a flood of header lines */
    assert_int_equal(attempt_judge(&answer), ATTEMPT_RETRY);
}

static void an_endpoint_that_only_fails_is_warned_of_then_switched_off(void **state)
{
    json_t *webhook = json_object();
    int64_t now = 1700000000000;
    (void)state;
    jx_set_str(webhook, "status", "active");
    assert_null(endpoint_judge(webhook, ATTEMPT_RETRY, now));
    assert_null(endpoint_judge(webhook, ATTEMPT_RETRY, now + 59 * HOUR_MS));
    assert_string_equal(endpoint_judge(webhook, ATTEMPT_RETRY, now + 60 * HOUR_MS), "webhook.failing");
    assert_null(endpoint_judge(webhook, ATTEMPT_FAILED, now + 61 * HOUR_MS));
    assert_string_equal(jx_str(webhook, "status"), "failing");
    assert_null(endpoint_judge(webhook, ATTEMPT_DELIVERED, now + 62 * HOUR_MS));
    assert_string_equal(jx_str(webhook, "status"), "active");
    assert_null(endpoint_judge(webhook, ATTEMPT_RETRY, now + 63 * HOUR_MS));
    assert_string_equal(endpoint_judge(webhook, ATTEMPT_RETRY, now + 183 * HOUR_MS), "webhook.disabled");
    assert_string_equal(jx_str(webhook, "status"), "disabled");
    assert_null(endpoint_judge(webhook, ATTEMPT_DELIVERED, now + 184 * HOUR_MS));
    assert_string_equal(jx_str(webhook, "status"), "disabled");
    json_decref(webhook);
}

static void gone_switches_off_at_once(void **state)
{
    json_t *webhook = json_object();
    (void)state;
    jx_set_str(webhook, "status", "active");
    assert_string_equal(endpoint_judge(webhook, ATTEMPT_GONE, 1700000000000), "webhook.disabled");
    assert_string_equal(jx_str(webhook, "status"), "disabled");
    json_decref(webhook);
}

static void names_by_subscription(void **state)
{
    static const struct {
        const char *events, *type, *want;
    } cases[] = {
        {"[\"escalation.triggered\"]", "handoff.triggered", "escalation.triggered"},
        {"[\"escalation.*\"]", "handoff.triggered", "escalation.triggered"},
        {"[\"handoff.triggered\"]", "handoff.triggered", "handoff.triggered"},
        {"[\"escalation.triggered\",\"handoff.triggered\"]", "handoff.triggered", "handoff.triggered"},
        {"[\"escalation.triggered\",\"handoff.resolved\"]", "handoff.triggered", "escalation.triggered"},
        {"[\"*\"]", "handoff.triggered", "handoff.triggered"},
        {"[\"message.*\"]", "message.sent", "message.sent"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        json_t *webhook = json_object(), *events;
        assert_int_equal(jx_parse_lenient(cases[i].events, strlen(cases[i].events), &events), ERR_OK);
        jx_set(webhook, "events", events);
        assert_string_equal(endpoint_event_name(webhook, cases[i].type), cases[i].want);
        json_decref(webhook);
    }
}

static void secrets_that_fit(void **state)
{
    char made[SIGN_SECRET_SIZE];
    uint8_t key[SIGN_KEY_MAX];
    size_t size;
    (void)state;
    assert_true(endpoint_secret_fits("whsec_your_signing_secret"));
    assert_false(endpoint_secret_fits("short"));
    assert_false(endpoint_secret_fits("with a space inside"));
    assert_false(endpoint_secret_fits("caf\xc3\xa9 caf\xc3\xa9 caf\xc3\xa9"));
    endpoint_secret_make(made);
    assert_true(endpoint_secret_fits(made));
    assert_true(sign_key(made, key, &size));
    assert_int_equal(size, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(half_an_answer_head_delivers_nothing),
        cmocka_unit_test(an_endpoint_that_only_fails_is_warned_of_then_switched_off),
        cmocka_unit_test(gone_switches_off_at_once),
        cmocka_unit_test(names_by_subscription),
        cmocka_unit_test(secrets_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
