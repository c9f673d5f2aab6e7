/* pattern.h: regular expressions that callers give, matched by ICU within bounds.
 *
 * A pattern somebody typed may be slow on purpose: its length, the stack and the steps of a match are
 * limited, and a match that reaches a limit counts as none. Texts and patterns are UTF-8. Thread: any. */
#ifndef CHASQUI_BASE_PATTERN_H
#define CHASQUI_BASE_PATTERN_H

#include <stdbool.h>

#define PATTERN_MAX 256 /* bytes */

bool pattern_ok(const char *pattern);
/* whole: the text from its begin to its end; otherwise anywhere in it. fold: without regard to case. */
bool pattern_match(const char *pattern, const char *text, bool whole, bool fold);

#endif
