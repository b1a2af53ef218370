/* tables_test.c - the table of fingerprints and the heap of timers beside plain arrays that do the same. */
#include "unit/test.h"

#include "tell/notify/fp_table.h"
#include "tell/notify/timer_heap.h"

#define KEYS 300

static uint64_t next(uint64_t *x)
{
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return *x >> 33;
}

TEST(a_table_does_what_an_array_does)
{
    static char values[KEYS];
    void *plain[KEYS] = { 0 };
    struct fp_table t = { 0 };
    uint64_t seed = 7;
    for (int i = 0; i < 100000; i++) {
        size_t k = next(&seed) % KEYS;
        uint64_t key = k % 3 ? k : k << 40; /* some that differ only at the top; 0 among them */
        if (next(&seed) % 2) {
            EXPECT(fp_table_put(&t, key, &values[k]) == plain[k]);
            plain[k] = &values[k];
        } else {
            EXPECT(fp_table_remove(&t, key) == plain[k]);
            plain[k] = NULL;
        }
        EXPECT(fp_table_get(&t, key) == plain[k]);
    }
    size_t there = 0, seen = 0;
    for (size_t k = 0; k < KEYS; k++) there += plain[k] != NULL;
    for (size_t i = 0; fp_table_next(&t, &i) != NULL;) seen++;
    EXPECT_INT(seen, there);
    EXPECT_INT(t.n, there);
    fp_table_release(&t);
}

TEST(a_heap_gives_timers_in_order)
{
    static struct timer timers[KEYS];
    struct timer_heap h = { 0 };
    uint64_t seed = 11;
    for (int i = 0; i < 20000; i++) {
        struct timer *t = &timers[next(&seed) % KEYS];
        if (next(&seed) % 4)
            timer_set(&h, t, (int64_t)(next(&seed) % 1000));
        else
            timer_clear(&h, t);
        int64_t least = INT64_MAX;
        for (size_t k = 0; k < KEYS; k++)
            if (timers[k].place != 0 && timers[k].at_ms < least) least = timers[k].at_ms;
        EXPECT_INT(timer_next_ms(&h), least);
    }
    int64_t last = -1;
    EXPECT(timer_due(&h, -1) == NULL);
    for (struct timer *t; (t = timer_due(&h, 1000)) != NULL; last = t->at_ms) EXPECT(t->at_ms >= last);
    EXPECT_INT(h.n, 0);
    timer_heap_release(&h);
}

TESTS(CASE(a_table_does_what_an_array_does), CASE(a_heap_gives_timers_in_order))
