/* guard_test.c: what a model wrote, before a customer sees it; source marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/turn/cite.h"
#include "agent/turn/guard.h"

static struct arena *arena;
static struct kb_hit hits[2];
static struct kb_result found = {.hits = hits, .count = 2};

static int setup(void **state)
{
    (void)state;
    arena = arena_new(16u << 20);
    hits[0].chunk = (struct kb_chunk){.id = "chk_1",
                                      .document_id = "doc_1",
                                      .title = "Shipping",
                                      .text = "See https://shop.example.com/ship and help.example.org."};
    hits[1].chunk =
        (struct kb_chunk){.id = "chk_2", .document_id = "doc_2", .title = "Returns", .text = "30 days."};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const struct {
    const char *text, *want;
    unsigned removed;
} rows[] = {
    {"Nothing to see.", "Nothing to see.", 0},
    {"Look at https://shop.example.com/ship.", "Look at https://shop.example.com/ship.", 0},
    {"Look at https://SHOP.example.com/other", "Look at https://SHOP.example.com/other", 0},
    {"Look at https://evil.example.com/x now.", "Look at now.", 1},
    {"Go to http://shop.example.com.evil.net/", "Go to", 1},
    {"Go to https://example.com", "Go to", 1},
    {"Go to https://shop.example.com@evil.net/", "Go to", 1},
    {"Go to https://[::1]/admin", "Go to", 1},
    {"www.evil.net has it", "has it", 1},
    {"help.example.org/a is fine", "help.example.org/a is fine", 0},
    {"evil.net/a?b is not", "is not", 1},
    {"[click](https://evil.net/a) here", "[click] here", 1},
    {"[click](https://shop.example.com/a)", "[click](https://shop.example.com/a)", 0},
    {"and/or, 24/7, e.g. this. Ok?", "and/or, 24/7, e.g. this. Ok?", 0},
    {"3.5/5 stars", "3.5/5 stars", 0},
    {"  blanks  ", "blanks", 0},
    {"a\x01"
     "b\tc\r\nd",
     "abc\nd", 0},
    {"the persona's host: https://trusted.example/", "the persona's host: https://trusted.example/", 0},
};

static void links(void **state)
{
    struct guard guard = {.sources = &found, .persona = "Send them to trusted.example if in doubt."};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct guard_report report;
        const char *text = guard_text(&guard, rows[i].text, arena, &report);
        if (strcmp(text, rows[i].want) != 0 || report.links_removed != rows[i].removed) {
            fail_msg("\"%s\": \"%s\", %u removed", rows[i].text, text, report.links_removed);
        }
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *text, *want;
        unsigned removed;
    } cases[] = {
        {"Call +1 999 555-0000 now.", "Call now.", 1},
        {"Call (+19995550000).", "Call .", 1},
        {"Call +34 600 12 34 56.", "Call +34 600 12 34 56.", 0},
        {"You wrote +49 (30) 1234567.", "You wrote +49 (30) 1234567.", 0},
        {"It is +441632960001, yours.", "It is +441632960001, yours.", 0},
        {"That is +20 degrees, 5+3, C++.", "That is +20 degrees, 5+3, C++.", 0},
        {"+19995550000", "", 1},
        {"+", "+", 0},
    };
    struct guard guard = {.persona = "Our desk: +34 600-123456",
                          .customer = "my number is 49 30 123 45 67",
                          .phone = "+441632960001"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct guard_report report;
        assert_string_equal(guard_text(&guard, cases[i].text, arena, &report), cases[i].want);
        assert_int_equal(report.numbers_removed, cases[i].removed);
    }
}

static void secrets_are_withheld(void **state)
{
    static const char *const texts[] = {"My mark is cq-0011.", "Use ck_live_0123456789abcdefghijABCDEFGH",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                        "sk-proj-abcdefghijklmnopqrstuvwx"};
    struct guard guard = {.canary = "cq-0011", .sources = &found};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct guard_report report;
        assert_string_equal(guard_text(&guard, texts[i], arena, &report), "");
        assert_true(report.withheld);
    }
    struct guard_report report;
    assert_string_equal(guard_text(&guard, "a task-force for sk-", arena, &report), "a task-force for sk-");
    assert_false(report.withheld);
}

static void lengths(void **state)
{
    struct guard guard = {.truncated = true};
    struct guard_report report;
    char *text = arena_alloc(arena, 9000);

    (void)state;
    assert_string_equal(guard_text(&guard, "One. Two. Thr", arena, &report), "One. Two.");
    assert_string_equal(guard_text(&guard, "no sentence", arena, &report), "no sentence");
    guard.truncated = false;
    for (size_t i = 0; i + 10 < 9000; i += 10) {
        memcpy(text + i, "Sentence. ", 10);
    }
    const char *cut = guard_text(&guard, text, arena, &report);
    assert_true(strlen(cut) <= GUARD_TEXT_MAX && strlen(cut) > GUARD_TEXT_MAX - 20);
    assert_int_equal(cut[strlen(cut) - 1], '.');
}

static void marks(void **state)
{
    static const struct {
        const char *text;
        enum cite_style style;
        const char *want;
        size_t cited;
    } cases[] = {
        {"In 3 days [1].", CITE_NONE, "In 3 days.", 1},
        {"In 3 days [1].", CITE_INLINE, "In 3 days (Shipping).", 1},
        {"In 3 days [1]. Free [2][1].", CITE_FOOTER, "In 3 days. Free.\n\nSource: Shipping; Returns", 2},
        {"Nothing [7].", CITE_FOOTER, "Nothing.", 0},
        {"Keep [this] and [123].", CITE_NONE, "Keep [this] and [123].", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *citations = json_array();
        assert_string_equal(cite_marks(cases[i].text, &found, cases[i].style, citations, arena),
                            cases[i].want);
        assert_int_equal(json_array_size(citations), cases[i].cited);
        json_decref(citations);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links),   cmocka_unit_test(numbers), cmocka_unit_test(secrets_are_withheld),
        cmocka_unit_test(lengths), cmocka_unit_test(marks),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
