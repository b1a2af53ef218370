#include "decode/prom_write.h"

#include "base/check.h"
#include "unit/decode/wire.h"
#include "unit/test.h"

#define MIB ((size_t)1 << 20)

/* One decoded message with all that belongs to it. */
struct got {
    struct arena arena;
    struct batch batch;
    struct write_result refused;
    struct err err;
    int rc;
};

static const struct decode_limits limits = DECODE_LIMITS_DEFAULT;

static struct got *decode_within(struct str body, const struct decode_limits *l, size_t memory)
{
    struct got *g = calloc(1, sizeof *g);
    g->arena = (struct arena)ARENA_INIT(memory);
    g->rc = prom_write_v1(body, l, &g->arena, &g->batch, &g->refused, &g->err);
    return g;
}

static struct got *decode(struct wire *w)
{
    return decode_within(wire_str(w), &limits, 64 * MIB);
}

static void done(struct got *g, struct wire *w)
{
    arena_release(&g->arena);
    free(g);
    if (w != NULL) wire_free(w);
}

static void label(struct wire *series, const char *name, const char *value)
{
    struct wire l = { 0 };
    wire_text(&l, 1, name);
    wire_text(&l, 2, value);
    wire_message(series, 1, &l);
}

static void sample(struct wire *series, double value, int64_t ms)
{
    struct wire s = { 0 };
    wire_double(&s, 1, value);
    wire_varint(&s, 2, (uint64_t)ms);
    wire_message(series, 2, &s);
}

static void expect_label(struct got *g, size_t i, const char *name, const char *value)
{
    struct labels l;
    EXPECT(labels_from(g->batch.spelling, g->batch.series[i].raw, &g->arena, &l, &g->err) == OK);
    EXPECT(str_is(labels_get(l, name), value));
}

TEST(prom_write_keeps_series_samples_and_metadata)
{
    struct wire w = { 0 }, ts = { 0 }, m = { 0 };
    label(&ts, "__name__", "up");
    label(&ts, "job", "node");
    sample(&ts, 1, 1700000000000);
    sample(&ts, 0, 1700000015000);
    wire_message(&w, 1, &ts);
    label(&ts, "__name__", "down");
    sample(&ts, -2.5, 1700000000001);
    wire_message(&w, 1, &ts);
    wire_varint(&m, 1, 2);
    wire_text(&m, 2, "up");
    wire_text(&m, 4, "Whether it is up.");
    wire_text(&m, 5, "bool");
    wire_message(&w, 3, &m);

    struct got *g = decode(&w);
    const struct batch *b = &g->batch;
    EXPECT(g->rc == OK && b->spelling == LABELS_PROTO && b->n_series == 2 && b->n_rows == 3);
    EXPECT(b->series[0].row == 0 && b->series[0].n_rows == 2 && b->series[1].row == 2 &&
           b->series[1].n_rows == 1);
    EXPECT(b->time_ms[0] == 1700000000000 && b->time_ms[1] == 1700000015000 &&
           b->time_ms[2] == 1700000000001);
    EXPECT(b->value[0] == 1 && b->value[1] == 0 && b->value[2] == -2.5);
    EXPECT(b->hist == NULL && b->start_ms == NULL && g->refused.rejected_total == 0);
    expect_label(g, 0, "job", "node");
    expect_label(g, 1, "__name__", "down");
    EXPECT(b->n_metadata == 1 && str_is(b->metadata[0].family, "up") && str_is(b->metadata[0].type, "gauge"));
    EXPECT(str_is(b->metadata[0].help, "Whether it is up.") && str_is(b->metadata[0].unit, "bool"));
    done(g, &w);
}

TEST(prom_write_spells_labels_as_they_came)
{
    struct wire w = { 0 }, ts = { 0 }, labels = { 0 };
    label(&ts, "__name__", "up");
    label(&ts, "job", "node");
    wire_raw(&labels, ts.p, ts.n); /* the run, before anything follows */
    sample(&ts, 1, 1);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    struct str raw = g->batch.series[0].raw;
    EXPECT(str_eq(raw, wire_str(&labels)));
    EXPECT((const unsigned char *)raw.p > w.p && (const unsigned char *)raw.p < w.p + w.n); /* not copied */
    EXPECT(hash128_eq(g->batch.series[0].key, hash128_seed(labels.p, labels.n, LABELS_PROTO)));
    wire_free(&labels);
    done(g, &w);
}

TEST(prom_write_gathers_labels_that_are_scattered)
{
    struct wire w = { 0 }, ts = { 0 }, whole = { 0 };
    label(&ts, "__name__", "up");
    sample(&ts, 1, 10);
    label(&ts, "job", "node");
    sample(&ts, 2, 20);
    wire_message(&w, 1, &ts);

    label(&whole, "__name__", "up");
    label(&whole, "job", "node");

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_series == 1 && g->batch.n_rows == 2);
    EXPECT(str_eq(g->batch.series[0].raw, wire_str(&whole)));
    EXPECT(hash128_eq(g->batch.series[0].key, hash128_seed(whole.p, whole.n, LABELS_PROTO)));
    EXPECT(g->batch.series[0].n_rows == 2 && g->batch.value[1] == 2);
    wire_free(&whole);
    done(g, &w);
}

TEST(prom_write_counts_a_bad_histogram_of_scattered_labels_once)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 };
    wire_sint(&h, 4, 99); /* no such schema */
    wire_message(&ts, 4, &h);
    label(&ts, "__name__", "h");
    sample(&ts, 1, 10);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 1);
    EXPECT(g->refused.rejected_total == 1 && g->refused.rejected[REJECT_histogram] == 1);
    done(g, &w);
}

TEST(prom_write_takes_missing_numbers_for_zero)
{
    struct wire w = { 0 }, ts = { 0 }, s = { 0 };
    label(&ts, "__name__", "up");
    wire_message(&ts, 2, &s); /* empty sample: 0 at 1970 */
    wire_message(&w, 1, &ts);
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && g->batch.value[0] == 0 && g->batch.time_ms[0] == 0);
    done(g, &w);
}

TEST(prom_write_keeps_every_bit_of_a_value)
{
    static const uint64_t bits[] = { STALE_BITS,          NAN_BITS, 0x7ff0000000000000u, 0xfff0000000000000u,
                                     0x8000000000000000u, 1 };
    struct wire w = { 0 }, ts = { 0 };
    label(&ts, "__name__", "x");
    for (size_t i = 0; i < COUNT(bits); i++) {
        struct wire s = { 0 };
        wire_num(&s, 9);
        wire_raw(&s, &bits[i], 8);
        wire_varint(&s, 2, i);
        wire_message(&ts, 2, &s);
    }
    wire_message(&w, 1, &ts);
    struct got *g = decode(&w);
    EXPECT(g->batch.n_rows == COUNT(bits));
    EXPECT(memcmp(g->batch.value, bits, sizeof bits) == 0);
    done(g, &w);
}

TEST(prom_write_reads_extreme_times)
{
    static const int64_t times[] = { INT64_MIN, -1, 0, 9, 10, INT64_MAX };
    struct wire w = { 0 }, ts = { 0 };
    label(&ts, "__name__", "x");
    for (size_t i = 0; i < COUNT(times); i++) sample(&ts, 1, times[i]);
    wire_message(&w, 1, &ts);
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && memcmp(g->batch.time_ms, times, sizeof times) == 0);
    done(g, &w);
}

TEST(prom_write_takes_a_message_of_metadata_only)
{
    struct wire w = { 0 }, m = { 0 };
    wire_varint(&m, 1, 3);
    wire_text(&m, 2, "h");
    wire_message(&w, 3, &m);
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 0 && g->batch.n_metadata == 1);
    EXPECT(str_is(g->batch.metadata[0].type, "histogram"));
    done(g, &w);

    g = decode_within(STR(""), &limits, MIB); /* and one of nothing */
    EXPECT(g->rc == OK && g->batch.n_series == 0);
    done(g, NULL);
}

TEST(prom_write_keeps_exemplars_packed)
{
    struct wire w = { 0 }, ts = { 0 }, x = { 0 };
    label(&ts, "__name__", "lat_bucket");
    label(&x, "trace_id", "abc");
    label(&x, "a", "b");
    wire_double(&x, 2, 0.25);
    wire_varint(&x, 3, 77);
    wire_message(&ts, 3, &x);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_series == 1 && g->batch.n_rows == 0 && g->batch.n_exemplars == 1);
    const struct batch_exemplar *e = &g->batch.exemplars[0];
    EXPECT(e->series == 0 && e->time_ms == 77 && e->value == 0.25);
    EXPECT(str_eq(e->labels, STR("\001a\001b\010trace_id\003abc"))); /* sorted, lengths before texts */
    done(g, &w);
}

/* The histogram of the format's own example: deltas 1, 2, -2, 1, -1 mean counts 1, 3, 1, 2, 1. */
static void int_histogram(struct wire *h, uint64_t count)
{
    struct wire span = { 0 };
    wire_varint(h, 1, count);
    wire_double(h, 3, 18.4);
    wire_sint(h, 4, 1);
    wire_double(h, 5, 0.001);
    wire_varint(h, 6, 2);
    wire_sint(&span, 1, -3);
    wire_varint(&span, 2, 2);
    wire_message(h, 11, &span);
    wire_sint(&span, 1, 4);
    wire_varint(&span, 2, 3);
    wire_message(h, 11, &span);
    wire_bytes(h, 12, "\x02\x04\x03\x02\x01", 5); /* zigzag of 1, 2, -2, 1, -1 */
    wire_varint(h, 14, 2);
    wire_varint(h, 15, 1234);
}

TEST(prom_write_turns_deltas_into_counts)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 };
    label(&ts, "__name__", "lat");
    sample(&ts, 5, 1000);
    int_histogram(&h, 10);
    wire_message(&ts, 4, &h);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 2 && g->batch.hist[0] == NULL);
    const struct histogram *got = g->batch.hist[1];
    EXPECT(g->batch.time_ms[1] == 1234 && g->batch.value[1] == 18.4 && got->count == 10 &&
           got->zero_count == 2);
    EXPECT(got->schema == 1 && got->zero_threshold == 0.001 && got->reset == HIST_RESET_NO);
    EXPECT(got->n_pos_spans == 2 && got->pos_spans[0].offset == -3 && got->pos_spans[0].length == 2);
    EXPECT(got->pos_spans[1].offset == 4 && got->pos_spans[1].length == 3 && got->n_pos == 5 &&
           got->n_neg == 0);
    static const double counts[] = { 1, 3, 1, 2, 1 };
    EXPECT(memcmp(got->pos, counts, sizeof counts) == 0);
    done(g, &w);
}

TEST(prom_write_reads_float_and_custom_histograms)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 }, span = { 0 };
    const double counts[] = { 0.5, 2.5 }, bounds[] = { 0.1, 1, 10 };
    label(&ts, "__name__", "lat");

    wire_double(&h, 2, 4);
    wire_double(&h, 3, 1);
    wire_double(&h, 7, 1);
    wire_varint(&span, 2, 2);
    wire_message(&h, 8, &span);
    wire_bytes(&h, 10, counts, sizeof counts);
    wire_message(&ts, 4, &h);

    wire_double(&h, 2, 3);
    wire_sint(&h, 4, -53);
    wire_sint(&span, 1, 1);
    wire_varint(&span, 2, 2);
    wire_message(&h, 11, &span);
    wire_double(&h, 13, 0.5); /* repeated, unpacked */
    wire_double(&h, 13, 2.5);
    wire_bytes(&h, 16, bounds, sizeof bounds);
    wire_message(&ts, 4, &h);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 2 && g->refused.rejected_total == 0);
    const struct histogram *a = g->batch.hist[0], *c = g->batch.hist[1];
    EXPECT(a->count == 4 && a->zero_count == 1 && a->n_neg == 2 &&
           memcmp(a->neg, counts, sizeof counts) == 0);
    EXPECT(c->schema == HISTOGRAM_CUSTOM && c->n_custom == 3 &&
           memcmp(c->custom, bounds, sizeof bounds) == 0);
    EXPECT(c->n_pos == 2 && memcmp(c->pos, counts, sizeof counts) == 0);
    done(g, &w);
}

TEST(prom_write_keeps_the_stale_marker_of_a_histogram)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 };
    uint64_t stale = STALE_BITS;
    label(&ts, "__name__", "lat");
    wire_num(&h, 3 * 8 + 1);
    wire_raw(&h, &stale, 8);
    wire_varint(&h, 15, 5);
    wire_message(&ts, 4, &h);
    wire_message(&w, 1, &ts);
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && is_stale(g->batch.value[0]) &&
           is_stale(g->batch.hist[0]->sum));
    done(g, &w);
}

TEST(prom_write_refuses_bad_histograms_and_keeps_the_rest)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 };
    label(&ts, "__name__", "lat");
    label(&ts, "job", "x");
    int_histogram(&h, 11); /* one more than its buckets hold */
    wire_message(&ts, 4, &h);
    wire_sint(&h, 4, 77); /* no such schema */
    wire_message(&ts, 4, &h);
    wire_double(&h, 2, 1); /* float count, integer buckets */
    wire_bytes(&h, 12, "\x02", 1);
    wire_message(&ts, 4, &h);
    wire_bytes(&h, 12, "\x02\x04", 2); /* buckets, but no span */
    wire_message(&ts, 4, &h);
    sample(&ts, 1, 1);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && g->batch.value[0] == 1);
    EXPECT(g->refused.rejected[REJECT_histogram] == 4 && g->refused.rejected_total == 4);
    EXPECT(strstr(g->refused.why, "lat{job=\"x\"}") != NULL && strstr(g->refused.why, "count") != NULL);
    done(g, &w);
}

TEST(prom_write_refuses_what_breaks_a_label_limit_and_keeps_the_rest)
{
    char text[5001];
    memset(text, 'v', 5000);
    text[5000] = 0;
    struct wire w = { 0 }, ts = { 0 };

    label(&ts, "__name__", "long_value"); /* 5000 > 4096 */
    label(&ts, "v", text);
    sample(&ts, 1, 1);
    sample(&ts, 2, 2);
    wire_message(&w, 1, &ts);

    label(&ts, "__name__", "fine"); /* 4096 is allowed */
    label(&ts, "v", text + 5000 - 4096);
    sample(&ts, 3, 3);
    wire_message(&w, 1, &ts);

    label(&ts, "__name__", "long_name"); /* 257 > 256 */
    label(&ts, text + 5000 - 257, "v");
    sample(&ts, 4, 4);
    wire_message(&w, 1, &ts);

    label(&ts, "__name__", "many");
    for (int i = 0; i < 64; i++) { /* with the name 65 > 64 */
        char name[16];
        snprintf(name, sizeof name, "l%02d", i);
        label(&ts, name, "v");
    }
    sample(&ts, 5, 5);
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_series == 1 && g->batch.n_rows == 1 && g->batch.value[0] == 3);
    EXPECT(g->refused.rejected[REJECT_label_limit] == 4 && g->refused.rejected_total == 4);
    EXPECT(strstr(g->refused.why, "long_value") != NULL && strstr(g->refused.why, "4096") != NULL);
    done(g, &w);
}

TEST(prom_write_refuses_a_series_without_labels)
{
    struct wire w = { 0 }, ts = { 0 };
    sample(&ts, 1, 1);
    wire_message(&w, 1, &ts);
    label(&ts, "__name__", "x");
    wire_message(&w, 1, &ts); /* labels and no rows: nothing to keep, nothing to refuse */
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_series == 0 && g->refused.rejected[REJECT_labels] == 1 &&
           g->refused.rejected_total == 1);
    done(g, &w);
}

TEST(prom_write_names_the_place_of_damage)
{
    struct wire w = { 0 }, ts = { 0 };
    label(&ts, "__name__", "x");
    sample(&ts, 1, 1);
    wire_message(&w, 1, &ts);
    label(&ts, "__name__", "y");
    wire_bytes(&ts, 2, "\x09zz", 3); /* a double of two bytes */
    wire_message(&w, 1, &ts);

    struct got *g = decode(&w);
    EXPECT(g->rc == ERR_PARSE);
    /* 2 + 15 + 2 + 11 bytes of the first series with its head, 2 of head, 15 of label, 2 + 1 into the sample
     */
    char want[128];
    size_t first = 2 + (2 + 2 + 8 + 2 + 1) + (2 + 9 + 2);
    snprintf(want, sizeof want, "timeseries[1].samples: byte %zu: 8 bytes wanted, message ends",
             first + 2 + (2 + 2 + 8 + 2 + 1) + 2 + 1);
    EXPECT_STR(g->err.text, want);
    done(g, &w);

    wire_varint(&w, 1, 5); /* timeseries as a number */
    g = decode(&w);
    EXPECT(g->rc == ERR_PARSE && strstr(g->err.text, "wrong wire type") != NULL);
    done(g, &w);
}

TEST(prom_write_survives_being_cut_off_anywhere)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 }, x = { 0 }, m = { 0 };
    label(&ts, "__name__", "lat");
    sample(&ts, 1, 1700000000000);
    label(&x, "trace_id", "abc");
    wire_message(&ts, 3, &x);
    int_histogram(&h, 10);
    wire_message(&ts, 4, &h);
    wire_message(&w, 1, &ts);
    wire_text(&m, 2, "lat");
    wire_message(&w, 3, &m);

    size_t whole_until =
        w.n - 7; /* where the metadata message starts: a cut right there is a whole message */
    for (size_t n = 0; n < w.n; n++) {
        char *exact = malloc(n ? n : 1); /* to the byte, for the sanitizer */
        memcpy(exact, w.p, n);
        struct got *g = decode_within(str_make(exact, n), &limits, 64 * MIB);
        EXPECT(g->rc == (n == 0 || n == whole_until ? OK : ERR_PARSE));
        done(g, NULL);
        free(exact);
    }
    wire_free(&w);
}

TEST(prom_write_keeps_to_its_ceilings)
{
    struct wire w = { 0 }, ts = { 0 };
    struct decode_limits few = limits;
    label(&ts, "__name__", "x");
    for (int i = 0; i < 100; i++) sample(&ts, i, i);
    wire_message(&w, 1, &ts);

    few.rows = 100;
    struct got *g = decode_within(wire_str(&w), &few, MIB);
    EXPECT(g->rc == OK && g->batch.n_rows == 100);
    done(g, NULL);
    few.rows = 99;
    g = decode_within(wire_str(&w), &few, MIB);
    EXPECT(g->rc == ERR_LIMIT && strstr(g->err.text, "99") != NULL);
    done(g, &w);

    /* a million empty samples in two bytes each: memory stops it long before */
    label(&ts, "__name__", "x");
    for (int i = 0; i < 1000000; i++) wire_raw(&ts, "\x12\x00", 2);
    wire_message(&w, 1, &ts);
    g = decode_within(wire_str(&w), &limits, MIB);
    EXPECT(g->rc == ERR_LIMIT && g->arena.used < 8 * MIB);
    done(g, &w);

    /* and so with empty histograms, exemplars and metadata */
    static const char *const empties[] = { "\x22\x00", "\x1a\x00" };
    for (size_t k = 0; k < COUNT(empties); k++) {
        label(&ts, "__name__", "x");
        for (int i = 0; i < 300000; i++) wire_raw(&ts, empties[k], 2);
        wire_message(&w, 1, &ts);
        g = decode_within(wire_str(&w), &limits, MIB);
        EXPECT(g->rc == ERR_LIMIT && g->arena.used < 8 * MIB);
        done(g, &w);
    }
    for (int i = 0; i < 300000; i++) wire_raw(&w, "\x1a\x03\x12\x01m", 5);
    g = decode_within(wire_str(&w), &limits, MIB);
    EXPECT(g->rc == ERR_LIMIT && g->arena.used < 8 * MIB);
    done(g, &w);
}

TEST(prom_write_bounds_the_buckets_of_one_histogram)
{
    struct wire w = { 0 }, ts = { 0 }, h = { 0 }, span = { 0 };
    label(&ts, "__name__", "x");
    wire_varint(&span, 2, 2000000);
    wire_message(&h, 11, &span);
    char *zeros = calloc(1, 2000000);
    wire_bytes(&h, 12, zeros, 2000000); /* two million deltas of 0 */
    wire_bytes(&h, 13, zeros, 2000000);
    wire_bytes(&h, 16, zeros, 2000000);
    free(zeros);
    wire_message(&ts, 4, &h);
    sample(&ts, 1, 1);
    wire_message(&w, 1, &ts);
    struct got *g = decode(&w);
    EXPECT(g->rc == OK && g->batch.n_rows == 1 && g->refused.rejected[REJECT_histogram] == 1);
    EXPECT(g->arena.used < 4 * MIB);
    done(g, &w);
}

TESTS(CASE(prom_write_keeps_series_samples_and_metadata), CASE(prom_write_spells_labels_as_they_came),
      CASE(prom_write_gathers_labels_that_are_scattered),
      CASE(prom_write_counts_a_bad_histogram_of_scattered_labels_once),
      CASE(prom_write_takes_missing_numbers_for_zero), CASE(prom_write_keeps_every_bit_of_a_value),
      CASE(prom_write_reads_extreme_times), CASE(prom_write_takes_a_message_of_metadata_only),
      CASE(prom_write_keeps_exemplars_packed), CASE(prom_write_turns_deltas_into_counts),
      CASE(prom_write_reads_float_and_custom_histograms),
      CASE(prom_write_keeps_the_stale_marker_of_a_histogram),
      CASE(prom_write_refuses_bad_histograms_and_keeps_the_rest),
      CASE(prom_write_refuses_what_breaks_a_label_limit_and_keeps_the_rest),
      CASE(prom_write_refuses_a_series_without_labels), CASE(prom_write_names_the_place_of_damage),
      CASE(prom_write_survives_being_cut_off_anywhere), CASE(prom_write_keeps_to_its_ceilings),
      CASE(prom_write_bounds_the_buckets_of_one_histogram))
