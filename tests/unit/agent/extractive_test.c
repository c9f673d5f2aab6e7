/* extractive_test.c: which passages an answer without a model is made of, and how it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/model/model.h"

static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(1u << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct kb_hit hit(const char *id, const char *document, unsigned ordinal, double score,
                         const char *text)
{
    return (struct kb_hit){
        .chunk = {.id = id, .document_id = document, .title = "T", .text = text, .ordinal = ordinal},
        .score = score};
}

static void nothing_found_says_nothing(void **state)
{
    struct kb_result found = {0};
    struct model_request request = {.question = "q", .passages = &found};

    (void)state;
    assert_null(model_extract(&request, arena));
    request.passages = NULL;
    assert_null(model_extract(&request, arena));
}

static void neighbours_of_one_document_stand_together(void **state)
{
    static const struct {
        const char *label, *document;
        double score;
        size_t want;
    } rows[] = {
        {"same document, as good", "doc_1", 1.95, 2},
        {"same document, worse", "doc_1", 1.5, 1},
        {"another document", "doc_2", 2.0, 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct kb_hit hits[] = {hit("b", "doc_1", 1, 2.0, "Closed on holidays."),
                                hit("a", rows[i].document, 0, rows[i].score, "Open from nine.")};
        struct kb_result found = {.hits = hits, .count = 2};
        struct model_request request = {.question = "opening hours holidays", .passages = &found};
        struct model_part parts[MODEL_PARTS];
        if (model_extract_parts(&request, parts) != rows[i].want) {
            fail_msg("%s", rows[i].label);
        }
        if (rows[i].want == 2) {
            assert_string_equal(parts[0].hit->chunk.id, "a");
            assert_string_equal(model_extract(&request, arena), "Open from nine.\n\nClosed on holidays.");
        }
    }
}

static void parts_are_answered_each(void **state)
{
    struct kb_hit hits[] = {hit("a", "doc_1", 0, 2, "Open from nine."),
                            hit("b", "doc_2", 0, 2, "Parking is free.")};
    struct kb_result found = {.hits = hits, .count = 2};
    struct model_part parts[] = {{"When do you open?", &hits[0]}, {"Is parking free?", &hits[1]}};
    struct model_request request = {.question = "x", .passages = &found, .parts = parts, .part_count = 2};

    (void)state;
    assert_string_equal(model_extract(&request, arena), "Open from nine.\n\nParking is free.");
}

/* Hard-wrapped paragraphs become one line; lists stay lists. */
static void wrapped_lines_are_joined(void **state)
{
    struct kb_hit hits[] = {
        hit("a", "doc_1", 0, 2,
            "The bakery is open from Monday to Friday between seven\nand half past six in the evening.")};
    struct kb_result found = {.hits = hits, .count = 1};
    struct model_request request = {.question = "When is the bakery open?", .passages = &found};

    (void)state;
    assert_string_equal(
        model_extract(&request, arena),
        "The bakery is open from Monday to Friday between seven and half past six in the evening.");
    hits[0].chunk.text = "The bakery sells these things from Monday to Saturday noon:\n- bread\n- rolls";
    const char *text = model_extract(&request, arena);
    assert_null(strstr(text, "noon: - bread"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_found_says_nothing),
        cmocka_unit_test(neighbours_of_one_document_stand_together),
        cmocka_unit_test(parts_are_answered_each),
        cmocka_unit_test(wrapped_lines_are_joined),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
