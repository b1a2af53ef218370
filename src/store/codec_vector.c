/* codec_vector.c - see codec_vector.h. AVX2, found out at run time. */
#include "store/codec_vector.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

static inline bool can(void)
{
    return __builtin_cpu_supports("avx2") != 0;
}

/* ---- unpacking ---- */

/* Eight values of w bits fill w bytes, so in every eight the bits lie alike. Two neighbours of up to 28 bits
 * lie in one word of 64, whatever bit they begin at; of wider values each has its own. */
struct layout {
    size_t byte[8]; /* of each value, or of each pair */
    uint64_t shift[8];
};

/* By width. Filled before main, then only read. */
#define PAIR_WIDTH 28
#define WIDTHS     58
static struct layout layouts[WIDTHS];

__attribute__((constructor)) static void layouts_fill(void)
{
    for (unsigned width = 1; width < WIDTHS; width++) {
        for (unsigned i = 0; i < 8; i++) {
            unsigned word = width <= PAIR_WIDTH ? i & ~1u : i;
            layouts[width].byte[i] = word * width / 8;
            layouts[width].shift[i] = word * width % 8 + (i - word) * width;
        }
    }
}

AVX2 static inline __m128i word_at(const char *p)
{
    return _mm_loadl_epi64((const __m128i *)(const void *)p);
}

AVX2 static inline __m256i words_at(const char *p, const size_t *byte)
{
    __m128i low = _mm_unpacklo_epi64(word_at(p + byte[0]), word_at(p + byte[1]));
    __m128i high = _mm_unpacklo_epi64(word_at(p + byte[2]), word_at(p + byte[3]));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

AVX2 static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256(p);
}

AVX2 static inline void store(void *p, __m256i v)
{
    _mm256_storeu_si256(p, v);
}

AVX2 static size_t unpack_avx2(const char *p, uint64_t *v, size_t n, unsigned width)
{
    const struct layout *l = &layouts[width];
    const __m256i shift[2] = { load(l->shift), load(l->shift + 4) };
    const __m256i mask = _mm256_set1_epi64x((int64_t)((1ull << width) - 1));
    size_t i = 0;
    for (; i + 8 <= n; i += 8, p += width) {
        for (size_t half = 0; half < 2; half++) {
            __m256i words = words_at(p, l->byte + 4 * half);
            store(v + i + 4 * half, _mm256_and_si256(_mm256_srlv_epi64(words, shift[half]), mask));
        }
    }
    return i;
}

size_t vector_unpack(const char *p, uint64_t *v, size_t n, unsigned width)
{
    return can() ? unpack_avx2(p, v, n, width) : 0;
}

/* ---- running sums ---- */

AVX2 static inline __m256i unzigzag4(__m256i z)
{
    const __m256i one = _mm256_set1_epi64x(1);
    return _mm256_xor_si256(_mm256_srli_epi64(z, 1),
                            _mm256_sub_epi64(_mm256_setzero_si256(), _mm256_and_si256(z, one)));
}

/* a, a + b, a + b + c, a + b + c + d */
AVX2 static inline __m256i sums4(__m256i x)
{
    x = _mm256_add_epi64(x, _mm256_slli_si256(x, 8)); /* within each half */
    __m256i low_half = _mm256_permute4x64_epi64(x, 0x55);
    return _mm256_add_epi64(x, _mm256_blend_epi32(_mm256_setzero_si256(), low_half, 0xf0));
}

AVX2 static size_t sums_avx2(uint64_t *u, size_t n, struct vector_sum *s)
{
    const __m256i base = _mm256_set1_epi64x((int64_t)s->base), first = _mm256_set1_epi64x((int64_t)s->first);
    const __m128i shift = _mm_cvtsi32_si128((int)s->shift);
    __m256i value = _mm256_set1_epi64x((int64_t)s->value);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i x = load(u + i);
        if (s->is_zigzag) x = unzigzag4(x);
        x = sums4(_mm256_add_epi64(x, base));
        __m256i all = _mm256_permute4x64_epi64(x, 0xff);
        x = _mm256_add_epi64(x, value);
        value = _mm256_add_epi64(value, all); /* all that one round waits for the one before */
        store(u + i, _mm256_add_epi64(first, _mm256_sll_epi64(x, shift)));
    }
    s->value = (uint64_t)_mm256_extract_epi64(value, 0);
    return i;
}

size_t vector_sums(uint64_t *u, size_t n, struct vector_sum *s)
{
    return can() ? sums_avx2(u, n, s) : 0;
}

/* ---- whole numbers to decimals ---- */

/* The high 48 bits in steps of 2^16 and the low 48 bits as such each become the mantissa of a double of fixed
 * exponent. The difference of the high part and both offsets is exact, so the last addition rounds once, as a
 * conversion does. */
AVX2 static inline __m256d doubles4(__m256i x)
{
    const __m256d low_offset = _mm256_set1_pd(0x1p52), high_offset = _mm256_set1_pd(0x1.8p68);
    __m256i high = _mm256_blend_epi16(_mm256_srai_epi32(x, 16), _mm256_setzero_si256(), 0x33);
    __m256i low = _mm256_blend_epi16(x, _mm256_castpd_si256(low_offset), 0x88);
    high = _mm256_add_epi64(high, _mm256_castpd_si256(high_offset));
    __m256d above = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_set1_pd(0x1.8p68 + 0x1p52));
    return _mm256_add_pd(above, _mm256_castsi256_pd(low));
}

AVX2 static size_t divide_avx2(const int64_t *whole, double *v, size_t n, double by)
{
    const __m256d divisor = _mm256_set1_pd(by);
    size_t i = 0;
    if (by == 1)
        for (; i + 4 <= n; i += 4) _mm256_storeu_pd(v + i, doubles4(load(whole + i)));
    else
        for (; i + 4 <= n; i += 4) _mm256_storeu_pd(v + i, _mm256_div_pd(doubles4(load(whole + i)), divisor));
    return i;
}

size_t vector_divide(const int64_t *whole, double *v, size_t n, double by)
{
    return can() ? divide_avx2(whole, v, n, by) : 0;
}

/* ---- rising times ---- */

AVX2 static size_t rises_avx2(const int64_t *v, size_t n)
{
    size_t i = 1;
    for (; i + 4 <= n; i += 4)
        if (_mm256_movemask_epi8(_mm256_cmpgt_epi64(load(v + i), load(v + i - 1))) != -1) break;
    return i - 1;
}

size_t vector_rises(const int64_t *v, size_t n)
{
    return can() ? rises_avx2(v, n) : 0;
}

#else

size_t vector_rises(const int64_t *v, size_t n)
{
    (void)v, (void)n;
    return 0;
}

size_t vector_unpack(const char *p, uint64_t *v, size_t n, unsigned width)
{
    (void)p, (void)v, (void)n, (void)width;
    return 0;
}

size_t vector_sums(uint64_t *u, size_t n, struct vector_sum *s)
{
    (void)u, (void)n, (void)s;
    return 0;
}

size_t vector_divide(const int64_t *whole, double *v, size_t n, double by)
{
    (void)whole, (void)v, (void)n, (void)by;
    return 0;
}

#endif
