/* synonyms.h: different words that customers and businesses use for the same thing ("price", "cost").
 *
 * Only such as mean the same in nearly every business; everything else is taught by phrasings. Thread: any.
 */
#ifndef CHASQUI_KB_SYNONYMS_H
#define CHASQUI_KB_SYNONYMS_H

#include <stddef.h>
#include <stdint.h>

#define KB_SYNONYMS_MAX 7

struct kb_synonym {
    const char *text; /* folded; lives as long as the process */
    size_t len;
    uint32_t hash;
};
/* The other words of the folded word's row, in a language out of languages (stopwords.h). Returns how many.
 */
size_t kb_synonyms(const char *word, size_t len, uint32_t hash, unsigned languages,
                   struct kb_synonym out[KB_SYNONYMS_MAX]);

#endif
