/* text.h: how long a text is for a platform, and where it may be cut.
 *
 * Platforms do not say what their "characters" are; we count UTF-16 code units, the strictest reading that is
 * in use. Thread: any. */
#ifndef CHASQUI_CHANNELS_TEXT_H
#define CHASQUI_CHANNELS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* UTF-16 code units of well-formed UTF-8. */
size_t text_units(const char *text);

/* One bubble of a longer text. */
struct text_piece {
    const char *start; /* into the text that was given */
    size_t len;        /* bytes, without blanks at either end */
};
/* Takes the next piece of at most max units (max >= 16) off *text and moves *text behind it. Cuts at the end
 * of a paragraph, else of a line, a sentence, a word; else between two characters, never inside one. False
 * when nothing but blanks is left. */
bool text_next(const char **text, size_t max, struct text_piece *piece);

#endif
