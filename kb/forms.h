/* forms.h: other forms of a word in the vocabulary: open, opens, opening.
 *
 * No language is known here and no stem is made. Two words are forms of one when they begin alike and only
 * short endings differ. That errs now and then (state, statement), so a form counts less than the word
 * itself. Thread: any. */
#ifndef CHASQUI_KB_FORMS_H
#define CHASQUI_KB_FORMS_H

#include <stddef.h>
#include <stdint.h>

#include "kb/index.h"

#define KB_FORMS_MAX 6
struct kb_form {
    const char *text; /* inside one of the indexes */
    size_t len;
    uint32_t hash;
    double likeness; /* 0..1: the shared beginning by the length of both */
};
/* True if the two words (code points, folded) are forms of one; how alike they are into *likeness. */
bool kb_forms_alike(const int32_t *a, size_t a_len, const int32_t *b, size_t b_len, double *likeness);
/* The living forms of a word other than itself, the most alike first. Returns how many (0 for words under
 * three letters, numbers, and Chinese or Japanese). Stop words of the languages are nobody's forms. */
size_t kb_forms(const struct kb_index *const *indexes, size_t count, const char *word, size_t len,
                unsigned languages, struct kb_form forms[KB_FORMS_MAX]);

#endif
