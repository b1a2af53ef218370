/* Summaries out of a store are those of its rows, whether they were made in advance or not; they are made
 * for closed days only, follow late rows, and outlive the rows. */
#include "store/tier.h"

#include <math.h>

#include "tier_kit.h"

/* ---- plain summaries: the waist's own way, over rows ---- */

struct buckets {
    struct summary_grid grid;
    size_t n; /* series that the days have */
    struct summary *at[KIT_SERIES];
};

static int keep_folded(void *ctx, const struct series_rows *r)
{
    struct buckets *b = ctx;
    b->at[r->series] = mem_alloc_zero(b->grid.n * sizeof(struct summary));
    summary_fold(b->at[r->series], &b->grid, r->n, r->time_ms, r->value, r->hist, r->start_ms);
    return OK;
}

static int keep_told(void *ctx, size_t series, const struct summary *at)
{
    struct buckets *b = ctx;
    b->at[series] = mem_copy(at, b->grid.n * sizeof *at);
    return OK;
}

static struct buckets buckets_of(struct store *s, struct summary_grid grid, bool plain)
{
    struct arena a = ARENA_INIT(256u << 20);
    struct call call = { .arena = &a };
    struct err e = ERR_INIT;
    struct store_view *v;
    struct series_set set;
    struct buckets b = { .grid = grid };
    EXPECT(store_view_open(s, grid.start_ms, summary_grid_end(&grid), &v, &e) == OK);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, &e) == OK && set.n <= KIT_SERIES);
    b.n = set.n;
    if (plain)
        EXPECT(view_scan(v, &call, set.at, set.n, grid.start_ms + 1, summary_grid_end(&grid), keep_folded, &b,
                         &e) == OK);
    else
        EXPECT(view_summarize(v, &call, set.at, set.n, &grid, SUM_ALL, keep_told, &b, &e) == OK);
    store_view_close(v);
    arena_release(&a);
    return b;
}

static void buckets_release(struct buckets *b)
{
    for (size_t i = 0; i < b->n; i++) mem_free(b->at[i]);
}

static bool near(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= 1e-10 * (1 + fabs(a));
}

static bool same(const struct summary *a, const struct summary *b)
{
    bool head = a->n == b->n && a->odd == b->odd && a->ends_stale == b->ends_stale &&
                (!a->ends_stale || a->stale_ms == b->stale_ms);
    if (!head || a->n == 0) return head;
    return a->first_ms == b->first_ms && a->last_ms == b->last_ms && near(a->first, b->first) &&
           near(a->last, b->last) && near(a->min, b->min) && near(a->max, b->max) &&
           a->changes == b->changes && a->resets == b->resets && near(a->lost, b->lost) &&
           near(summary_total(a), summary_total(b)) && near(a->drift, b->drift) && near(a->spread, b->spread);
}

static void expect_same(struct store *s, struct store *plain, struct summary_grid grid)
{
    struct buckets a = buckets_of(plain, grid, true), b = buckets_of(s, grid, false);
    EXPECT(a.n == b.n);
    for (size_t i = 0; i < a.n; i++)
        for (size_t k = 0; k < grid.n; k++) {
            if (same(&a.at[i][k], &b.at[i][k])) continue;
            print_error("series %zu bucket %zu of %lld ms: n %lu, %lu\n", i, k, (long long)grid.width_ms,
                        a.at[i][k].n, b.at[i][k].n);
            EXPECT(!"the same buckets");
        }
    buckets_release(&a);
    buckets_release(&b);
}

static struct summary_cover cover_of(struct store *s, int64_t width_ms)
{
    struct err e = ERR_INIT;
    struct store_view *v;
    struct summary_cover c;
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, &e) == OK);
    view_cover(v, 0, INT64_MAX, width_ms, &c);
    store_view_close(v);
    return c;
}

#define HOUR (3600 * 1000ll)

static void expect_same_on_grids(struct store *s, struct store *plain, int64_t start)
{
    expect_same(s, plain, (struct summary_grid){ start - HOUR, HOUR, 24 * KIT_DAYS + 2 });
    expect_same(s, plain, (struct summary_grid){ start, HOUR / 12, 288 * KIT_DAYS });
    expect_same(s, plain, (struct summary_grid){ start + 5 * HOUR, 7 * HOUR, 12 }); /* across days */
    expect_same(s, plain, (struct summary_grid){ start + 1234567, HOUR, 60 });      /* fits none */
    expect_same(s, plain, (struct summary_grid){ start + 1, HOUR / 4 + 1, 100 });   /* fits none */
    expect_same(s, plain, (struct summary_grid){ start - 2 * DAY, 30 * DAY, 1 });   /* all in one */
    expect_same(s, plain, (struct summary_grid){ start - DAY, HOUR, 3 });           /* before all */
}

/* ---- the tests ---- */

TEST(tier_says_what_the_rows_say)
{
    const struct kit_conf confs[] = { { .tier_1h = true }, { .tier_5m = true }, { true, true, 0 } };
    int64_t start = kit_start_ms();
    char *dir = test_dir();
    struct store *s = kit_open(dir, (struct kit_conf){ 0 });
    kit_fill(s, start);
    kit_do(s, STORE_MERGE);
    EXPECT_INT(cover_of(s, HOUR).days, 0);
    expect_same_on_grids(s, s, start); /* from rows alone */
    for (size_t i = 0; i < COUNT(confs); i++) {
        store_close(s);
        s = kit_open(dir, confs[i]);
        kit_do(s, STORE_MERGE);
        EXPECT_INT(cover_of(s, HOUR).days, KIT_DAYS);
        EXPECT(cover_of(s, HOUR).rows_from_ms == INT64_MIN);
        expect_same_on_grids(s, s, start);
    }
    store_close(s);
    test_dir_remove(dir);
}

TEST(tier_follows_late_rows)
{
    int64_t start = kit_start_ms();
    char *dir = test_dir();
    struct store *s = kit_open(dir, (struct kit_conf){ .tier_1h = true });
    kit_fill(s, start);
    kit_do(s, STORE_MERGE);
    kit_write(s, start + 7, 3, 4000, 2000); /* between the rows of the first day and the second */
    EXPECT_INT(cover_of(s, HOUR).days, KIT_DAYS - 2);
    expect_same_on_grids(s, s, start);
    kit_do(s, STORE_FLUSH);
    EXPECT_INT(cover_of(s, HOUR).days, KIT_DAYS - 2); /* in parts now, but not in the summaries */
    expect_same_on_grids(s, s, start);
    kit_do(s, STORE_MERGE);
    EXPECT_INT(cover_of(s, HOUR).days, KIT_DAYS);
    expect_same_on_grids(s, s, start);
    store_close(s);
    s = kit_open(dir, (struct kit_conf){ .tier_1h = true });
    EXPECT_INT(cover_of(s, HOUR).days, KIT_DAYS);
    expect_same_on_grids(s, s, start);
    store_close(s);
    test_dir_remove(dir);
}

TEST(tier_is_made_of_closed_days_only)
{
    char *dir = test_dir();
    struct store *s = kit_open(dir, (struct kit_conf){ true, true, 0 });
    kit_write(s, clock_now_ms() / DAY * DAY, 0, 0, 100);
    kit_do(s, STORE_FLUSH);
    kit_do(s, STORE_MERGE);
    EXPECT_INT(cover_of(s, HOUR).days, 0);
    store_close(s);
    test_dir_remove(dir);
}

static uint64_t parts_of(struct store *s)
{
    struct store_status st;
    store_status(s, &st);
    return st.table[TABLE_METRICS].parts;
}

/* Retention sums up what it is about to drop; the summaries, and the series, stay. */
TEST(tier_outlives_the_rows)
{
    int64_t start = kit_start_ms();
    char *dir = test_dir(), *whole = test_dir();
    struct store *rows = kit_open(whole, (struct kit_conf){ 0 });
    kit_fill(rows, start);
    struct store *s = kit_open(dir, (struct kit_conf){ .tier_1h = true });
    kit_fill(s, start);
    store_close(s);
    int64_t keep_ms = clock_now_ms() - (start + 2 * DAY) - HOUR; /* two days are too old */
    s = kit_open(dir, (struct kit_conf){ .tier_1h = true, .retention_ms = keep_ms });
    kit_do(s, STORE_RETAIN);
    EXPECT_INT(parts_of(s), KIT_DAYS - 2);
    struct summary_cover c = cover_of(s, HOUR);
    EXPECT(c.rows_from_ms == start + 2 * DAY && c.widest_ms == HOUR);
    expect_same(s, rows, (struct summary_grid){ start, HOUR, 24 * KIT_DAYS });
    expect_same(s, rows, (struct summary_grid){ start, DAY, KIT_DAYS });
    store_close(s);
    store_close(rows);
    test_dir_remove(dir);
    test_dir_remove(whole);
}

static int count_rows(void *ctx, const struct series_rows *r)
{
    size_t *n = ctx;
    for (size_t i = 1; i < r->n; i++) EXPECT(r->time_ms[i] > r->time_ms[i - 1]);
    n[r->series] = r->n;
    return OK;
}

/* A scan over days without rows gives the last of each bucket. */
TEST(tier_lends_its_last_rows_to_scans)
{
    int64_t start = kit_start_ms();
    char *dir = test_dir();
    struct store *s = kit_open(dir, (struct kit_conf){ .tier_1h = true });
    kit_fill(s, start);
    store_close(s);
    s = kit_open(dir, (struct kit_conf){ .tier_1h = true, .retention_ms = HOUR });
    kit_do(s, STORE_RETAIN);
    EXPECT_INT(parts_of(s), 0);
    struct arena a = ARENA_INIT(1u << 24);
    struct call call = { .arena = &a };
    struct err e = ERR_INIT;
    struct store_view *v;
    struct series_set set;
    size_t n[KIT_SERIES];
    EXPECT(store_view_open(s, 0, INT64_MAX, &v, &e) == OK);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, &e) == OK && set.n == KIT_SERIES);
    EXPECT(view_scan(v, &call, set.at, set.n, 0, INT64_MAX, count_rows, n, &e) == OK);
    for (size_t i = 0; i < set.n; i++) {
        size_t k = (size_t)model_series(set.at[i].labels);
        /* 24 buckets a day and the instant of midnight; some end in a marker besides; gaps have none */
        EXPECT(n[i] >= (k % 4 == 3 ? 40u : 96u) && n[i] <= 2 * 25 * KIT_DAYS);
        if (k == 0) EXPECT(n[i] <= 25 * KIT_DAYS);
    }
    store_view_close(v);
    arena_release(&a);
    store_close(s);
    test_dir_remove(dir);
}

static void hear(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

TEST(tier_is_looked_at_by_fsck_and_goes_into_snapshots)
{
    int64_t start = kit_start_ms();
    char *dir = test_dir(), copy[300];
    struct fsck_report report;
    struct err e = ERR_INIT;
    struct store *s = kit_open(dir, (struct kit_conf){ true, true, 0 });
    kit_fill(s, start);
    kit_do(s, STORE_MERGE);
    snprintf(copy, sizeof copy, "%s.copy", dir);
    EXPECT(store_admin(s, STORE_SNAPSHOT, copy, &e) == OK);
    struct store *c = kit_open(copy, (struct kit_conf){ 0 });
    EXPECT_INT(cover_of(c, HOUR / 12).days, KIT_DAYS);
    expect_same(c, s, (struct summary_grid){ start, HOUR / 12, 288 * KIT_DAYS });
    store_close(c);
    store_close(s);
    EXPECT(embedded_fsck(dir, hear, NULL, &report, &e) == OK);
    EXPECT(report.damaged == 0 && report.files >= 4 * KIT_DAYS); /* part, index, two tiers a day */
    test_dir_remove(dir);
}

TESTS(CASE(tier_says_what_the_rows_say), CASE(tier_follows_late_rows), CASE(tier_is_made_of_closed_days_only),
      CASE(tier_outlives_the_rows), CASE(tier_lends_its_last_rows_to_scans),
      CASE(tier_is_looked_at_by_fsck_and_goes_into_snapshots))
