/* robots_test.c: robots.txt, schedules, and how pages are cut: the small rules of sources. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "kb/source/robots.h"
#include "kb/source/source.h"
#include "queue/base/clock.h"

static const struct {
    const char *label, *text, *path;
    bool allow;
} RULES[] = {
    {"empty file", "", "/a", true},
    {"everything", "User-agent: *\nDisallow: /\n", "/a", false},
    {"empty rule allows", "User-agent: *\nDisallow:\n", "/a", true},
    {"prefix", "User-agent: *\nDisallow: /priv\n", "/private", false},
    {"other path", "User-agent: *\nDisallow: /priv\n", "/pub", true},
    {"longest wins", "User-agent: *\nDisallow: /a\nAllow: /a/b\n", "/a/b/c", true},
    {"tie allows", "User-agent: *\nDisallow: /a\nAllow: /a\n", "/a", true},
    {"own group", "User-agent: *\nDisallow: /\n\nUser-agent: Chasqui\nDisallow: /x\n", "/y", true},
    {"own group forbids", "User-agent: chasqui-knowledge\nDisallow: /x\n\nUser-agent: *\nAllow: /\n", "/x",
     false},
    {"names share a group", "User-agent: other\nUser-agent: *\nDisallow: /s\n", "/s", false},
    {"another's group", "User-agent: other\nDisallow: /\n", "/a", true},
    {"star inside", "User-agent: *\nDisallow: /*.pdf\n", "/a/b.pdf", false},
    {"end mark", "User-agent: *\nDisallow: /*.pdf$\n", "/a.pdf?x=1", true},
    {"end mark met", "User-agent: *\nDisallow: /*.pdf$\n", "/a.pdf", false},
    {"comment", "User-agent: * # all\nDisallow: /a # no\n", "/a", false},
    {"line ends", "User-agent: *\r\nDisallow: /a\r\n", "/a", false},
    {"case of names", "USER-AGENT: *\nDISALLOW: /a\n", "/a", false},
    {"itself", "User-agent: *\nDisallow: /\n", "/robots.txt", true},
    {"many stars", "User-agent: *\nDisallow: /*a*a*a*a*a*a*b\n", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac",
     true},
};

static void test_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof RULES / sizeof *RULES; i++) {
        struct robots *robots = robots_parse(RULES[i].text, strlen(RULES[i].text));
        if (robots_allow(robots, RULES[i].path) != RULES[i].allow) {
            fail_msg("%s", RULES[i].label);
        }
        robots_free(robots);
    }
    assert_true(robots_allow(NULL, "/a"));
}

static void test_delay(void **state)
{
    static const char TEXT[] = "User-agent: *\nCrawl-delay: 7\n";
    struct robots *robots = robots_parse(TEXT, sizeof TEXT - 1);

    (void)state;
    assert_int_equal(robots_delay(robots), 7);
    assert_int_equal(robots_delay(NULL), 0);
    robots_free(robots);
}

static void test_schedule(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } ROWS[] = {{"24h", 86400000},
                {"30m", 1800000},
                {"7d", 604800000},
                {"1m", 60000},
                {"0h", -1},
                {"h", -1},
                {"", -1},
                {"24", -1},
                {"24hh", -1},
                {"-1h", -1},
                {"9999999999999999999d", -1},
                {"often", -1},
                {"400d", -1}};

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (source_next_ms(ROWS[i].text, clock_wall_ms()) != ROWS[i].ms) {
            fail_msg("%s", ROWS[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_schedule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
