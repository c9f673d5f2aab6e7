/* paper_check.h: what must be true of whatever a parser of documents put on paper. */
#ifndef CHASQUI_TESTS_PAPER_CHECK_H
#define CHASQUI_TESTS_PAPER_CHECK_H

#include <string.h>

#include "kb/source/extract.h"
#include "kb/source/paper.h"
#include "queue/base/codec.h"
#include "queue/base/error.h"

#define PAPER_MAX (1u << 20)

/* Ends the paper and looks at its result. */
static inline void paper_check(struct paper *p)
{
    json_t *result = paper_result(p), *row;
    size_t i, total = 0;

    CHECK(jx_bool(result, "ok", false) || jx_str_or(result, "reason", "")[0] != '\0');
    json_array_foreach (jx_arr(result, "sections"), i, row) {
        const char *text = jx_str_or(row, "text", "");
        CHECK(text[0] != '\0' && utf8_valid(text, strlen(text)));
        CHECK(strlen(text) < 4 * EXTRACT_SECTION + 8192);
        total += strlen(text);
    }
    CHECK(total < 8u * PAPER_MAX);
    json_array_foreach (jx_arr(result, "links"), i, row) {
        const char *url = json_string_value(row);
        CHECK(url != NULL && (strncasecmp(url, "http", 4) == 0 || strncmp(url, "sitemap:http", 12) == 0 ||
                              strncasecmp(url, "sitemap:http", 12) == 0));
    }
    json_decref(result);
    paper_free(p);
}

#endif
