/* document_test.c: derived fields of a document, and its chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "kb/document.h"
#include "queue/base/id.h"

static void test_types(void **state)
{
    (void)state;
    assert_true(kb_doc_type_known("text"));
    assert_true(kb_doc_type_known("faq"));
    assert_true(kb_doc_type_known("markdown"));
    assert_true(kb_doc_type_known("sitemap"));
    assert_true(kb_doc_type_source("sitemap"));
    assert_false(kb_doc_type_source("faq"));
    assert_false(kb_doc_type_known("video"));
    assert_false(kb_doc_type_known(""));
    assert_false(kb_doc_type_known(NULL));
}

static json_t *parsed(const char *text)
{
    json_t *doc = NULL;

    assert_int_equal(jx_parse_strict(text, strlen(text), &doc, NULL), ERR_OK);
    return doc;
}

static void test_prepare(void **state)
{
    json_t *doc = parsed("{\"id\":\"doc_1\",\"title\":\"T\",\"content\":\"Body\",\"doc_type\":\"faq\","
                         "\"phrasings\":[\" how? \",\"how?\",7,\"\",\"why\"]}");
    char first[80];

    (void)state;
    kb_document_prepare(doc);
    assert_int_equal(json_array_size(jx_arr(doc, "phrasings")), 2);
    assert_string_equal(json_string_value(json_array_get(jx_arr(doc, "phrasings"), 0)), "how?");
    assert_string_equal(jx_str(doc, "status"), "ready");
    assert_int_equal(jx_int(doc, "size", 0), 4);
    assert_true(jx_bool(doc, "enabled", false));
    assert_int_equal(strlen(jx_str(doc, "hash")), 64);
    snprintf(first, sizeof first, "%s", jx_str(doc, "hash"));
    jx_set_str(doc, "content", "Other");
    kb_document_prepare(doc);
    assert_string_not_equal(jx_str(doc, "hash"), first);
    jx_set_str(doc, "content", "Body");
    kb_document_prepare(doc);
    assert_string_equal(jx_str(doc, "hash"), first);
    jx_set_str(doc, "content", " \n");
    kb_document_prepare(doc);
    assert_string_equal(jx_str(doc, "status"), "failed");
    assert_non_null(jx_str(doc, "reason"));
    assert_false(kb_document_findable(doc));
    json_decref(doc);
}

static void test_chunks(void **state)
{
    json_t *doc = parsed("{\"id\":\"doc_01ABC\",\"title\":\"Guide\",\"doc_type\":\"markdown\","
                         "\"content\":\"# Guide\\n\\nIntro.\\n\\n## Hours\\n\\nNine to five.\"}");
    struct arena *arena = arena_new(1 << 20);
    struct kb_chunk *chunks;
    size_t count;

    (void)state;
    assert_int_equal(kb_document_chunks(doc, arena, &chunks, &count), ERR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(chunks[0].title, "Guide");
    assert_string_equal(chunks[0].text, "Intro.");
    assert_true(id_is(chunks[0].id, "chk"));
    assert_string_equal(chunks[1].title, "Guide > Hours");
    assert_string_equal(chunks[1].text, "Nine to five.");
    assert_string_equal(chunks[1].document_id, "doc_01ABC");
    assert_int_equal(chunks[1].ordinal, 1);
    assert_int_equal(chunks[1].tokens, 4);
    assert_memory_equal(jx_str(doc, "content") + chunks[1].offset, "Nine", 4);
    jx_set_str(doc, "doc_type", "sitemap");
    assert_int_equal(kb_document_chunks(doc, arena, &chunks, &count), ERR_INVALID);
    arena_free(arena);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
