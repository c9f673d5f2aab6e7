/* fuzz.h: what every fuzz target shares.
 *
 * A target is one file NAME_fuzz.c with fuzz_one, which gives one input to one parser and holds what must be
 * true of the result with CHECK (a broken promise ends the process, as a crash does). Inputs that are text
 * and something else begin with a line of their own, so that they can be written and read by people.
 * fuzz_main.c is the rest of the program: libFuzzer's two entries and the clock that finds the slowest input.
 */
#ifndef CHASQUI_TESTS_FUZZ_H
#define CHASQUI_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "queue/base/error.h"

/* Once, before the first input. Targets that need nothing leave it out. */
void fuzz_start(void);
/* One input. data has no NUL behind it and exactly size bytes. */
void fuzz_one(const char *data, size_t size);

/* A copy with a NUL behind it, cut at the first NUL inside; the sanitizer sees every step beyond it. Caller
 * frees. */
char *fuzz_text(const char *data, size_t size);
/* Cuts the first line off the input (without its line feed) as a text of its own. Caller frees. */
char *fuzz_line(const char **data, size_t *size);
/* A number below bound that depends on the input alone; other numbers for other salts. bound > 0. */
size_t fuzz_pick(const char *data, size_t size, unsigned salt, size_t bound);

#endif
