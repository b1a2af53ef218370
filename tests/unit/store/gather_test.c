/* Pieces into one run, against a table of times. */
#include "store/gather.h"

#include "unit/test.h"

#define TIMES 64

TEST(gather_joins_pieces_and_the_later_one_wins)
{
    uint64_t seed = 42;
    struct gather g = { 0 };
    for (int round = 0; round < 3000; round++) {
        uint64_t want[TIMES] = { 0 }, stamp = 0;
        gather_clear(&g);
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        size_t pieces = seed >> 33 & 7;
        for (size_t p = 0; p < pieces; p++) {
            int64_t time[TIMES];
            uint64_t bits[TIMES];
            size_t n = 0;
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            uint64_t mask = seed ^ seed << 7;
            size_t from = (seed >> 40) % TIMES;
            for (size_t t = from; t < TIMES; t++)
                if (mask >> t & 1) {
                    time[n] = (int64_t)t;
                    bits[n++] = want[t] = ++stamp;
                }
            gather_add(&g, time, bits, n);
        }
        gather_join(&g);
        size_t at = 0;
        for (size_t t = 0; t < TIMES; t++) {
            if (want[t] == 0) continue;
            EXPECT(at < g.n && g.time_ms[at] == (int64_t)t && g.bits[at] == want[t]);
            at++;
        }
        EXPECT(at == g.n);
    }
    gather_release(&g);
}

TESTS(CASE(gather_joins_pieces_and_the_later_one_wins))
