/* route_test.c: matching by the table, and the table itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bridge/api/deprecation.h"
#include "bridge/api/route.h"
#include "queue/base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The template of the row, or what was answered instead. */
static const char *found(const char *method, const char *path, struct route_match *match)
{
    const char *rest;
    const struct surface *surface = surface_of(path, &rest);
    route_find(surface, method, rest, match);
    return match->route != NULL ? match->route->path : match->any != NULL ? "405" : "404";
}

static void matching(void **state)
{
    static const struct {
        const char *method, *path, *want;
    } cases[] = {
        {"GET", "/api/v1/me/", "/me/"},
        {"GET", "/api/v1/me", "/me/"},
        {"HEAD", "/api/v1/me/", "/me/"},
        {"PUT", "/api/v1/me/", "405"},
        {"GET", "/api/v1", "404"},
        {"GET", "/api/v1/", "404"},
        {"GET", "/api/latest/me/", "404"},
        {"GET", "/api/v1x/me/", "404"},
        {"GET", "/me/", "404"},
        {"GET", "/v1/me", "/me/"},
        {"GET", "/v1/bots", "/agents/"},
        {"GET", "/v1/assistants/agt_1", "/agents/{agent}/"},
        {"GET", "/api/v1/bots/", "404"},
        {"POST", "/api/v1/agents/agt_1/knowledge/bulk/", "/agents/{agent}/knowledge/bulk/"},
        {"GET", "/api/v1/agents/agt_1/knowledge/bulk/", "405"},
        {"GET", "/api/v1/agents/agt_1/knowledge/doc_1/", "/agents/{agent}/knowledge/{document}/"},
        {"POST", "/api/v1/agents/agt_1/knowledge/search/", "/agents/{agent}/knowledge/search/"},
        {"GET", "/v1/webhooks/events", "/webhooks/events/"},
        {"DELETE", "/v1/webhooks/events", "405"},
        {"GET", "/v1/webhooks/whk_1", "/webhooks/{webhook}/"},
        {"GET", "/api/v1/webhooks/whk_1/", "404"},
        {"POST", "/v1/messages", "/messages/"},
        {"POST", "/v1/messages/stream", "/messages/stream/"},
        {"GET", "/v1/messages/stream", "405"},
        {"POST", "/hooks/whatsapp/chn_1", "/hooks/{platform}/{channel}/"},
        {"GET", "/healthz", "/healthz"},
        {"GET", "/a/b/c/d/e/f/g/h/i/j/k", "404"},
        {"GET", "/", "404"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct route_match match;
        const char *got = found(cases[i].method, cases[i].path, &match);
        if (strcmp(got, cases[i].want) != 0) {
            fail_msg("%s %s: %s, not %s", cases[i].method, cases[i].path, got, cases[i].want);
        }
    }
}

static void parameters_come_in_order(void **state)
{
    struct route_match match;
    (void)state;
    found("GET", "/api/v1/agents/agt_1/webhooks/whk_2/deliveries/dlv_3/", &match);
    assert_int_equal(match.param_count, 3);
    assert_memory_equal(match.params[0].name, "agent}", 6);
    assert_int_equal(match.params[0].len, 5);
    assert_memory_equal(match.params[2].value, "dlv_3", 5);
    assert_int_equal(match.params[2].len, 5);
}

static void allow(void **state)
{
    struct route_match match;
    struct buf out;
    const char *rest;
    (void)state;
    buf_init(&out, 200);
    found("PUT", "/api/v1/agents/", &match);
    route_allow(surface_of("/api/v1/agents/", &rest), match.any, &out);
    assert_string_equal(buf_str(&out), "OPTIONS, GET, HEAD, POST");
    buf_reset(&out);
    found("POST", "/api/v1/agents/agt_1/", &match);
    route_allow(surface_of("/api/v1/", &rest), match.any, &out);
    assert_string_equal(buf_str(&out), "OPTIONS, GET, HEAD, PUT, PATCH, DELETE");
    buf_fini(&out);
}

/* Every row is found by its own template on every surface it names, has words, and reads a body only where
 * one may come. */
static void every_row_is_reachable(void **state)
{
    (void)state;
    for (unsigned i = 0; i < route_count; i++) {
        for (unsigned s = 0; surface_at(s) != NULL; s++) {
            struct route_match match;
            if ((routes[i].surfaces & surface_at(s)->bit) == 0) {
                continue;
            }
            route_find(surface_at(s), routes[i].method, routes[i].path, &match);
            assert_ptr_equal(match.route, &routes[i]);
        }
        assert_true(strlen(routes[i].text) > 5);
        assert_true(strcmp(routes[i].method, "GET") != 0 || routes[i].schema == SCHEMA_NONE);
        assert_true((routes[i].surfaces & ON_BOTH) == 0 || routes[i].scope[0] != '\0');
        assert_true((routes[i].surfaces & ON_BOTH) == 0 || routes[i].rate != RATE_NONE);
    }
}

static void deprecations_name_rows_and_last_a_year(void **state)
{
    int64_t since_ms, until_ms;
    bool date_only;
    (void)state;
    for (unsigned d = 0; d < deprecation_count; d++) {
        unsigned rows = 0;
        for (unsigned i = 0; i < route_count; i++) {
            rows += deprecation_of(&routes[i]) == &deprecations[d];
        }
        assert_int_equal(rows, 1);
        assert_true(clock_parse(deprecations[d].since, &since_ms, &date_only));
        assert_true(clock_parse(deprecations[d].until, &until_ms, &date_only));
        assert_true(until_ms - since_ms >= (int64_t)365 * 24 * 3600 * 1000);
    }
}

static void deprecation_in_headers(void **state)
{
    static const struct {
        const char *since, *until, *want_since, *want_until;
    } cases[] = {
        {"2023-07-01", "2018-12-31", "@1688169600", "Mon, 31 Dec 2018 00:00:00 GMT"},
        {"2026-11-01", "2028-02-29", "@1793491200", "Tue, 29 Feb 2028 00:00:00 GMT"},
        {"1970-01-01", "2000-01-01", "@0", "Sat, 01 Jan 2000 00:00:00 GMT"},
    };
    char since[DEPRECATION_TEXT_SIZE], until[DEPRECATION_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct deprecation row = {.since = cases[i].since, .until = cases[i].until};
        deprecation_headers(&row, since, until);
        assert_string_equal(since, cases[i].want_since);
        assert_string_equal(until, cases[i].want_until);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matching),
                                       cmocka_unit_test(deprecations_name_rows_and_last_a_year),
                                       cmocka_unit_test(deprecation_in_headers),
                                       cmocka_unit_test(parameters_come_in_order),
                                       cmocka_unit_test(allow),
                                       cmocka_unit_test(every_row_is_reachable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
