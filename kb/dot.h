/* dot.h: vectors of whole numbers: how they are made of real ones, and their product.
 *
 * A vector is brought to length 1, then each part becomes a signed byte times a scale of the vector's own:
 * the largest part is 127. The product of two such vectors, times both scales, is the cosine of what they
 * were made of, to about .01. The product is exact whole arithmetic, so every variant gives the same; the
 * fastest one that this processor has is chosen once. Thread: any. */
#ifndef CHASQUI_KB_DOT_H
#define CHASQUI_KB_DOT_H

#include <stddef.h>
#include <stdint.h>

#define KB_DIMENSIONS_MAX 4096

typedef int32_t (*kb_dot_fn)(const int8_t *a, const int8_t *b, size_t n);
/* The fastest variant here. */
kb_dot_fn kb_dot(void);
/* Variant i of this build that this processor can run, for tests; NULL behind the last. *name: its name. */
kb_dot_fn kb_dot_variant(size_t i, const char **name);

/* Makes n bytes of n numbers and returns the scale; 0 if the vector has no direction (all zero, or no
 * number). */
float kb_quantise(const float *from, size_t n, int8_t *to);

#endif
