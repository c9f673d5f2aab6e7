/* json_span.h: members of an object found in its text, for those who read two fields of a record that is
 * handled by the thousand, and would only write the rest again as it stood.
 *
 * For text that the house wrote itself: it is walked, not judged. Text that is no object, or breaks off, has
 * no members. Thread: any. */
#ifndef CHASQUI_BASE_JSON_SPAN_H
#define CHASQUI_BASE_JSON_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* A value as it stands in the text, quotes included; at NULL: not there. */
struct jx_span {
    const char *at;
    size_t size;
};

/* Finds the members named; of one that is there twice the last. False: the text is no whole object, and
 * nothing was found. */
bool jx_spans(const char *text, size_t size, const char *const names[], size_t count, struct jx_span out[]);
/* Copies a string without its quotes. False, and "" in out, if it is none, has an escape or is too long. */
bool jx_span_str(const struct jx_span *span, char *out, size_t room);
/* True if the value is this text, letter for letter. */
bool jx_span_is(const struct jx_span *span, const char *text);

#endif
