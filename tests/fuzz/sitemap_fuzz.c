/* sitemap_fuzz.c: sitemaps, plain and packed: they give addresses and never text. */
#include "kb/source/formats.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/paper_check.h"

void fuzz_one(const char *data, size_t size)
{
    struct paper *p = paper_new(PAPER_MAX);

    source_sitemap(p, data, size);
    paper_check(p);
}
