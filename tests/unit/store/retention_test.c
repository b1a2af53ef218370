/* A clock that leaps ahead makes nothing old; one that runs, is set by a little, or leaps back, changes
 * nothing. */
#include "base/file.h"
#include "store/embedded.h"
#include "store/engine.h"
#include "unit/store/store_model.h"
#include "unit/store/waist_record_kit.h"

#define HOUR_MS (3600 * 1000ll)
#define YEAR_MS (365 * 24 * HOUR_MS)
#define NS(ms)  ((ms)*1000000ll)

static const int64_t wall = 1790000000000ll, mono = 77;

TEST(retention_trusts_a_clock_that_runs)
{
    struct retention_clock c = { 0 };
    EXPECT(retention_clock_ok(&c, wall, mono));
    EXPECT(retention_clock_ok(&c, wall + 60000, mono + NS(60000)));
    EXPECT(retention_clock_ok(&c, wall + 60000 + HOUR_MS / 2, mono + NS(120000))); /* set by half an hour */
    EXPECT(retention_clock_ok(&c, wall - YEAR_MS, mono + NS(180000))); /* back: nothing gets old */
    EXPECT(retention_clock_ok(&c, wall - YEAR_MS + 60000, mono + NS(240000)));
}

TEST(retention_holds_for_an_hour_after_a_leap)
{
    struct retention_clock c = { 0 };
    EXPECT(retention_clock_ok(&c, wall, mono));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS, mono + NS(60000)));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS + 60000, mono + NS(120000)));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS + HOUR_MS - 1000, mono + NS(HOUR_MS + 59000)));
    EXPECT(retention_clock_ok(&c, wall + YEAR_MS + HOUR_MS, mono + NS(HOUR_MS + 60000)));
}

TEST(retention_goes_on_when_the_clock_is_put_right)
{
    struct retention_clock c = { 0 };
    EXPECT(retention_clock_ok(&c, wall, mono));
    EXPECT(!retention_clock_ok(&c, wall + YEAR_MS, mono + NS(60000)));
    EXPECT(retention_clock_ok(&c, wall + 120000, mono + NS(120000)));
    EXPECT(retention_clock_ok(&c, wall + 180000, mono + NS(180000)));
}

/* ---- views and pages while days go ---- */

#define DAY_NS (WAIST_DAY_MS * 1000000)

static struct store *open_for_ten_days(const char *dir)
{
    struct store *s;
    struct err e = ERR_INIT;
    struct embedded_conf conf = { .dir = dir, .min_free_bytes = 1, .retention_ms = 10 * WAIST_DAY_MS };
    conf.retention_logs_ms = conf.retention_spans_ms = conf.retention_ms;
    int rc = embedded_open(&conf, &s, &e);
    if (rc < 0) print_error("open: %s\n", e.text);
    EXPECT(rc == OK);
    return s;
}

static const struct waist_kind ten_days = { "embedded", open_for_ten_days, test_dir, test_dir_remove, true };

/* Six logs, a day apart, from T0 on. */
static void begin_with_six_days(struct waist *w)
{
    clock_fix_ms(T0 + 6 * WAIST_DAY_MS);
    waist_begin(w, &ten_days, IN_MEMORY);
    w->table = TABLE_LOGS;
    for (int i = 0; i < 6; i++)
        RECORDS(w, { .label = arena_printf(&w->arena, "%d", i).p, .at_ns = i * DAY_NS });
    waist_admin(w, STORE_FLUSH);
}

static void let_three_days_expire(struct waist *w)
{
    clock_fix_ms(T0 + 13 * WAIST_DAY_MS);
    waist_admin(w, STORE_RETAIN);
}

static void end(struct waist *w)
{
    waist_end(w);
    clock_fix_ms(0);
}

static const char *page(struct waist *w, struct store_view *v, int64_t *from_ns)
{
    struct record_scan scan = scan_of(w, NULL);
    scan.order = ORDER_TIME;
    scan.limit = 2;
    scan.from_ns = *from_ns;
    struct found f = find_in_view(w, v, &scan);
    if (f.n > 0) *from_ns = f.time_ns[f.n - 1] + 1;
    return labels_text(w, &f, ORDER_TIME);
}

TEST(retention_leaves_the_pages_of_an_open_view)
{
    struct waist w;
    int64_t from_ns = 0;
    begin_with_six_days(&w);
    struct store_view *v = waist_view(&w, 0, INT64_MAX);
    EXPECT_STR(page(&w, v, &from_ns), "0 1");
    let_three_days_expire(&w);
    EXPECT_STR(page(&w, v, &from_ns), "2 3");
    EXPECT_STR(page(&w, v, &from_ns), "4 5");
    EXPECT_STR(page(&w, v, &from_ns), "");
    store_view_close(v);
    EXPECT_STR(matching(&w, NULL), "3 4 5");
    end(&w);
}

TEST(retention_between_two_pages_skips_what_has_gone)
{
    static const char *const pages[] = { "0 1", "3 4", "5", "" };
    struct waist w;
    int64_t from_ns = 0;
    begin_with_six_days(&w);
    for (size_t i = 0; i < COUNT(pages); i++) {
        struct store_view *v = waist_view(&w, 0, INT64_MAX);
        EXPECT_STR(page(&w, v, &from_ns), pages[i]);
        store_view_close(v);
        if (i == 0) let_three_days_expire(&w);
    }
    end(&w);
}

TEST(retention_syncs_away_the_names_of_files_when_the_last_view_lets_go)
{
    struct waist w;
    begin_with_six_days(&w);
    struct store_view *v = waist_view(&w, 0, INT64_MAX);
    let_three_days_expire(&w);
    uint64_t unlinks = file_calls_of(FILE_UNLINK), syncs = file_calls_of(FILE_SYNC);
    store_view_close(v);
    EXPECT(file_calls_of(FILE_UNLINK) >= unlinks + 3);
    EXPECT(file_calls_of(FILE_SYNC) >= syncs + 3); /* three days, three directories */
    end(&w);
}

TESTS(CASE(retention_trusts_a_clock_that_runs), CASE(retention_holds_for_an_hour_after_a_leap),
      CASE(retention_goes_on_when_the_clock_is_put_right), CASE(retention_leaves_the_pages_of_an_open_view),
      CASE(retention_between_two_pages_skips_what_has_gone),
      CASE(retention_syncs_away_the_names_of_files_when_the_last_view_lets_go))
