/* near.c: see near.h.
 *
 * An edit brings in at most one kind of letter and takes away at most one; it makes a word longer or shorter
 * by at most one. So two words within n edits differ in at most n kinds each way, and where one is longer by
 * d, at least d edits only bring in letters, and at most n - d take any away. Bits of the mask may stand for
 * several letters, which only lets more words through. */
#include "kb/near.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define LETTERS_MIN 4 /* of a word that can be meant */

/* A bit for each of up to 64 masks that has at most `edits` bits that the wanted one has not, and the other
 * way round. */
typedef uint64_t (*masks_fn)(const uint64_t *masks, size_t count, uint64_t wanted, unsigned edits);

static uint64_t masks_plain(const uint64_t *masks, size_t count, uint64_t wanted, unsigned edits)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t in = wanted & ~masks[i], out = masks[i] & ~wanted;
        for (unsigned k = 0; k < edits; k++) {
            in &= in - 1; /* drops the lowest bit; none stays none */
            out &= out - 1;
        }
        bits |= (uint64_t)((in | out) == 0) << i;
    }
    return bits;
}

#if defined(__x86_64__)
/* Four at a time. */
__attribute__((target("avx2"))) static uint64_t masks_avx2(const uint64_t *masks, size_t count,
                                                           uint64_t wanted, unsigned edits)
{
    const __m256i all = _mm256_set1_epi64x((long long)wanted), one = _mm256_set1_epi64x(-1);
    uint64_t bits = 0;
    size_t i = 0;

    for (; i + 4 <= count; i += 4) {
        __m256i mask = _mm256_loadu_si256((const __m256i *)(const void *)(masks + i));
        __m256i in = _mm256_andnot_si256(mask, all), out = _mm256_andnot_si256(all, mask);
        for (unsigned k = 0; k < edits; k++) {
            in = _mm256_and_si256(in, _mm256_add_epi64(in, one));
            out = _mm256_and_si256(out, _mm256_add_epi64(out, one));
        }
        __m256i none = _mm256_cmpeq_epi64(_mm256_or_si256(in, out), _mm256_setzero_si256());
        bits |= (uint64_t)(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(none)) << i;
    }
    _mm256_zeroupper(); /* the compiler forgets it before the call: all that follows would be slow */
    return i < count ? bits | masks_plain(masks + i, count - i, wanted, edits) << i : bits;
}
#endif

static _Atomic(masks_fn) chosen;

bool kb_near_choose(size_t i)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && i-- == 0) {
        chosen = masks_avx2;
        return true;
    }
#endif
    if (i == 0) {
        chosen = masks_plain;
    }
    return i == 0;
}

/* True if the word's length allows that many differences in letters. */
static bool length_fits(const struct kb_near_word *w, uint64_t mask, unsigned letters)
{
    unsigned longer = letters > w->letters ? letters - w->letters : 0;
    unsigned shorter = w->letters > letters ? w->letters - letters : 0;

    if (letters < LETTERS_MIN || longer > w->edits || shorter > w->edits) {
        return false;
    }
    return (longer == 0 || __builtin_popcountll(w->mask & ~mask) <= (int)(w->edits - longer)) &&
           (shorter == 0 || __builtin_popcountll(mask & ~w->mask) <= (int)(w->edits - shorter));
}

size_t kb_near_words(const struct kb_index *index, size_t from, const struct kb_near_word *wanted,
                     uint32_t out[KB_NEAR_BLOCK])
{
    size_t some = index->word_count - from < KB_NEAR_BLOCK ? index->word_count - from : KB_NEAR_BLOCK,
           count = 0;

    if (chosen == NULL) {
        kb_near_choose(0);
    }
    for (uint64_t bits = chosen(index->masks + from, some, wanted->mask, wanted->edits); bits != 0;
         bits &= bits - 1) {
        size_t i = from + (size_t)__builtin_ctzll(bits);
        if (length_fits(wanted, index->masks[i], index->letters[i])) {
            out[count++] = (uint32_t)i;
        }
    }
    return count;
}
