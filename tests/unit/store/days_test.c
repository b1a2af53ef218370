/* Days that open, close, come again; parts that become few. The clock is fixed and moved by hand. */
#include "store/engine.h"
#include "unit/store/store_model.h"

static const int64_t NOON = 20000 * DAY + DAY / 2;

static struct store *open_at(const char *dir, int64_t now_ms)
{
    clock_fix_ms(now_ms);
    return test_open(dir, 0);
}

static void put(struct store *s, const char *host, int64_t t, double v)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct batch b;
    struct write_result r;
    struct label l[2] = { { STR("__name__"), STR("m") }, { STR("host"), str_of(host) } };
    batch_init(&b, &a, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ l, 2 });
    batch_sample(&b, t, v);
    EXPECT(store_write(s, &b, ACK_MEMORY, &r, NULL, NULL, NULL) == OK && r.samples == 1);
    arena_release(&a);
}

struct sum {
    size_t series, rows;
    double values;
};
static int add_up(void *ctx, const struct series_rows *r)
{
    struct sum *x = ctx;
    x->series++;
    x->rows += r->n;
    for (size_t i = 0; i < r->n; i++) {
        x->values += r->value[i];
        if (i > 0) EXPECT(r->time_ms[i] > r->time_ms[i - 1]);
    }
    return OK;
}

static struct sum look_in(struct store_view *v, const char *host, int64_t from, int64_t to)
{
    struct arena a = ARENA_INIT(16 << 20);
    struct call call = { .arena = &a };
    struct series_set set;
    struct matcher eq;
    struct sum x = { 0 };
    EXPECT(matcher_init(&eq, MATCH_EQ, STR("host"), str_of(host), NULL) == OK);
    EXPECT(view_series(v, &call, &eq, 1, 0, &set, NULL) == OK);
    EXPECT(view_scan(v, &call, set.at, set.n, from, to, add_up, &x, NULL) == OK);
    matcher_release(&eq);
    arena_release(&a);
    return x;
}

static struct sum look(struct store *s, const char *host, int64_t from, int64_t to)
{
    struct store_view *v;
    EXPECT(store_view_open(s, from, to, &v, NULL) == OK);
    struct sum x = look_in(v, host, from, to);
    store_view_close(v);
    return x;
}

static uint64_t series_in_memory(struct store *s)
{
    struct registry_size size;
    registry_size(engine_of(s)->registry, &size);
    return size.series;
}

static void flush(struct store *s)
{
    EXPECT(store_admin(s, STORE_FLUSH, NULL, NULL) == OK);
}

TEST(idle_day_leaves_memory_and_comes_again)
{
    char *dir = test_dir();
    int64_t late = NOON - 5 * DAY;
    struct store *s = open_at(dir, NOON);
    put(s, "today", NOON, 1);
    put(s, "both", NOON, 1);
    put(s, "both", late, 1);
    put(s, "late", late, 1);
    days_close_idle(engine_of(s));
    EXPECT(series_in_memory(s) == 3); /* rows still in memory: nothing may go */

    struct store_view *before;
    EXPECT(store_view_open(s, 0, INT64_MAX, &before, NULL) == OK);
    flush(s);
    clock_fix_ms(NOON + 3600000);
    days_close_idle(engine_of(s));
    EXPECT(series_in_memory(s) == 2); /* "late" lives in its index file alone */
    EXPECT(look_in(before, "late", 0, INT64_MAX).rows ==
           1); /* also for a view that had its row in the head */
    EXPECT(look(s, "late", 0, INT64_MAX).rows == 1 && look(s, "both", 0, INT64_MAX).rows == 2);
    store_view_close(before);

    put(s, "late", late + 1000, 10); /* a new number, and the old one is in the file */
    struct sum x = look(s, "late", 0, INT64_MAX);
    EXPECT(x.series == 1 && x.rows == 2 && x.values == 11);
    put(s, "late", late, 100); /* over the row of the old number */
    x = look(s, "late", 0, INT64_MAX);
    EXPECT(x.series == 1 && x.rows == 2 && x.values == 110);
    EXPECT(look(s, "both", late, late).rows == 1);

    for (int round = 0; round < 3; round++) {
        flush(s);
        EXPECT(store_admin(s, STORE_MERGE, NULL, NULL) == OK);
        clock_fix_ms(NOON + (round + 2) * 3600000);
        days_close_idle(engine_of(s));
        x = look(s, "late", 0, INT64_MAX);
        EXPECT(x.series == 1 && x.rows == 2 && x.values == 110);
        store_close(s);
        s = open_at(dir, NOON + (round + 2) * 3600000);
        x = look(s, "late", 0, INT64_MAX);
        EXPECT(x.series == 1 && x.rows == 2 && x.values == 110);
        put(s, "late", late + 1000, 10);
    }
    store_close(s);
    clock_fix_ms(0);
    test_dir_remove(dir);
}

/* The log of a day names a series that only an old day's index knows. */
TEST(row_of_an_old_series_finds_its_labels_after_a_crash)
{
    char *dir = test_dir(), command[300];
    int64_t late = NOON - 5 * DAY;
    struct store *s = open_at(dir, NOON);
    put(s, "old", late, 1);
    flush(s);
    put(s, "old", NOON, 2); /* known: no series record in the new segment */
    struct err e = ERR_INIT;
    EXPECT(wal_sync(engine_of(s)->wal, &e) == OK);
    snprintf(command, sizeof command, "cp -r '%s' '%s.crash'", dir, dir);
    EXPECT(system(command) == 0);
    store_close(s);

    char crash[100];
    snprintf(crash, sizeof crash, "%s.crash", dir);
    s = open_at(crash, NOON);
    EXPECT(look(s, "old", 0, INT64_MAX).rows == 2);
    put(s, "new", NOON, 3);
    EXPECT(look(s, "old", 0, INT64_MAX).rows == 2 && look(s, "new", 0, INT64_MAX).rows == 1);
    store_close(s);
    clock_fix_ms(0);
    test_dir_remove(dir);
}

/* Numbers are not given twice, though nothing in memory remembers the highest. */
TEST(series_numbers_are_not_reused_after_a_restart)
{
    char *dir = test_dir();
    struct store *s = open_at(dir, NOON);
    for (int i = 0; i < 50; i++) {
        char host[16];
        snprintf(host, sizeof host, "h%d", i);
        put(s, host, NOON - 9 * DAY, i);
    }
    store_close(s);
    s = open_at(dir, NOON);
    EXPECT(series_in_memory(s) == 0);
    put(s, "fresh", NOON - 9 * DAY, 1000); /* into the very day of the others */
    EXPECT(look(s, "fresh", 0, INT64_MAX).values == 1000 && look(s, "h0", 0, INT64_MAX).rows == 1 &&
           look(s, "h49", 0, INT64_MAX).values == 49);
    flush(s);
    EXPECT(store_admin(s, STORE_MERGE, NULL, NULL) == OK);
    EXPECT(look(s, "fresh", 0, INT64_MAX).values == 1000 && look(s, "h0", 0, INT64_MAX).values == 0 &&
           look(s, "h1", 0, INT64_MAX).values == 1);
    store_close(s);
    clock_fix_ms(0);
    test_dir_remove(dir);
}

/* ---- parts ---- */

static size_t parts(struct store *s)
{
    struct store_status st;
    store_status(s, &st);
    return st.parts;
}

TEST(busy_day_keeps_few_parts_and_a_closed_one_has_one)
{
    char *dir = test_dir();
    struct store *s = open_at(dir, NOON);
    struct err e = ERR_INIT;
    size_t most = 0;
    for (int i = 0; i < 120; i++) {
        for (int k = 0; k < 20; k++)
            put(s, k % 2 ? "a" : "b", NOON + i * 60000 + k * 1000,
                1.0 / (3 + i * 977 + k * 31)); /* no two alike: it must weigh something */
        flush(s);
        while (engine_merge(engine_of(s), false, &e) > 0) {
        }
        EXPECT(e.code == OK);
        most = MAX(most, parts(s));
    }
    EXPECT(most <= 12);
    EXPECT(look(s, "a", 0, INT64_MAX).rows == 1200 && look(s, "b", 0, INT64_MAX).rows == 1200);

    clock_fix_ms(NOON + 2 * DAY);
    while (engine_merge(engine_of(s), false, &e) > 0) {
    }
    EXPECT(parts(s) == 1);
    struct version *v = catalog_pin(engine_of(s)->catalog);
    EXPECT(v->n == 2 && v->at[0]->id.is_final);
    version_unref(v);
    EXPECT(look(s, "a", 0, INT64_MAX).rows == 1200);

    put(s, "a", NOON, 5); /* a crumb: not worth rewriting the day for at once */
    flush(s);
    clock_fix_ms(NOON + 2 * DAY + 2 * 3600000);
    while (engine_merge(engine_of(s), false, &e) > 0) {
    }
    EXPECT(parts(s) == 2);
    clock_fix_ms(NOON + 4 * DAY);
    while (engine_merge(engine_of(s), false, &e) > 0) {
    }
    EXPECT(parts(s) == 1);
    store_close(s);
    clock_fix_ms(0);
    test_dir_remove(dir);
}

TEST(merges_keep_the_newest_row)
{
    char *dir = test_dir();
    struct store *s = open_at(dir, NOON);
    struct err e = ERR_INIT;
    for (int i = 0; i < 60; i++) { /* the same row in every part, among others of odd sizes */
        put(s, "a", NOON, i);
        for (int k = 0; k < (i * 7) % 40; k++) put(s, "b", NOON + i * 1000 + k, k);
        flush(s);
        while (engine_merge(engine_of(s), false, &e) > 0) {
        }
        EXPECT(look(s, "a", 0, INT64_MAX).values == i);
    }
    store_close(s);
    clock_fix_ms(0);
    test_dir_remove(dir);
}

TESTS(CASE(idle_day_leaves_memory_and_comes_again), CASE(row_of_an_old_series_finds_its_labels_after_a_crash),
      CASE(series_numbers_are_not_reused_after_a_restart),
      CASE(busy_day_keeps_few_parts_and_a_closed_one_has_one), CASE(merges_keep_the_newest_row))
