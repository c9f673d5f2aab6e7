/* html_fuzz.c: HTML pages, decoded from any charset.
 *
 * The reader ends, its sections are bounded and not empty, its links are http addresses. */
#include <stdlib.h>
#include <string.h>

#include "kb/source/formats.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/paper_check.h"

void fuzz_one(const char *data, size_t size)
{
    struct buf text;
    struct paper *p = paper_new(PAPER_MAX);

    buf_init(&text, 64u << 20);
    source_decode(data, size, NULL, true, &text);
    source_html(p, buf_str(&text), text.len, "https://h.example/a/b");
    paper_check(p);
    buf_fini(&text);
}
