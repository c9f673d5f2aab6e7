/* edit_distance.h: how far apart two short names are, for "did you mean". Thread: any. */
#ifndef CHASQUI_BASE_EDIT_DISTANCE_H
#define CHASQUI_BASE_EDIT_DISTANCE_H

#include <stddef.h>

/* Levenshtein distance in bytes; only the first 63 bytes of each name count. */
size_t edit_distance(const char *a, const char *b);

#endif
