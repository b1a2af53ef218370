#include "store/batch_ids.h"

#include "unit/test.h"

static struct hash128 id(uint64_t i)
{
    return (struct hash128){ i * 0x9e3779b97f4a7c15ull + 1, i };
}

TEST(batch_ids_are_known_for_ten_minutes)
{
    struct batch_ids b = { 0 };
    int64_t now = 1000000000;
    for (uint64_t i = 0; i < 1000; i++)
        batch_ids_add(&b, id(i), now + (int64_t)i * 1000, now + (int64_t)i * 1000);
    EXPECT(batch_ids_known(&b, id(999)) && batch_ids_known(&b, id(400)) && !batch_ids_known(&b, id(1000)));
    batch_ids_add(&b, id(5000), now, now + BATCH_IDS_KEPT_MS); /* too old when it is told */
    EXPECT(!batch_ids_known(&b, id(5000)));

    int64_t later = now + 3 * BATCH_IDS_KEPT_MS;
    batch_ids_add(&b, id(2000), later, later);
    batch_ids_add(&b, id(2001), later + BATCH_IDS_KEPT_MS, later + BATCH_IDS_KEPT_MS);
    EXPECT(!batch_ids_known(&b, id(0)) && batch_ids_known(&b, id(2000)) && batch_ids_known(&b, id(2001)));
    batch_ids_release(&b);
}

TEST(batch_ids_stay_bounded)
{
    struct batch_ids b = { 0 };
    for (uint64_t i = 0; i < 3 * BATCH_IDS_MAX; i++) batch_ids_add(&b, id(i), 5, 5);
    EXPECT(b.newer.n + b.older.n <= BATCH_IDS_MAX);
    EXPECT(batch_ids_known(&b, id(3 * BATCH_IDS_MAX - BATCH_IDS_MAX / 2)) && !batch_ids_known(&b, id(0)));
    batch_ids_release(&b);
}

static void count(void *ctx, const struct batch_id *x)
{
    (void)x;
    ++*(size_t *)ctx;
}

TEST(batch_ids_are_kept_once)
{
    struct batch_ids b = { 0 };
    size_t n = 0;
    for (int i = 0; i < 10; i++) batch_ids_add(&b, id(7), 5, 5);
    batch_ids_each(&b, count, &n);
    EXPECT_INT(n, 1);
    batch_ids_release(&b);
}

TESTS(CASE(batch_ids_are_known_for_ten_minutes), CASE(batch_ids_stay_bounded), CASE(batch_ids_are_kept_once))
