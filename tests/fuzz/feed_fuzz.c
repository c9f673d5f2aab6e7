/* feed_fuzz.c: lists of records and Markdown: an input that begins with '[' or '{' is JSON, with '#'
 * Markdown, else CSV. */
#include <string.h>

#include "kb/source/formats.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/paper_check.h"

void fuzz_one(const char *data, size_t size)
{
    struct paper *p = paper_new(PAPER_MAX);
    struct buf text;

    buf_init(&text, 64u << 20);
    source_decode(data, size, NULL, false, &text);
    if (size > 0 && (data[0] == '[' || data[0] == '{')) {
        source_json(p, buf_str(&text), text.len);
    } else if (size > 0 && data[0] == '#') {
        source_markdown(p, buf_str(&text), text.len);
    } else {
        source_csv(p, buf_str(&text), text.len);
    }
    paper_check(p);
    buf_fini(&text);
}
