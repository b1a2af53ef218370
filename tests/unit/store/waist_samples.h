/* waist_samples.h - what every store promises about samples, label sets, exemplars and metadata. */
#pragma once
#include "unit/store/waist_kit.h"

/* ---- rows ---- */

static void an_empty_store_has_nothing(struct waist *w)
{
    struct store_status st;
    EXPECT_STR(rows(w, ""), "");
    EXPECT_STR(rows(w, "__name__=up"), "");
    EXPECT_STR(label_names(w, "", 0), "");
    EXPECT_STR(label_values(w, "job", "", 0), "");
    store_status(w->store, &st);
    EXPECT(st.head_rows == 0 && st.rows_on_disk == 0 && st.parts == 0 && !st.read_only);
    EXPECT(st.min_time_ms == INT64_MAX && st.max_time_ms == INT64_MIN);
}

static void a_sample_comes_back(struct waist *w)
{
    put(w, "up job=a", T0, 1.5);
    EXPECT_STR(rows(w, ""), "up{job=\"a\"}: 0=1.5\n");
}

static void ranges_are_closed_at_both_ends(struct waist *w)
{
    for (int i = 0; i < 5; i++) put(w, "up", T0 + i * 10, i);
    EXPECT_STR(rows_between(w, "", T0 + 10, T0 + 30), "up: 10=1 20=2 30=3\n");
    EXPECT_STR(rows_between(w, "", T0 + 11, T0 + 29), "up: 20=2\n");
    EXPECT_STR(rows_between(w, "", T0 + 20, T0 + 20), "up: 20=2\n");
}

static void a_window_without_rows_delivers_the_series_empty(struct waist *w)
{
    put(w, "up", T0, 1);
    put(w, "up", T0 + 100, 2);
    struct store_view *v;
    settle(w);
    v = waist_view(w, T0, T0 + 100);
    EXPECT_STR(view_rows_text(w, v, "", T0 + 1, T0 + 99), "up:\n");
    EXPECT_STR(view_rows_text(w, v, "", T0 + 50, T0 + 40), "up:\n");
    EXPECT_STR(view_rows_text(w, v, "", T0 + 1, T0 + 100), "up: 100=2\n");
    store_view_close(v);
}

static void rows_come_in_rising_time_however_they_were_written(struct waist *w)
{
    static const int order[] = { 5, 1, 9, 0, 7, 3 };
    for (size_t i = 0; i < COUNT(order); i++) put(w, "up", T0 + order[i], order[i]);
    EXPECT_STR(rows(w, ""), "up: 0=0 1=1 3=3 5=5 7=7 9=9\n");
}

static void of_equal_times_the_row_written_last_wins(struct waist *w)
{
    put(w, "up", T0, 1);
    put(w, "up", T0 + 1, 1);
    put(w, "up", T0, 2);
    put(w, "up", T0, 3);
    EXPECT_STR(rows(w, ""), "up: 0=3 1=1\n");
    put(w, "up", T0, 4);
    EXPECT_STR(rows(w, ""), "up: 0=4 1=1\n");
}

static void of_equal_times_in_one_batch_the_last_wins(struct waist *w)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of("up", &w->arena));
    batch_sample(&b, T0, 1);
    batch_sample(&b, T0, 2);
    batch_series_labels(&b, labels_of("down", &w->arena));
    batch_sample(&b, T0, 7);
    batch_series_labels(&b, labels_of("up", &w->arena)); /* the same series again */
    batch_sample(&b, T0, 3);
    waist_write(w, &b);
    EXPECT_STR(rows(w, "__name__=up"), "up: 0=3\n");
}

/* A histogram written later wins over a float. The reverse is left to the engine (the embedded one keeps the
 * histogram), but there is one row. */
static void of_a_float_and_a_histogram_at_one_time_one_stays(struct waist *w)
{
    put(w, "m", T0, 1);
    put_histogram(w, "m", T0, waist_histogram(w, 5, 7));
    EXPECT_STR(rows(w, ""), "m: 0=H5\n");
    put_histogram(w, "m", T0 + 1, waist_histogram(w, 6, 7));
    put(w, "m", T0 + 1, 2);
    const char *text = rows(w, "");
    EXPECT(strcmp(text, "m: 0=H5 1=2\n") == 0 || strcmp(text, "m: 0=H5 1=H6\n") == 0);
}

static void late_rows_find_their_place(struct waist *w)
{
    for (int i = 0; i < 20; i++) put(w, "up", T0 + i * 2 * 1000, i);
    (void)rows(w, ""); /* settled once: what follows is late */
    for (int i = 0; i < 3; i++) put(w, "up", T0 + i * 2 * 1000 + 1000, 100 + i);
    EXPECT_STR(rows_between(w, "", T0, T0 + 5000), "up: 0=0 1000=100 2000=1 3000=101 4000=2 5000=102\n");
}

static void odd_numbers_come_back_as_they_are(struct waist *w)
{
    static const uint64_t odd[] = { 0x8000000000000000ull /* -0 */,
                                    0x0000000000000001ull /* denormal */,
                                    0x7ff0000000000000ull /* +Inf */,
                                    0xfff0000000000000ull /* -Inf */,
                                    STALE_BITS,
                                    NAN_BITS,
                                    0x7fefffffffffffffull,
                                    0x3fb999999999999aull };
    struct store_view *v;
    struct series_set set;
    for (size_t i = 0; i < COUNT(odd); i++) put(w, "m", T0 + (int64_t)i, double_of(odd[i]));
    EXPECT_STR(rows(w, ""), "m: 0=-0 1=5e-324 2=+Inf 3=-Inf 4=stale 5=NaN 6=1.7976931348623157e+308 7=0.1\n");

    struct call call = waist_call(w);
    v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK && set.n == 1);
    store_view_close(v);
}

static void stale_markers_are_ordinary_rows(struct waist *w)
{
    put(w, "up", T0, 1);
    put(w, "up", T0 + 1, double_of(STALE_BITS));
    put(w, "up", T0 + 2, 2);
    EXPECT_STR(rows(w, ""), "up: 0=1 1=stale 2=2\n");
}

static void many_rows_of_a_series(struct waist *w)
{
    struct said want = said_new();
    buf_cs(&want.text, "m:");
    for (int from = 0; from < 6000; from += 1500) {
        struct batch b;
        batch_init(&b, &w->arena, LABELS_PACKED);
        batch_series_labels(&b, labels_of("m", &w->arena));
        for (int i = from; i < from + 1500; i++) batch_sample(&b, T0 + i * 15000ll, i % 7);
        waist_write(w, &b);
    }
    for (int i = 0; i < 6000; i++) buf_printf(&want.text, " %lld=%d", i * 15000ll, i % 7);
    buf_cs(&want.text, "\n");
    EXPECT_STR(rows(w, ""), said_end(&want, w)); /* more than a day */
}

static void many_series(struct waist *w)
{
    struct said want = said_new();
    for (int round = 0; round < 2; round++) {
        struct batch b;
        batch_init(&b, &w->arena, LABELS_PACKED);
        for (int i = 0; i < 500; i++) {
            char name[40];
            snprintf(name, sizeof name, "m i=%03d", i);
            batch_series_labels(&b, labels_of(arena_printf(&w->arena, "%s", name).p, &w->arena));
            batch_sample(&b, T0 + round * 1000, i);
        }
        waist_write(w, &b);
    }
    for (int i = 0; i < 500; i++) buf_printf(&want.text, "m{i=\"%03d\"}: 0=%d 1000=%d\n", i, i, i);
    EXPECT_STR(rows(w, ""), said_end(&want, w));
}

static void long_labels(struct waist *w)
{
    char *value = arena_alloc(&w->arena, LABEL_VALUE_MAX);
    memset(value, 'v', LABEL_VALUE_MAX);
    struct label l[] = { { STR("__name__"), STR("m") }, { STR("x"), str_make(value, LABEL_VALUE_MAX) } };
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, (struct labels){ l, 2 });
    batch_sample(&b, T0, 1);
    waist_write(w, &b);
    EXPECT(strlen(rows(w, "__name__=m")) == LABEL_VALUE_MAX + strlen("m{x=\"\"}: 0=1\n"));
}

static void rows_of_several_days(struct waist *w)
{
    for (int day = 0; day < 4; day++) put(w, "up", T0 + day * WAIST_DAY_MS, day);
    EXPECT_STR(rows(w, ""), "up: 0=0 86400000=1 172800000=2 259200000=3\n");
    EXPECT_STR(rows_between(w, "", T0 + 1, T0 + 2 * WAIST_DAY_MS), "up: 86400000=1 172800000=2\n");
}

/* ---- histograms and start times ---- */

struct one_row {
    struct histogram *hist;
    struct arena *arena;
    size_t n;
};

static int keep_histogram(void *ctx, const struct series_rows *r)
{
    struct one_row *x = ctx;
    x->n += r->n;
    if (r->n > 0 && r->hist != NULL && r->hist[0] != NULL) x->hist = histogram_copy(r->hist[0], x->arena);
    return OK;
}

static struct histogram *read_histogram(struct waist *w)
{
    struct one_row one = { NULL, &w->arena, 0 };
    struct call call = waist_call(w);
    struct series_set set;
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK && set.n == 1);
    EXPECT(view_scan(v, &call, set.at, 1, 0, INT64_MAX, keep_histogram, &one, NULL) == OK && one.n == 1);
    store_view_close(v);
    EXPECT(one.hist != NULL);
    return one.hist;
}

static bool same_doubles(const double *a, const double *b, size_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static void expect_same_histogram(const struct histogram *a, const struct histogram *b)
{
    EXPECT(histogram_same_layout(a, b) && a->n_pos == b->n_pos && a->n_neg == b->n_neg);
    EXPECT(a->sum == b->sum && a->count == b->count && a->zero_count == b->zero_count &&
           a->reset == b->reset);
    EXPECT(same_doubles(a->pos, b->pos, a->n_pos) && same_doubles(a->neg, b->neg, a->n_neg));
    EXPECT(same_doubles(a->custom, b->custom, a->n_custom));
}

static void a_histogram_comes_back_whole(struct waist *w)
{
    struct histogram *h = waist_histogram(w, 12.5, 9);
    static double neg[] = { 2 };
    static struct hist_span neg_span = { 7, 1 };
    h->n_neg = h->n_neg_spans = 1;
    h->neg = neg;
    h->neg_spans = &neg_span;
    h->reset = HIST_GAUGE;
    put_histogram(w, "h", T0, h);
    expect_same_histogram(read_histogram(w), h);
}

static void a_histogram_of_custom_bounds_comes_back_whole(struct waist *w)
{
    static double bounds[] = { 0.1, 1, 10 }, pos[] = { 4, 2 };
    static struct hist_span span = { 1, 2 };
    struct histogram h = { .schema = HISTOGRAM_CUSTOM,
                           .count = 6,
                           .sum = 3.25,
                           .n_pos_spans = 1,
                           .n_pos = 2,
                           .n_custom = 3,
                           .pos_spans = &span,
                           .pos = pos,
                           .custom = bounds };
    put_histogram(w, "h", T0, &h);
    expect_same_histogram(read_histogram(w), &h);
}

static void histograms_and_floats_share_a_series(struct waist *w)
{
    put(w, "m", T0, 1);
    put_histogram(w, "m", T0 + 1, waist_histogram(w, 5, 7));
    put(w, "m", T0 + 2, 2);
    put_histogram(w, "m", T0 + 3, waist_histogram(w, 6, 7));
    EXPECT_STR(rows(w, ""), "m: 0=1 1=H5 2=2 3=H6\n");
}

static void start_times_are_kept(struct waist *w)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of("c", &w->arena));
    batch_sample(&b, T0 + 10, 1);
    batch_start(&b, T0 + 5);
    batch_sample(&b, T0 + 20, 2);
    batch_sample(&b, T0 + 30, 1);
    batch_start(&b, T0 + 25);
    waist_write(w, &b);
    EXPECT_STR(rows(w, ""), "c: 10=1@5 20=2 30=1@25\n");
}

/* ---- scanning ---- */

struct seen {
    size_t at[16], n;
    int stop_after;
};

static int note_series(void *ctx, const struct series_rows *r)
{
    struct seen *s = ctx;
    EXPECT(s->n < COUNT(s->at));
    s->at[s->n++] = r->series;
    return s->stop_after != 0 && (int)s->n == s->stop_after ? ERR_EXEC : OK;
}

static void series_are_delivered_in_the_order_given(struct waist *w)
{
    struct call call = waist_call(w);
    struct series_set set;
    for (int i = 0; i < 6; i++) put(w, arena_printf(&w->arena, "m i=%d", i).p, T0, i);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK && set.n == 6);
    qsort(set.at, set.n, sizeof *set.at, by_labels);
    struct series_ref backwards[6];
    for (int i = 0; i < 6; i++) backwards[i] = set.at[5 - i];
    struct seen s = { .n = 0 };
    EXPECT(view_scan(v, &call, backwards, 6, 0, INT64_MAX, note_series, &s, NULL) == OK && s.n == 6);
    for (size_t i = 0; i < 6; i++) EXPECT(s.at[i] == i);

    struct said said = said_new();
    struct series_set turned = { backwards, 3, false };
    struct series_text x = { .set = &turned, .out = &said.text };
    EXPECT(view_scan(v, &call, backwards, 3, 0, INT64_MAX, say_rows, &x, NULL) == OK);
    EXPECT_STR(said_end(&said, w), "m{i=\"5\"}: 0=5\nm{i=\"4\"}: 0=4\nm{i=\"3\"}: 0=3\n");
    store_view_close(v);
}

static void a_sink_that_says_no_stops_the_scan(struct waist *w)
{
    struct call call = waist_call(w);
    struct series_set set;
    for (int i = 0; i < 6; i++) put(w, arena_printf(&w->arena, "m i=%d", i).p, T0, i);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK);
    struct seen s = { .stop_after = 2 };
    EXPECT(view_scan(v, &call, set.at, set.n, 0, INT64_MAX, note_series, &s, NULL) == ERR_EXEC && s.n == 2);
    store_view_close(v);
}

/* ---- selecting ---- */

static void put_four(struct waist *w)
{
    put(w, "up job=api host=a1", T0, 1);
    put(w, "up job=api host=b2", T0, 2);
    put(w, "up job=db", T0, 3);
    put(w, "down job=db host=a1", T0, 4);
}

static void matchers_select(struct waist *w)
{
    put_four(w);
    EXPECT_STR(rows(w, "job=db"), "down{host=\"a1\", job=\"db\"}: 0=4\nup{job=\"db\"}: 0=3\n");
    EXPECT_STR(rows(w, "job!=db host=b2"), "up{host=\"b2\", job=\"api\"}: 0=2\n");
    EXPECT_STR(rows(w, "host=~[ab].* __name__=up"),
               "up{host=\"a1\", job=\"api\"}: 0=1\nup{host=\"b2\", job=\"api\"}: 0=2\n");
    EXPECT_STR(rows(w, "host!~a.* __name__=up"), "up{host=\"b2\", job=\"api\"}: 0=2\nup{job=\"db\"}: 0=3\n");
    EXPECT_STR(rows(w, "job=~a"), "");
    EXPECT_STR(rows(w, "job=nosuch"), "");
    EXPECT_STR(rows(w, "nosuch=x"), "");
}

static void a_missing_label_has_the_empty_value(struct waist *w)
{
    put_four(w);
    EXPECT_STR(rows(w, "host="), "up{job=\"db\"}: 0=3\n");
    EXPECT_STR(rows(w, "host!= job=db"), "down{host=\"a1\", job=\"db\"}: 0=4\n");
    EXPECT_STR(rows(w, "host=~|b2 __name__=up"), "up{host=\"b2\", job=\"api\"}: 0=2\nup{job=\"db\"}: 0=3\n");
    EXPECT_STR(rows(w, "host=~.+ job=db"), "down{host=\"a1\", job=\"db\"}: 0=4\n");
    EXPECT_STR(rows(w, "nosuch= job=db host="), "up{job=\"db\"}: 0=3\n");
}

static void names_are_labels_too(struct waist *w)
{
    put_four(w);
    EXPECT_STR(rows(w, "__name__=~d.*|x"), "down{host=\"a1\", job=\"db\"}: 0=4\n");
    EXPECT_STR(rows(w, "__name__!=up"), "down{host=\"a1\", job=\"db\"}: 0=4\n");
}

static void a_limit_of_series_says_when_it_cut(struct waist *w)
{
    struct call call = waist_call(w);
    struct series_set set;
    put_four(w);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 3, &set, NULL) == OK && set.n == 3 && set.truncated);
    EXPECT(view_series(v, &call, NULL, 0, 4, &set, NULL) == OK && set.n == 4 && !set.truncated);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, NULL) == OK && set.n == 4 && !set.truncated);
    store_view_close(v);
}

static void label_names_and_values_are_sorted_and_unique(struct waist *w)
{
    put_four(w);
    EXPECT_STR(label_names(w, "", 0), "__name__ host job");
    EXPECT_STR(label_names(w, "host=", 0), "__name__ job");
    EXPECT_STR(label_names(w, "", 2), "__name__ host");
    EXPECT_STR(label_values(w, "job", "", 0), "api db");
    EXPECT_STR(label_values(w, "__name__", "job=db", 0), "down up");
    EXPECT_STR(label_values(w, "host", "__name__=up", 0), "a1 b2");
    EXPECT_STR(label_values(w, "host", "", 1), "a1");
    EXPECT_STR(label_values(w, "nosuch", "", 0), "");
    EXPECT_STR(label_values(w, "host", "job=nosuch", 0), "");
}

static void a_view_has_the_series_of_its_days(struct waist *w)
{
    put(w, "m day=1", T0, 1);
    put(w, "m day=2", T0 + WAIST_DAY_MS, 2);
    put(w, "m day=5", T0 + 4 * WAIST_DAY_MS, 5);
    EXPECT_STR(label_values(w, "day", "", 0), "1 2 5");
    EXPECT_STR(label_values_between(w, "day", "", 0, T0, T0), "1");
    EXPECT_STR(label_values_between(w, "day", "__name__=m", 0, T0 + WAIST_DAY_MS, T0 + 4 * WAIST_DAY_MS),
               "2 5");
    EXPECT_STR(rows_between(w, "", T0 + 2 * WAIST_DAY_MS, T0 + 3 * WAIST_DAY_MS), "");
}

/* ---- what is refused ---- */

static void times_from_1970_to_9999_are_taken(struct waist *w)
{
    put(w, "m", 0, 1);
    put(w, "m", 1, 2);
    put(w, "m", 253402300799999, 3);
    EXPECT(w->result.samples == 1 && w->result.rejected_total == 0);
    EXPECT_STR(rows(w, ""), "m: -1700000000000=1 -1699999999999=2 251702300799999=3\n");
    EXPECT_STR(rows_between(w, "", 0, 0), "m: -1700000000000=1\n");
}

static void rows_out_of_time_are_refused_and_counted_the_rest_is_kept(struct waist *w)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of("m job=x", &w->arena));
    batch_sample(&b, -1, 1);
    batch_sample(&b, T0, 2);
    batch_sample(&b, INT64_MAX, 3);
    batch_sample(&b, INT64_MIN, 3);
    waist_write(w, &b);
    EXPECT(w->result.samples == 1 && w->result.rejected_total == 3 && w->result.why[0] != 0);
    EXPECT(w->result.rejected[REJECT_too_old] == 2 && w->result.rejected[REJECT_future] == 1);
    EXPECT_STR(rows(w, ""), "m{job=\"x\"}: 0=2\n");
}

static void bad_labels_are_refused_and_counted_the_rest_is_kept(struct waist *w)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series(&b, STR("\x08__name__\x01m\x01x\x02\xff\xfe")); /* not UTF-8 */
    batch_sample(&b, T0, 1);
    batch_sample(&b, T0 + 1, 1);
    batch_series(&b, STR("\x01x\x01")); /* cut off */
    batch_sample(&b, T0, 1);
    batch_series_labels(&b, labels_of("good", &w->arena));
    batch_sample(&b, T0, 2);
    waist_write(w, &b);
    EXPECT(w->result.samples == 1 && w->result.rejected_total == 3);
    EXPECT(w->result.rejected[REJECT_utf8] == 2 && w->result.rejected[REJECT_labels] == 1);
    EXPECT_STR(rows(w, ""), "good: 0=2\n");
}

static void an_empty_batch_is_fine(struct waist *w)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    waist_write(w, &b);
    EXPECT(w->result.samples == 0 && w->result.rejected_total == 0);
    EXPECT_STR(rows(w, ""), "");
}

/* ---- one moment ---- */

static void a_view_sees_one_moment(struct waist *w)
{
    put(w, "m i=1", T0, 1);
    put(w, "m i=1", T0 + 1, 1);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    put(w, "m i=1", T0, 9);
    put(w, "m i=1", T0 + 2, 9);
    const char *then = "m{i=\"1\"}: 0=1 1=1\n";
    EXPECT_STR(view_rows_text(w, v, "i=1", 0, INT64_MAX), then);
    waist_admin(w, STORE_FLUSH);
    EXPECT_STR(view_rows_text(w, v, "i=1", 0, INT64_MAX), then);
    put(w, "m i=1", T0 + 1, 10);
    waist_admin(w, STORE_FLUSH);
    waist_admin(w, STORE_MERGE);
    waist_admin(w, STORE_RETAIN);
    EXPECT_STR(view_rows_text(w, v, "i=1", 0, INT64_MAX), then);
    store_view_close(v);
    EXPECT_STR(rows(w, ""), "m{i=\"1\"}: 0=9 1=10 2=9\n");
}

/* A series that came later may be named, or not; it has no rows. */
static void a_view_has_no_rows_of_later_series(struct waist *w)
{
    put(w, "m i=1", T0, 1);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    put(w, "m i=2", T0, 2);
    waist_admin(w, STORE_FLUSH);
    const char *text = view_rows_text(w, v, "", 0, INT64_MAX);
    EXPECT(strcmp(text, "m{i=\"1\"}: 0=1\n") == 0 || strcmp(text, "m{i=\"1\"}: 0=1\nm{i=\"2\"}:\n") == 0);
    store_view_close(v);
}

static void two_views_see_their_own_moments(struct waist *w)
{
    put(w, "m", T0, 1);
    settle(w);
    struct store_view *a = waist_view(w, 0, INT64_MAX);
    put(w, "m", T0 + 1, 2);
    struct store_view *b = waist_view(w, 0, INT64_MAX);
    put(w, "m", T0 + 2, 3);
    EXPECT_STR(view_rows_text(w, a, "", 0, INT64_MAX), "m: 0=1\n");
    EXPECT_STR(view_rows_text(w, b, "", 0, INT64_MAX), "m: 0=1 1=2\n");
    store_view_close(a);
    EXPECT_STR(view_rows_text(w, b, "", 0, INT64_MAX), "m: 0=1 1=2\n");
    store_view_close(b);
    EXPECT_STR(rows(w, ""), "m: 0=1 1=2 2=3\n");
}

static const char *look_at_rows(struct waist *w, struct store_view *v)
{
    return view_rows_text(w, v, "", 0, INT64_MAX);
}

static void threads_share_a_view_while_the_store_changes(struct waist *w)
{
    struct onlooker at[2];
    for (int i = 0; i < 20; i++) put(w, arena_printf(&w->arena, "m i=%d", i % 5).p, T0 + i, i);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    const char *then = look_at_rows(w, v);
    for (int i = 0; i < 2; i++) onlooker_start(&at[i], w, v, then, look_at_rows);
    for (int i = 0; i < 30; i++) {
        put(w, arena_printf(&w->arena, "m i=%d", i % 5).p, T0 + i, -i);
        if (i % 7 == 3) waist_admin(w, STORE_FLUSH);
        if (i % 15 == 14) waist_admin(w, STORE_MERGE);
    }
    for (int i = 0; i < 2; i++) onlooker_stop(&at[i]);
    store_view_close(v);
}

/* ---- struct call ---- */

static int read_all(struct waist *w, struct call *call, struct err *e)
{
    struct series_set set;
    struct seen s = { .n = 0 };
    struct str *at;
    size_t n;
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    int rc = view_series(v, call, NULL, 0, 0, &set, e);
    int names = view_label_names(v, call, NULL, 0, 0, &at, &n, e);
    int values = view_label_values(v, call, STR("job"), NULL, 0, 0, &at, &n, e);
    EXPECT(names == rc && values == rc);
    struct call free_call = waist_call(w);
    if (rc < 0) EXPECT(view_series(v, &free_call, NULL, 0, 0, &set, NULL) == OK);
    EXPECT(view_scan(v, call, set.at, MIN(set.n, (size_t)4), 0, INT64_MAX, note_series, &s, NULL) == rc);
    store_view_close(v);
    return rc;
}

static void a_cancelled_call_says_so(struct waist *w)
{
    atomic_bool cancelled = true;
    struct err e = ERR_INIT;
    struct call call = { .cancelled = &cancelled, .arena = &w->arena };
    put_four(w);
    settle(w);
    EXPECT(read_all(w, &call, &e) == ERR_CANCEL && e.text[0] != 0);
    atomic_store(&cancelled, false);
    EXPECT(read_all(w, &call, &e) == OK);
}

static void a_call_past_its_deadline_says_so(struct waist *w)
{
    struct err e = ERR_INIT;
    struct call call = { .deadline_ns = 1, .arena = &w->arena };
    put_four(w);
    settle(w);
    EXPECT(read_all(w, &call, &e) == ERR_TIMEOUT && e.text[0] != 0);
    call.deadline_ns = clock_mono_ns() + 600 * 1000000000ll;
    EXPECT(read_all(w, &call, &e) == OK);
}

static void a_call_beyond_its_memory_says_so(struct waist *w)
{
    struct arena small = ARENA_INIT(20000);
    struct err e = ERR_INIT;
    struct call call = { .arena = &small };
    struct series_set set;
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    for (int i = 0; i < 3000; i++) {
        batch_series_labels(&b,
                            labels_of(arena_printf(&w->arena, "metric_with_a_name i=%d", i).p, &w->arena));
        batch_sample(&b, T0, i);
    }
    waist_write(w, &b);
    settle(w);
    struct store_view *v = waist_view(w, 0, INT64_MAX);
    EXPECT(view_series(v, &call, NULL, 0, 0, &set, &e) == ERR_LIMIT && e.text[0] != 0);
    store_view_close(v);
    arena_release(&small);
}

/* ---- acknowledgements ---- */

static void count_done(void *ctx, int rc)
{
    atomic_fetch_add((atomic_int *)ctx, rc == OK ? 1 : 1000);
}

static void done_is_called_once_a_write(struct waist *w)
{
    atomic_int done = 0;
    for (int i = 0; i < 20; i++) {
        struct batch b;
        struct write_result r;
        batch_init(&b, &w->arena, LABELS_PACKED);
        batch_series_labels(&b, labels_of("m", &w->arena));
        batch_sample(&b, T0 + i, i);
        EXPECT(store_write(w->store, &b, i % 2 ? ACK_DURABLE : ACK_MEMORY, &r, count_done, &done, NULL) ==
               OK);
        EXPECT(r.samples == 1);
    }
    for (int i = 0; i < 5000 && atomic_load(&done) < 20; i++)
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
    int answers = atomic_load(&done);
    EXPECT_INT(answers, 20);
}

/* ---- exemplars and metadata ---- */

static void put_exemplar(struct waist *w, const char *series, int64_t time_ms, double v, const char *trace)
{
    struct batch b;
    struct buf packed = BUF_INIT(4096);
    struct label l = { STR("trace_id"), str_of(trace) };
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of(series, &w->arena));
    batch_sample(&b, time_ms, v);
    labels_pack(&packed, (struct labels){ &l, 1 });
    batch_exemplar(&b, time_ms, v, arena_str(&w->arena, buf_view(&packed)));
    buf_release(&packed);
    waist_write(w, &b);
}

static int by_series_and_time(const void *x, const void *y)
{
    const struct exemplar *a = x, *b = y;
    int c = labels_cmp(a->series, b->series);
    return c ? c : (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
}

static const char *exemplars(struct waist *w, const char *matchers, int64_t from_ms, int64_t to_ms)
{
    struct matcher_list m = matchers_of(matchers);
    struct call call = waist_call(w);
    struct exemplar *at;
    struct said said = said_new();
    size_t n;
    settle(w);
    struct store_view *v = waist_view(w, from_ms, to_ms);
    EXPECT(view_exemplars(v, &call, m.at, m.n, &at, &n, NULL) == OK);
    qsort(at, n, sizeof *at, by_series_and_time);
    for (size_t i = 0; i < n; i++) {
        struct str trace = labels_get(at[i].labels, "trace_id");
        labels_print(&said.text, at[i].series);
        buf_printf(&said.text, " %lld=%g %.*s;", (long long)(at[i].time_ms - T0), at[i].value,
                   STR_ARG(trace));
    }
    store_view_close(v);
    matchers_release(&m);
    return said_end(&said, w);
}

static void exemplars_come_back(struct waist *w)
{
    if ((w->store->ops->caps(w->store) & STORE_HAS_EXEMPLARS) == 0) return;
    put_exemplar(w, "h le=1", T0, 0.5, "aa");
    put_exemplar(w, "h le=5", T0 + 10, 3, "bb");
    put_exemplar(w, "h le=1", T0 + 20, 0.7, "cc");
    put_exemplar(w, "h le=1", T0 + 20, 0.7, "cc"); /* known already */
    EXPECT(w->result.exemplars == 1 && w->result.rejected_total == 0);
    EXPECT_STR(exemplars(w, "", 0, INT64_MAX),
               "h{le=\"1\"} 0=0.5 aa;h{le=\"1\"} 20=0.7 cc;h{le=\"5\"} 10=3 bb;");
    EXPECT_STR(exemplars(w, "le=5", 0, INT64_MAX), "h{le=\"5\"} 10=3 bb;");
    EXPECT_STR(exemplars(w, "", T0 + 10, T0 + 20), "h{le=\"1\"} 20=0.7 cc;h{le=\"5\"} 10=3 bb;");
    EXPECT_STR(exemplars(w, "", T0 + 11, T0 + 19), "");
}

static void bad_exemplars_are_refused_their_sample_is_kept(struct waist *w)
{
    struct batch b;
    if ((w->store->ops->caps(w->store) & STORE_HAS_EXEMPLARS) == 0) return;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_series_labels(&b, labels_of("m", &w->arena));
    batch_sample(&b, T0, 1);
    batch_exemplar(&b, T0, 1, STR("\x7fnot packed"));
    waist_write(w, &b);
    EXPECT(w->result.samples == 1 && w->result.rejected[REJECT_exemplar] == 1);
    EXPECT_STR(rows(w, ""), "m: 0=1\n");
    EXPECT_STR(exemplars(w, "", 0, INT64_MAX), "");
}

static void put_metadata(struct waist *w, const char *family, const char *type, const char *help,
                         const char *unit)
{
    struct batch b;
    batch_init(&b, &w->arena, LABELS_PACKED);
    batch_metadata(&b, str_of(family), str_of(type), str_of(help), str_of(unit));
    waist_write(w, &b);
    EXPECT(w->result.metadata == 1);
}

static const char *metadata(struct waist *w, const char *family, size_t limit)
{
    struct call call = waist_call(w);
    struct metadata *at;
    struct said said = said_new();
    size_t n;
    settle(w);
    EXPECT(store_metadata(w->store, &call, str_of(family), limit, &at, &n, NULL) == OK);
    for (size_t i = 0; i < n; i++)
        buf_printf(&said.text, "%.*s/%.*s/%.*s/%.*s;", STR_ARG(at[i].family), STR_ARG(at[i].type),
                   STR_ARG(at[i].help), STR_ARG(at[i].unit));
    return said_end(&said, w);
}

static void metadata_says_what_was_said_last_field_by_field(struct waist *w)
{
    put_metadata(w, "up", "gauge", "Is it up?", "");
    put_metadata(w, "bytes", "counter", "Sent.", "bytes");
    put_metadata(w, "up", "", "Up or not.", "");
    EXPECT_STR(metadata(w, "", 0), "bytes/counter/Sent./bytes;up/gauge/Up or not./;");
    EXPECT_STR(metadata(w, "up", 0), "up/gauge/Up or not./;");
    EXPECT_STR(metadata(w, "", 1), "bytes/counter/Sent./bytes;");
    EXPECT_STR(metadata(w, "nosuch", 0), "");
}

/* ---- the store as a whole ---- */

static void status_counts_what_was_kept(struct waist *w)
{
    struct store_status st;
    put_four(w);
    put(w, "up job=db", T0 + 5000, 3);
    store_status(w->store, &st);
    EXPECT(st.samples_ingested == 5 && st.series_active == 4 && !st.read_only);
    EXPECT(st.head_rows + st.rows_on_disk >= 5);
    settle(w);
    store_status(w->store, &st);
    EXPECT(st.min_time_ms == T0 && st.max_time_ms == T0 + 5000 && st.head_rows + st.rows_on_disk >= 5);
}

static void administration_of_an_empty_store_is_fine(struct waist *w)
{
    waist_admin(w, STORE_MERGE);
    waist_admin(w, STORE_FLUSH);
    waist_admin(w, STORE_MERGE);
    waist_admin(w, STORE_RETAIN);
    put(w, "up", T0, 1);
    waist_admin(w, STORE_RETAIN);
    EXPECT_STR(rows(w, ""), "up: 0=1\n");
}

static void a_snapshot_opens_as_a_store(struct waist *w)
{
    char copy[400];
    struct err e = ERR_INIT;
    put_four(w);
    snprintf(copy, sizeof copy, "%s.snapshot", w->dir);
    int rc = store_admin(w->store, STORE_SNAPSHOT, copy, &e);
    if (rc == ERR_UNSUPPORTED) return;
    EXPECT(rc == OK);
    put(w, "up job=db", T0, 99);
    struct waist other = *w;
    other.state = IN_MEMORY;
    other.store = w->kind->open(copy);
    EXPECT_STR(rows(&other, "job=db"), "down{host=\"a1\", job=\"db\"}: 0=4\nup{job=\"db\"}: 0=3\n");
    store_close(other.store);
    w->arena = other.arena;
    EXPECT_STR(rows(w, "job=db __name__=up"), "up{job=\"db\"}: 0=99\n");
}

static void what_there_is_most_of(struct waist *w)
{
    struct call call = waist_call(w);
    struct name_count *at;
    size_t n;
    if (w->store->ops->top == NULL) return;
    put_four(w);
    EXPECT(store_top(w->store, &call, "series_by_metric", 0, &at, &n, NULL) == OK && n == 2);
    EXPECT(str_is(at[0].name, "up") && at[0].n == 3 && str_is(at[1].name, "down") && at[1].n == 1);
    EXPECT(store_top(w->store, &call, "values_by_label", 1, &at, &n, NULL) == OK && n == 1 && at[0].n == 2);
    EXPECT(store_top(w->store, &call, "series_by_pair", 0, &at, &n, NULL) == OK && n >= 4 && at[0].n == 3);
    EXPECT(store_top(w->store, &call, "nosuch", 0, &at, &n, NULL) == ERR_RANGE);
}

static void changes_are_told_and_never_too_late(struct waist *w)
{
    uint64_t before, after;
    put(w, "m", T0, 1);
    store_changed_since(w->store, 0, &before);
    put(w, "m", T0 + 5000, 1);
    put(w, "m", T0 + 9000, 1);
    EXPECT(store_changed_since(w->store, before, &after) <= T0 + 5000);
    put(w, "m", T0 - 70000, 1);
    EXPECT(store_changed_since(w->store, after, &after) <= T0 - 70000);
    EXPECT(store_changed_since(w->store, before, &after) <= T0 - 70000);
}

static const struct waist_case sample_cases[] = {
    { WAIST(an_empty_store_has_nothing) },
    { WAIST(a_sample_comes_back) },
    { WAIST(ranges_are_closed_at_both_ends) },
    { WAIST(a_window_without_rows_delivers_the_series_empty) },
    { WAIST(rows_come_in_rising_time_however_they_were_written) },
    { WAIST(of_equal_times_the_row_written_last_wins) },
    { WAIST(of_equal_times_in_one_batch_the_last_wins) },
    { WAIST(of_a_float_and_a_histogram_at_one_time_one_stays) },
    { WAIST(late_rows_find_their_place) },
    { WAIST(odd_numbers_come_back_as_they_are) },
    { WAIST(stale_markers_are_ordinary_rows) },
    { WAIST(many_rows_of_a_series) },
    { WAIST(many_series) },
    { WAIST(long_labels) },
    { WAIST(rows_of_several_days) },
    { WAIST(a_histogram_comes_back_whole) },
    { WAIST(a_histogram_of_custom_bounds_comes_back_whole) },
    { WAIST(histograms_and_floats_share_a_series) },
    { WAIST(start_times_are_kept) },
    { WAIST(series_are_delivered_in_the_order_given) },
    { WAIST(a_sink_that_says_no_stops_the_scan) },
    { WAIST(matchers_select) },
    { WAIST(a_missing_label_has_the_empty_value) },
    { WAIST(names_are_labels_too) },
    { WAIST(a_limit_of_series_says_when_it_cut) },
    { WAIST(label_names_and_values_are_sorted_and_unique) },
    { WAIST(a_view_has_the_series_of_its_days) },
    { WAIST(times_from_1970_to_9999_are_taken) },
    { WAIST(rows_out_of_time_are_refused_and_counted_the_rest_is_kept) },
    { WAIST(bad_labels_are_refused_and_counted_the_rest_is_kept) },
    { WAIST(an_empty_batch_is_fine) },
    { WAIST(a_view_sees_one_moment) },
    { WAIST(a_view_has_no_rows_of_later_series) },
    { WAIST(two_views_see_their_own_moments) },
    { WAIST(threads_share_a_view_while_the_store_changes) },
    { WAIST(a_cancelled_call_says_so) },
    { WAIST(a_call_past_its_deadline_says_so) },
    { WAIST(a_call_beyond_its_memory_says_so) },
    { WAIST(done_is_called_once_a_write) },
    { WAIST(exemplars_come_back) },
    { WAIST(bad_exemplars_are_refused_their_sample_is_kept) },
    { WAIST(metadata_says_what_was_said_last_field_by_field) },
    { WAIST(status_counts_what_was_kept) },
    { WAIST(administration_of_an_empty_store_is_fine) },
    { WAIST(a_snapshot_opens_as_a_store) },
    { WAIST(what_there_is_most_of) },
    { WAIST(changes_are_told_and_never_too_late) },
};
