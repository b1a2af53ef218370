#include "base/map.h"

#include "unit/test.h"

static bool is_wanted(void *ctx, uint64_t value)
{
    return value == *(uint64_t *)ctx;
}

TEST(map_finds_everything_while_it_grows)
{
    struct map m = { 0 };
    for (uint64_t i = 0; i < 10000; i++) {
        map_add(&m, i * 0x9e3779b97f4a7c15u, i);
        if (i % 1000 != 0) continue;
        for (uint64_t k = 0; k <= i; k++) {
            uint64_t *v = map_find(&m, k * 0x9e3779b97f4a7c15u, NULL, NULL);
            EXPECT(v != NULL && *v == k);
        }
    }
    EXPECT(m.n == 10000 && m.n * 4 <= (m.mask + 1) * 3);
    EXPECT(map_find(&m, 12345, NULL, NULL) == NULL);
    EXPECT(map_bytes(&m) == (m.mask + 1) * 16);
    map_release(&m);
}

TEST(map_tells_equal_hashes_apart)
{
    struct map m;
    map_init(&m, 4);
    for (uint64_t i = 0; i < 50; i++) map_add(&m, 7, i);
    for (uint64_t i = 0; i < 50; i++) {
        uint64_t *v = map_find(&m, 7, is_wanted, &i);
        EXPECT(v != NULL && *v == i);
    }
    uint64_t other = 50;
    EXPECT(map_find(&m, 7, is_wanted, &other) == NULL);
    map_release(&m);
}

TEST(map_takes_zero_as_a_hash)
{
    struct map m = { 0 };
    EXPECT(map_find(&m, 0, NULL, NULL) == NULL);
    map_add(&m, 0, 99);
    EXPECT(*map_find(&m, 0, NULL, NULL) == 99);
    map_clear(&m);
    EXPECT(m.n == 0 && map_find(&m, 0, NULL, NULL) == NULL && map_bytes(&m) == 0);
}

TEST(map_init_leaves_room_for_what_is_expected)
{
    struct map m;
    map_init(&m, 1000);
    size_t before = map_bytes(&m);
    for (uint64_t i = 1; i <= 1000; i++) map_add(&m, i, i);
    EXPECT(map_bytes(&m) == before);
    map_release(&m);
}

TESTS(CASE(map_finds_everything_while_it_grows), CASE(map_tells_equal_hashes_apart),
      CASE(map_takes_zero_as_a_hash), CASE(map_init_leaves_room_for_what_is_expected))
