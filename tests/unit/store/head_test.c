/* The memtable against a plain list of rows. */
#include "store/head.h"

#include <pthread.h>

#include "base/check.h"
#include "base/mem.h"
#include "unit/test.h"

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(uint64_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % below;
}

/* What the rows should be: the last bits written for (key, time). Small numbers of both, so a square table
 * will do. */
#define KEYS  40
#define TIMES 500
static uint64_t want[KEYS][TIMES];

static series_key key_of(size_t i)
{
    return (series_key)(i / 7) << 32 | (i * 13);
}

static struct slab *filled(uint32_t rows, bool is_wide)
{
    struct slab *s = slab_new(3, ROW_FLOAT, rows);
    memset(want, 0, sizeof want);
    for (uint32_t i = 0; i < rows; i++) {
        size_t k = rnd(KEYS), t = rnd(TIMES);
        want[k][t] = i + 1;
        slab_add(s, is_wide ? (key_of(k) * 0x0100000001000001ull) : key_of(k), 3 * DAY_MS + (int64_t)t * 1000,
                 i + 1);
    }
    s->published = s->n;
    return s;
}

static void check_sorted(const struct slab *t, bool is_wide)
{
    size_t found = 0, expected = 0;
    for (size_t k = 0; k < KEYS; k++)
        for (size_t i = 0; i < TIMES; i++) expected += want[k][i] != 0;

    for (uint32_t i = 0; i < t->n; i++) {
        if (i > 0)
            EXPECT(t->key[i] > t->key[i - 1] ||
                   (t->key[i] == t->key[i - 1] && t->time_ms[i] > t->time_ms[i - 1]));
        for (size_t k = 0; k < KEYS; k++) {
            series_key key = is_wide ? (key_of(k) * 0x0100000001000001ull) : key_of(k);
            if (t->key[i] == key) found += want[k][(t->time_ms[i] - 3 * DAY_MS) / 1000] == t->bits[i];
        }
    }
    EXPECT(found == expected && t->n == expected);
}

TEST(slab_sorts_and_the_last_row_wins)
{
    static const uint32_t sizes[] = { 1, 2, 3, 100, 4096, 65536 };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct slab *s = filled(sizes[i], false), *t = slab_sorted(s, s->n);
        check_sorted(t, false);
        slab_unref(t);
        slab_unref(s);
    }
}

TEST(slab_sorts_keys_too_wide_for_a_word)
{
    struct slab *s = filled(5000, true), *t = slab_sorted(s, s->n);
    check_sorted(t, true);
    slab_unref(t);
    slab_unref(s);
}

TEST(slab_sorted_prefix_sees_nothing_later)
{
    struct slab *s = slab_new(0, ROW_FLOAT, 10);
    for (int i = 0; i < 6; i++) slab_add(s, 5, 100 - i, (uint64_t)i);
    struct slab *four = slab_sorted(s, 4), *six = slab_sorted(s, 6);
    EXPECT(four->n == 4 && four->time_ms[0] == 97 && four->max_ms == 100);
    EXPECT(six->n == 6 && six->time_ms[0] == 95 && six->min_ms == 95);
    slab_unref(four);
    slab_unref(s);
    EXPECT(six->bits[5] == 0);
    slab_unref(six);
}

TEST(slab_find_equals_a_linear_search)
{
    struct slab *s = filled(3000, false), *t = slab_sorted(s, s->n);
    for (int round = 0; round < 20000; round++) {
        series_key key = key_of(rnd(KEYS)) + rnd(3);
        uint32_t from = (uint32_t)rnd(t->n), expect = from;
        if (from > 0 && t->key[from - 1] >= key) continue; /* contract: all before `from` are smaller */
        while (expect < t->n && t->key[expect] < key) expect++;
        EXPECT(slab_find(t, from, key) == expect);
    }
    slab_unref(t);
    slab_unref(s);
}

TEST(head_shows_rows_only_when_published)
{
    struct head *h = head_new();
    struct head_pin pin;
    head_add(h, ROW_FLOAT, 1, 10, 7);
    head_pin(h, 0, 100, &pin);
    EXPECT(pin.n == 0);
    head_unpin(&pin);

    head_publish(h);
    head_pin(h, 0, 100, &pin);
    EXPECT(pin.n == 1 && pin.at[0].rows == 1);
    head_add(h, ROW_FLOAT, 1, 11, 8);
    head_publish(h);
    EXPECT(pin.at[0].rows == 1); /* a pin is a moment */
    head_unpin(&pin);

    head_pin(h, 1, 100, &pin); /* other days */
    EXPECT(pin.n == 0);
    head_unpin(&pin);
    head_unref(h);
}

TEST(head_groups_by_day_and_keeps_order_of_arrival)
{
    struct head *h = head_new();
    for (uint32_t i = 0; i < 3000; i++) head_add(h, ROW_FLOAT, 1, (int64_t)(i % 3) * DAY_MS + i, i);
    head_publish(h);
    EXPECT(head_rows(h) == 3000);

    uint32_t *days;
    EXPECT(head_days(h, &days) == 3 && days[0] == 0 && days[2] == 2);
    mem_free(days);

    struct head_pin pin;
    head_pin(h, 1, 1, &pin);
    uint64_t before = 0, n = 0;
    for (size_t i = 0; i < pin.n; i++)
        for (uint32_t r = 0; r < pin.at[i].rows; r++, n++) {
            EXPECT(pin.at[i].slab->bits[r] % 3 == 1 && pin.at[i].slab->bits[r] >= before);
            before = pin.at[i].slab->bits[r];
        }
    EXPECT(n == 1000);
    head_unpin(&pin);
    head_unref(h);
}

TEST(head_sorting_changes_nothing_that_is_pinned)
{
    struct head *h = head_new();
    struct head_pin before, after;
    for (uint32_t i = 0; i < 200000; i++) head_add(h, ROW_FLOAT, rnd(500), 1000 + i / 500, i);
    head_publish(h);
    head_pin(h, 0, 0, &before);
    head_sort_full(h);
    head_pin(h, 0, 0, &after);

    EXPECT(before.n == after.n && !before.at[0].slab->is_sorted && after.at[0].slab->is_sorted);
    EXPECT(before.at[3].slab->bits[5] == 256 + 512 + 1024 + 5);
    head_unref(h);
    head_unpin(&before);
    head_unpin(&after);
}

TEST(head_keeps_histograms)
{
    struct head *h = head_new();
    double pos[] = { 1, 2 };
    struct hist_span span = { 0, 2 };
    struct histogram x = {
        .schema = 1, .count = 3, .sum = 4, .n_pos_spans = 1, .n_pos = 2, .pos_spans = &span, .pos = pos
    };
    head_add(h, ROW_HISTOGRAM, 9, 5, head_keep(h, &x));
    pos[0] = 77;
    head_publish(h);

    struct head_pin pin;
    head_pin(h, 0, 0, &pin);
    const struct histogram *y = (const struct histogram *)(uintptr_t)pin.at[0].slab->bits[0];
    EXPECT(pin.at[0].slab->kind == ROW_HISTOGRAM && y->pos[0] == 1 && y->sum == 4);
    head_unref(h);
    EXPECT(y->pos[1] == 2); /* the pin holds the head, the head the histogram */
    head_unpin(&pin);
}

struct race {
    struct head *head;
    atomic_bool stop;
};

static void *read_on(void *arg)
{
    struct race *r = arg;
    while (!atomic_load(&r->stop)) {
        struct head_pin pin;
        head_pin(r->head, 0, 10, &pin);
        uint64_t rows = 0;
        for (size_t i = 0; i < pin.n; i++) {
            struct slab *s = slab_sorted(pin.at[i].slab, pin.at[i].rows);
            for (uint32_t k = 1; k < s->n; k++) check(s->key[k] >= s->key[k - 1]);
            rows += pin.at[i].rows;
            slab_unref(s);
        }
        check(rows % 100 == 0); /* batches are seen whole */
        head_sort_full(r->head);
        head_unpin(&pin);
    }
    return NULL;
}

TEST(head_readers_and_sorter_beside_a_writer)
{
    struct race r = { head_new(), false };
    pthread_t reader[2];
    for (int i = 0; i < 2; i++) pthread_create(&reader[i], NULL, read_on, &r);
    for (int batch = 0; batch < 1000; batch++) {
        for (int i = 0; i < 100; i++)
            head_add(r.head, (enum row_kind)(i % 2 * ROW_START), (uint64_t)i * 10 + rnd(10),
                     (batch % 2) * DAY_MS + batch, 1);
        head_publish(r.head);
    }
    atomic_store(&r.stop, true);
    for (int i = 0; i < 2; i++) pthread_join(reader[i], NULL);
    head_unref(r.head);
}

TESTS(CASE(slab_sorts_and_the_last_row_wins), CASE(slab_sorts_keys_too_wide_for_a_word),
      CASE(slab_sorted_prefix_sees_nothing_later), CASE(slab_find_equals_a_linear_search),
      CASE(head_shows_rows_only_when_published), CASE(head_groups_by_day_and_keeps_order_of_arrival),
      CASE(head_sorting_changes_nothing_that_is_pinned), CASE(head_keeps_histograms),
      CASE(head_readers_and_sorter_beside_a_writer))
