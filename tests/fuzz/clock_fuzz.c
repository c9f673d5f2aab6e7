/* clock_fuzz.c: RFC 3339 texts. A time that is taken and lies in four-digit years is written and read back
 * the same. */
#include <stdlib.h>
#include <string.h>

#include "queue/base/clock.h"
#include "tests/fuzz/fuzz.h"

#define YEAR_0    INT64_C(-62167219200000)
#define YEAR_9999 INT64_C(253402300799999)

void fuzz_one(const char *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char out[CLOCK_TEXT_SIZE];
    int64_t ms = 0, again = 0;
    bool bare = false;

    if (clock_parse(text, &ms, &bare)) {
        CHECK(bare == (strlen(text) == 10));
        if (ms >= YEAR_0 && ms <= YEAR_9999) {
            CHECK(clock_parse(clock_rfc3339_ms(ms, out), &again, NULL) && again == ms);
            CHECK(clock_parse(clock_rfc3339(ms, out), &again, NULL));
            CHECK(again <= ms && ms - again < 1000);
            CHECK(!bare || strncmp(out, text, 10) == 0);
        }
    }
    free(text);
}
