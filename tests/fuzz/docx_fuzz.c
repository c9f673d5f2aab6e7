/* docx_fuzz.c: the XML of a Word document; the first line of the input is its styles part. An input that
 * begins as a packed file is read as one. */
#include <stdlib.h>
#include <string.h>

#include "kb/source/formats.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/paper_check.h"

void fuzz_one(const char *data, size_t size)
{
    struct paper *p = paper_new(PAPER_MAX);

    if (size > 4 && memcmp(data, "PK\3\4", 4) == 0) {
        source_docx(p, data, size);
    } else {
        char *styles = fuzz_line(&data, &size);
        source_docx_xml(p, data, size, styles, strlen(styles));
        free(styles);
    }
    paper_check(p);
}
