/* dot.c: see dot.h. Each variant is compiled for its own instructions, whatever the rest is compiled for. */
#include "kb/dot.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

static int32_t dot_plain(const int8_t *a, const int8_t *b, size_t n)
{
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (int32_t)a[i] * b[i];
    }
    return sum;
}

#if defined(__x86_64__)

/* 16 parts at a time, widened to 16 bits. */
__attribute__((target("avx2"))) static int32_t dot_avx2(const int8_t *a, const int8_t *b, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(a + i)));
        __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(b + i)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, y));
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
    return _mm_cvtsi128_si32(half) + dot_plain(a + i, b + i, n - i);
}

/* 64 parts at a time. The instruction wants one side without sign: a + 128 is used, and 128 times the sum of
 * b taken off again. */
__attribute__((target("avx512f,avx512bw,avx512vnni"))) static int32_t dot_vnni(const int8_t *a,
                                                                               const int8_t *b, size_t n)
{
    const __m512i shift = _mm512_set1_epi8((char)-128);
    __m512i sum = _mm512_setzero_si512(), off = _mm512_setzero_si512();
    size_t i = 0;

    for (; i + 64 <= n; i += 64) {
        __m512i x = _mm512_xor_si512(_mm512_loadu_si512(a + i), shift);
        __m512i y = _mm512_loadu_si512(b + i);
        sum = _mm512_dpbusd_epi32(sum, x, y);
        off = _mm512_dpbusd_epi32(off, shift, y);
    }
    return _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, off)) + dot_plain(a + i, b + i, n - i);
}

#elif defined(__ARM_NEON)

/* 16 parts at a time. */
static int32_t dot_neon(const int8_t *a, const int8_t *b, size_t n)
{
    int32x4_t sum = vdupq_n_s32(0);
    int32_t lanes[4];
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        int8x16_t x = vld1q_s8(a + i), y = vld1q_s8(b + i);
        sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
        sum = vpadalq_s16(sum, vmull_s8(vget_high_s8(x), vget_high_s8(y)));
    }
    vst1q_s32(lanes, sum);
    return lanes[0] + lanes[1] + lanes[2] + lanes[3] + dot_plain(a + i, b + i, n - i);
}

#endif

/* Fastest first. */
static const struct variant {
    const char *name;
    kb_dot_fn fn;
} variants[] = {
#if defined(__x86_64__)
    {"vnni", dot_vnni},
    {"avx2", dot_avx2},
#elif defined(__ARM_NEON)
    {"neon", dot_neon},
#endif
    {"plain", dot_plain},
};
#define VARIANTS (sizeof variants / sizeof *variants)

/* What the processor can run. */
static int variant_runs(const struct variant *v)
{
#if defined(__x86_64__)
    if (v->fn == dot_vnni) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vnni");
    }
    return v->fn != dot_avx2 || __builtin_cpu_supports("avx2");
#else
    return v->fn != NULL;
#endif
}

kb_dot_fn kb_dot_variant(size_t wanted, const char **name)
{
    for (size_t i = 0; i < VARIANTS; i++) {
        if (variant_runs(&variants[i]) && wanted-- == 0) {
            *name = variants[i].name;
            return variants[i].fn;
        }
    }
    return NULL;
}

kb_dot_fn kb_dot(void)
{
    static _Atomic(kb_dot_fn) chosen;
    const char *name;
    kb_dot_fn fn = chosen;

    if (fn == NULL) {
        fn = kb_dot_variant(0, &name);
        chosen = fn;
    }
    return fn;
}

float kb_quantise(const float *from, size_t n, int8_t *to)
{
    double square = 0, most = 0;

    for (size_t i = 0; i < n; i++) {
        square += (double)from[i] * from[i];
        most = fmax(most, fabs((double)from[i]));
    }
    if (!isfinite(square) || square <= 0) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        to[i] = (int8_t)lround(from[i] / most * 127);
    }
    return (float)(most / sqrt(square) / 127);
}
