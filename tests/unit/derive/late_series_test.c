/* Expectations are counted by hand from the spans that each test writes. */
#include "derive/late_series.h"

#include "unit/test.h"
#include "unit/toy_store.c"

#define HOUR   INT64_C(3600000)
#define BEGIN  (INT64_C(480000) * HOUR) /* an hour of 2024 */
#define NOW    (BEGIN + 200 * HOUR)
#define MINUTE INT64_C(60000)

static struct store *store;
static struct arena arena = ARENA_INIT(64 << 20);
static uint8_t counted_id; /* of the span that was counted when it came */

static void labels(void *ctx, const struct record *r, struct arena *a, struct str *service,
                   struct str *dimensions)
{
    (void)ctx, (void)r, (void)a;
    *service = STR("shop");
    dimensions[0] = STR("eu");
}

static bool counted(void *ctx, const struct record *r)
{
    (void)ctx;
    return counted_id != 0 && r->span_id[7] == counted_id;
}

static struct late_series *begin(void)
{
    static const struct span_metrics_conf conf = { .max_rows = 100,
                                                   .dimensions = { "region" },
                                                   .n_dimensions = 1 };
    counted_id = 0;
    store = toy_store_new();
    return late_series_new(store, &conf, labels, counted, NULL);
}

static void end(struct late_series *l)
{
    late_series_free(l);
    store_close(store);
    arena_release(&arena);
}

static void span(struct late_series *l, uint8_t id, int64_t start_ms, uint32_t flags)
{
    struct record r = { .time_ns = start_ms * 1000000,
                        .flags = flags,
                        .trace_id = { 1 },
                        .span = { .duration_ns = 500000000, .kind = SPAN_SERVER, .name = STR("run") } };
    struct records records;
    struct batch batch;
    struct write_result result = { 0 };
    r.span_id[7] = id;
    records_init(&records, &arena, TABLE_SPANS);
    records_origin(&records, &(struct origin){ .scope_name = STR("x") });
    EXPECT_INT(records_add(&records, &r, NULL), OK);
    records_end(&records);
    batch_init(&batch, &arena, LABELS_PACKED);
    batch.spans = &records;
    EXPECT_INT(store_write(store, &batch, ACK_MEMORY, &result, NULL, NULL, NULL), OK);
    if (flags & RECORD_LATE) EXPECT(late_series_note(l, r.time_ns, NOW));
}

struct samples {
    size_t n, stale;
    int64_t first_ms, last_ms, at_ms;
    double at, highest;
};

static int take(void *ctx, const struct series_rows *rows)
{
    struct samples *s = ctx;
    for (size_t i = 0; i < rows->n; i++) {
        if (s->n++ == 0) s->first_ms = rows->time_ms[i];
        s->last_ms = rows->time_ms[i];
        if (rows->value[i] != rows->value[i]) {
            s->stale++;
            continue;
        }
        if (rows->time_ms[i] <= s->at_ms) s->at = rows->value[i];
        s->highest = MAX(s->highest, rows->value[i]);
    }
    return OK;
}

/* All samples of the calls, and the value at that time. */
static struct samples calls(int64_t at_ms)
{
    struct samples s = { .at_ms = at_ms, .at = -1 };
    struct call call = { .arena = &arena };
    struct store_view *view;
    struct series_set set;
    struct matcher m[2];
    EXPECT_INT(matcher_init(&m[0], MATCH_EQ, STR("__name__"), STR("traces_spanmetrics_calls_total"), NULL),
               OK);
    EXPECT_INT(matcher_init(&m[1], MATCH_EQ, STR("vedette_late"), STR("true"), NULL), OK);
    EXPECT_INT(store_view_open(store, 0, NOW, &view, NULL), OK);
    EXPECT_INT(view_series(view, &call, m, 2, 0, &set, NULL), OK);
    EXPECT(set.n <= 1);
    EXPECT_INT(view_scan(view, &call, set.at, set.n, 0, NOW, take, &s, NULL), OK);
    store_view_close(view);
    matcher_release(&m[0]);
    matcher_release(&m[1]);
    return s;
}

TEST(an_hour_begins_at_zero_and_ends_stale)
{
    struct late_series *l = begin();
    span(l, 1, BEGIN + 10 * MINUTE + 1000, RECORD_LATE);
    span(l, 2, BEGIN + 20 * MINUTE + 1000, RECORD_LATE);
    span(l, 3, BEGIN + 21 * MINUTE, 0); /* counted as it came */
    EXPECT_INT(late_series_write(l, NOW, 0, 1000, NULL), OK);

    struct samples s = calls(BEGIN + 15 * MINUTE);
    EXPECT_INT(s.n, 1 + 60 + 1); /* zero on the hour, the middle of each minute, the end */
    EXPECT(s.first_ms == BEGIN && s.last_ms == BEGIN + HOUR - 1 && s.stale == 1);
    EXPECT(s.at == 1 && s.highest == 2);
    EXPECT(calls(BEGIN + 10 * MINUTE).at == 0 && calls(BEGIN + 11 * MINUTE).at == 1);
    end(l);
}

TEST(what_comes_twice_counts_once)
{
    struct late_series *l = begin();
    for (int again = 0; again < 3; again++) {
        span(l, 1, BEGIN + 10 * MINUTE, RECORD_LATE);
        span(l, 2, BEGIN + 50 * MINUTE, RECORD_LATE);
        EXPECT_INT(late_series_write(l, NOW, 0, 1000, NULL), OK);
        EXPECT(calls(NOW).highest == 2 && calls(NOW).n == 62);
    }
    span(l, 3, BEGIN + 5 * MINUTE, RECORD_LATE); /* earlier than what was there */
    EXPECT_INT(late_series_write(l, NOW, 0, 1000, NULL), OK);
    EXPECT(calls(BEGIN + 6 * MINUTE).at == 1 && calls(NOW).highest == 3 && calls(NOW).n == 62);
    end(l);
}

TEST(what_was_counted_as_it_came_is_not_counted_late)
{
    struct late_series *l = begin();
    counted_id = 2;
    span(l, 1, BEGIN, RECORD_LATE);
    span(l, 2, BEGIN + MINUTE, RECORD_LATE);
    EXPECT_INT(late_series_write(l, NOW, 0, 1000, NULL), OK);
    EXPECT(calls(NOW).highest == 1);
    end(l);
}

TEST(an_hour_waits_until_it_is_quiet)
{
    struct late_series *l = begin();
    span(l, 1, BEGIN, RECORD_LATE);
    EXPECT_INT(late_series_write(l, NOW + 4999, 5000, 1000, NULL), OK);
    EXPECT_INT(calls(NOW).n, 0);
    EXPECT_INT(late_series_write(l, NOW + 5000, 5000, 1000, NULL), OK);
    EXPECT_INT(calls(NOW).n, 62);
    end(l);
}

TEST(hours_that_are_not_over_have_no_samples_ahead)
{
    struct late_series *l = begin();
    span(l, 1, BEGIN + 1000, RECORD_LATE);
    EXPECT_INT(late_series_write(l, NOW, 0, 1000, NULL), OK);
    span(l, 2, NOW + 1000, RECORD_LATE);
    EXPECT_INT(late_series_write(l, NOW + 10 * MINUTE, 0, 1000, NULL), OK);
    EXPECT(calls(NOW).n == 62 + 1); /* up to now only the zero; the view ends there */
    end(l);
}

TEST(too_many_hours_are_refused)
{
    struct late_series *l = begin();
    for (int64_t i = 0; i < LATE_HOURS_MAX; i++) EXPECT(late_series_note(l, i * HOUR * 1000000, NOW));
    EXPECT(!late_series_note(l, LATE_HOURS_MAX * HOUR * 1000000, NOW));
    EXPECT(late_series_note(l, 5 * HOUR * 1000000, NOW)); /* one of those that wait */
    end(l);
}

TESTS(CASE(an_hour_begins_at_zero_and_ends_stale), CASE(what_comes_twice_counts_once),
      CASE(what_was_counted_as_it_came_is_not_counted_late), CASE(an_hour_waits_until_it_is_quiet),
      CASE(hours_that_are_not_over_have_no_samples_ahead), CASE(too_many_hours_are_refused))
