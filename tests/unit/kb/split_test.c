/* split_test.c: passages of plain text, Markdown and FAQ answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

#include "kb/split.h"
#include "queue/base/buf.h"

struct room {
    struct arena *arena;
    struct kb_passages passages;
    const char *text;
};

static int setup(void **state)
{
    struct room *room = test_calloc(1, sizeof *room);

    room->arena = arena_new(64u << 20);
    *state = room;
    return 0;
}

static int teardown(void **state)
{
    struct room *room = *state;

    arena_free(room->arena);
    test_free(room);
    return 0;
}

static void split(struct room *room, const char *text, enum kb_split_mode mode)
{
    room->text = text;
    kb_split(text, strlen(text), mode, room->arena, &room->passages);
}

static void expect(const struct room *room, size_t i, const char *heading, const char *text)
{
    assert_true(i < room->passages.count);
    const struct kb_passage *p = &room->passages.rows[i];
    assert_string_equal(p->heading, heading);
    assert_int_equal(p->size, strlen(text));
    assert_memory_equal(room->text + p->offset, text, p->size);
}

static void test_markdown(void **state)
{
    struct room *room = *state;

    split(room,
          "Before.\n\n# Shop #\n\nWe sell tea.\n\n## Hours\nNine to five.\nNot on Sunday.\n\n- one\n- "
          "two\n\n### Deep\nx\n"
          "## Prices\r\n\r\nLow.\r\n\nSecond\n======\nlast\n",
          KB_SPLIT_MARKDOWN);
    assert_int_equal(room->passages.count, 6);
    expect(room, 0, "", "Before.");
    expect(room, 1, "Shop", "We sell tea.");
    expect(room, 2, "Shop > Hours", "Nine to five.\nNot on Sunday.\n\n- one\n- two");
    expect(room, 3, "Shop > Hours > Deep", "x");
    expect(room, 4, "Shop > Prices", "Low.");
    expect(room, 5, "Second", "last");
}

/* What looks like a heading inside a fence, or without its space, is text. */
static void test_no_heading(void **state)
{
    struct room *room = *state;

    split(room, "```\n# not a heading\n```\n#hashtag\n", KB_SPLIT_MARKDOWN);
    assert_int_equal(room->passages.count, 1);
    expect(room, 0, "", "```\n# not a heading\n```\n#hashtag");
    split(room, "# plain text\n\nbody", KB_SPLIT_PLAIN);
    assert_int_equal(room->passages.count, 1);
    expect(room, 0, "", "# plain text\n\nbody");
}

/* Paragraphs are joined up to the goal and never lost; every byte that is no white space is in exactly one
 * passage. */
static void test_sizes(void **state)
{
    struct room *room = *state;
    size_t size = 60000, used = 0;
    char *text = arena_alloc(room->arena, size + 1);

    for (size_t i = 0; i < size; i++) {
        text[i] = i % 700 == 699   ? '\n'
                  : i % 700 == 698 ? '\n'
                  : i % 90 == 89   ? ' '
                  : i % 90 == 88   ? '.'
                                   : 'a';
    }
    split(room, text, KB_SPLIT_PLAIN);
    assert_true(room->passages.count > size / KB_PASSAGE_MAX);
    size_t end = 0;
    for (size_t i = 0; i < room->passages.count; i++) {
        const struct kb_passage *p = &room->passages.rows[i];
        assert_true(p->size > 0 && p->size <= KB_PASSAGE_MAX);
        assert_true(p->offset >= end);
        end = p->offset + p->size;
        for (size_t k = p->offset; k < end; k++) {
            used += text[k] == 'a' || text[k] == '.';
        }
    }
    size_t all = 0;
    for (size_t k = 0; k < size; k++) {
        all += text[k] == 'a' || text[k] == '.';
    }
    assert_int_equal(used, all);
}

/* One endless word, in letters of three bytes, is cut between characters. */
static void test_endless(void **state)
{
    struct room *room = *state;
    size_t count = 4000;
    char *text = arena_alloc(room->arena, 3 * count + 1);

    for (size_t i = 0; i < count; i++) {
        memcpy(text + 3 * i, "क", 3);
    }
    split(room, text, KB_SPLIT_PLAIN);
    assert_true(room->passages.count >= 5);
    for (size_t i = 0; i < room->passages.count; i++) {
        assert_int_equal(room->passages.rows[i].offset % 3, 0);
        assert_int_equal(room->passages.rows[i].size % 3, 0);
    }
}

/* Rows of a long table that start a passage carry the table's head; text behind the table does not. */
static void test_table(void **state)
{
    struct room *room = *state;
    static const char HEAD[] = "| Size | Price |\n|------|:-----:|";
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_addf(&text, "Our prices.\n\n%s\n", HEAD);
    for (int i = 0; i < 120; i++) {
        buf_addf(&text, "| size number %d | %d euros |\n", i, i * 3);
    }
    buf_adds(&text, "Prices hold until spring.\n\n# Other\n\nNo table here.\n");
    split(room, buf_str(&text), KB_SPLIT_MARKDOWN);
    size_t count = room->passages.count;
    assert_true(count >= 4);
    assert_int_equal(room->passages.rows[0].head_size, 0);
    for (size_t i = 1; i + 1 < count; i++) {
        const struct kb_passage *p = &room->passages.rows[i];
        assert_int_equal(p->head_size, strlen(HEAD));
        assert_memory_equal(room->text + p->head, HEAD, p->head_size);
        assert_memory_equal(room->text + p->offset, "| size number", 13);
    }
    assert_int_equal(room->passages.rows[count - 1].head_size, 0);
    expect(room, count - 1, "Other", "No table here.");
    buf_fini(&text);
}

static void test_whole(void **state)
{
    struct room *room = *state;

    split(room, "\n First.\n\n# Second\n\nThird. \n", KB_SPLIT_WHOLE);
    assert_int_equal(room->passages.count, 1);
    expect(room, 0, "", "First.\n\n# Second\n\nThird.");
    split(room, " \n\t ", KB_SPLIT_WHOLE);
    assert_int_equal(room->passages.count, 0);
    split(room, "", KB_SPLIT_MARKDOWN);
    assert_int_equal(room->passages.count, 0);
}

static const struct sentence_case {
    const char *text;
    size_t want; /* bytes of the first sentence */
} SENTENCES[] = {
    {"One. Two.", 4},
    {"It costs 3.80 now. Yes", 18},
    {"See e.g. the list. Next", 18},
    {"Really?! Yes.", 8},
    {"He said \"no.\" Then", 13},
    {"line one\nline two", 8},
    {"茶は美味しい。次", 21},
    {"यह है। दूसरा", 16},
    {"no end", 6},
};

static void test_sentences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof SENTENCES / sizeof *SENTENCES; i++) {
        assert_int_equal(kb_sentence_end(SENTENCES[i].text, strlen(SENTENCES[i].text), 0), SENTENCES[i].want);
    }
}

/* The processor time one split of size bytes takes, in ms. */
static int64_t time_of(const char *text, size_t size, enum kb_split_mode mode)
{
    struct arena *arena = arena_new(1u << 30);
    struct kb_passages passages;
    clock_t begun = clock();

    kb_split(text, size, mode, arena, &passages);
    clock_t took = clock() - begun;
    assert_true(arena_used(arena) < 64 * size);
    arena_free(arena);
    return (int64_t)took * 1000 / CLOCKS_PER_SEC;
}

/* A text without one sentence end is cut in time and memory that grow with its size, not with its square;
 * so is one of nothing but headings under a long one. */
static void test_large(void **state)
{
    size_t size = 1u << 20;
    char *text = test_malloc(size + 1);

    (void)state;
    memset(text, 'a', size);
    text[size] = '\0';
    assert_true(time_of(text, size, KB_SPLIT_PLAIN) < 5000);
    memcpy(text, "# ", 2);
    for (size_t at = 4096; at + 6 <= size; at += 6) {
        memcpy(text + at, "\n## b\n", 6);
    }
    assert_true(time_of(text, size, KB_SPLIT_MARKDOWN) < 5000);
    test_free(text);
}

int main(void)
{
#define SPLIT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        SPLIT_TEST(test_markdown),    SPLIT_TEST(test_no_heading),      SPLIT_TEST(test_sizes),
        SPLIT_TEST(test_endless),     SPLIT_TEST(test_whole),           SPLIT_TEST(test_table),
        cmocka_unit_test(test_large), cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
