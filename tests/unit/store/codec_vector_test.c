/* Each loop against its definition, one value at a time. On a machine without the instructions nothing is
 * claimed done. */
#include "store/codec_vector.h"

#include "unit/test.h"

#define N 131

static uint64_t state = 88172645463325252u;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t bits_at(const unsigned char *p, size_t bit, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++, bit++) v |= (uint64_t)(p[bit / 8] >> (bit % 8) & 1) << i;
    return v;
}

TEST(values_of_every_width_are_unpacked)
{
    for (unsigned width = 1; width <= 57; width++) {
        size_t bytes = (N * width + 7) / 8;
        unsigned char *p = malloc(bytes + 8); /* what the contract grants, for the sanitizer to watch */
        uint64_t v[N];
        for (size_t i = 0; i < bytes + 8; i++) p[i] = (unsigned char)next();
        size_t done = vector_unpack((const char *)p, v, N, width);
        EXPECT(done <= N);
        for (size_t i = 0; i < done; i++) EXPECT(v[i] == bits_at(p, i * width, width));
        free(p);
    }
}

TEST(sums_wrap_and_go_on_where_they_stopped)
{
    for (int round = 0; round < 500; round++) {
        uint64_t u[N], want[N];
        struct vector_sum s = { next(), next(), next(), (unsigned)(next() % 64), round & 1 };
        uint64_t value = s.value;
        for (size_t i = 0; i < N; i++) {
            u[i] = next() >> next() % 64;
            uint64_t step = s.is_zigzag ? u[i] >> 1 ^ (0 - (u[i] & 1)) : u[i];
            value += step + s.base;
            want[i] = s.first + (value << s.shift);
        }
        size_t half = vector_sums(u, N / 2, &s), done = half + vector_sums(u + half, N - half, &s);
        EXPECT(done <= N);
        EXPECT(memcmp(u, want, done * sizeof u[0]) == 0);
    }
}

TEST(whole_numbers_become_the_doubles_that_c_makes_of_them)
{
    static const double powers[] = { 1, 10, 100, 1e5, 1e14 };
    static const int64_t ends[] = { 0,
                                    1,
                                    -1,
                                    INT64_MAX,
                                    INT64_MIN,
                                    INT64_MAX - 512,
                                    1ll << 53,
                                    (1ll << 53) + 1,
                                    -(1ll << 53) - 1,
                                    1ll << 51,
                                    1ll << 48,
                                    -(1ll << 48),
                                    0xffff,
                                    -0x10000 };
    for (int round = 0; round < 2000; round++) {
        int64_t whole[N];
        double v[N], by = powers[round % 5];
        for (size_t i = 0; i < N; i++) whole[i] = (int64_t)(next() >> next() % 64) * (next() & 1 ? 1 : -1);
        for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) whole[i * 7] = ends[i];
        size_t done = vector_divide(whole, v, N, by);
        EXPECT(done <= N);
        for (size_t i = 0; i < done; i++) {
            double want = (double)whole[i] / by;
            EXPECT(memcmp(&v[i], &want, sizeof want) == 0);
        }
    }
}

TEST(rising_values_are_followed_up_to_the_first_that_does_not_rise)
{
    for (size_t n = 0; n < N; n++) {
        int64_t v[N] = { 0 };
        for (size_t i = 0; i < n; i++) v[i] = i == 0 ? INT64_MIN : (int64_t)(i * i) - 50;
        size_t seen = vector_rises(v, n);
        EXPECT(seen == 0 || seen < n);
        for (size_t at = 1; at < n; at++) {
            int64_t was = v[at];
            v[at] = v[at - 1]; /* equal is not greater */
            EXPECT(vector_rises(v, n) < at);
            v[at] = was;
        }
    }
}

TESTS(CASE(values_of_every_width_are_unpacked), CASE(sums_wrap_and_go_on_where_they_stopped),
      CASE(whole_numbers_become_the_doubles_that_c_makes_of_them),
      CASE(rising_values_are_followed_up_to_the_first_that_does_not_rise))
