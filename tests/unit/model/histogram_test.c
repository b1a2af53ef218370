#include "model/histogram.h"

#include "unit/test.h"

static struct arena arena = ARENA_INIT(64 << 20);
static struct err e;

static struct hist_span pos_spans[] = { { -2, 2 }, { 3, 1 } }, neg_spans[] = { { 0, 1 } };
static double pos[] = { 1, 2, 3.5 }, neg[] = { 4 };

static struct histogram exponential(void)
{
    return (struct histogram){ .schema = 3,
                               .reset = HIST_RESET_NO,
                               .zero_threshold = 1e-128,
                               .zero_count = 2,
                               .count = 12.5,
                               .sum = -7.25,
                               .n_pos_spans = 2,
                               .n_neg_spans = 1,
                               .n_pos = 3,
                               .n_neg = 1,
                               .pos_spans = pos_spans,
                               .neg_spans = neg_spans,
                               .pos = pos,
                               .neg = neg };
}

static struct hist_span custom_spans[] = { { 0, 3 } };
static double custom_counts[] = { 1, 2, 3 }, custom_bounds[] = { 0.5, 1 };

static struct histogram custom(void)
{
    return (struct histogram){ .schema = HISTOGRAM_CUSTOM,
                               .count = 6,
                               .sum = 4,
                               .n_pos_spans = 1,
                               .n_pos = 3,
                               .n_custom = 2,
                               .pos_spans = custom_spans,
                               .pos = custom_counts,
                               .custom = custom_bounds };
}

static bool same(const struct histogram *a, const struct histogram *b)
{
    return histogram_same_layout(a, b) && a->reset == b->reset &&
           double_bits(a->sum) == double_bits(b->sum) && double_bits(a->count) == double_bits(b->count) &&
           double_bits(a->zero_count) == double_bits(b->zero_count) &&
           memcmp(a->pos, b->pos, a->n_pos * 8) == 0 &&
           (a->n_neg == 0 || memcmp(a->neg, b->neg, a->n_neg * 8) == 0);
}

TEST(histogram_pack_is_exact_to_the_bit)
{
    struct histogram all[] = { exponential(), custom(), { .schema = 0, .sum = double_of(STALE_BITS) } };
    for (size_t i = 0; i < 3; i++) {
        struct buf b = BUF_INIT(10000);
        struct histogram *back;
        histogram_pack(&b, &all[i]);
        EXPECT(histogram_unpack(buf_view(&b), &arena, &back, &e) == OK);
        EXPECT(i == 2 ? is_stale(back->sum) : same(&all[i], back));
        buf_release(&b);
    }
}

TEST(histogram_copy_shares_nothing)
{
    struct histogram h = exponential(), *c = histogram_copy(&h, &arena);
    EXPECT(same(&h, c) && c->pos != h.pos && c->pos_spans != h.pos_spans);
    c->pos_spans[1].offset++;
    EXPECT(!histogram_same_layout(&h, c));
}

TEST(histogram_unpack_refuses_every_cut_and_every_wrong_size)
{
    struct histogram h = exponential(), *back;
    struct buf b = BUF_INIT(10000);
    histogram_pack(&b, &h);
    for (size_t n = 0; n < b.n; n++)
        EXPECT(histogram_unpack(str_make(b.p, n), &arena, &back, &e) == ERR_CORRUPT);
    size_t used = arena.used;
    for (size_t at = 37; at < 57; at++) { /* the five counts */
        char old = b.p[at];
        b.p[at] ^= 0x55;
        EXPECT(histogram_unpack(buf_view(&b), &arena, &back, &e) == ERR_CORRUPT);
        b.p[at] = old;
    }
    EXPECT(arena.used == used); /* refused before anything was taken */
    buf_char(&b, 0);
    EXPECT(histogram_unpack(buf_view(&b), &arena, &back, NULL) == ERR_CORRUPT);
    buf_release(&b);
}

static void refused(struct histogram h, const char *why)
{
    e = (struct err)ERR_INIT;
    int rc = histogram_check(&h, &e);
    if (rc == OK || strstr(e.text, why) == NULL) printf("%d %s, wanted: %s\n", rc, e.text, why);
    EXPECT(rc < 0 && strstr(e.text, why) != NULL);
    EXPECT(histogram_check(&h, NULL) == rc);
}

TEST(histogram_check_takes_what_is_well_formed)
{
    struct histogram h = exponential();
    EXPECT(histogram_check(&h, &e) == OK);
    h.count = 1; /* below the sum of its buckets: float histograms may */
    EXPECT(histogram_check(&h, &e) == OK);
    h = custom();
    EXPECT(histogram_check(&h, &e) == OK);
    h = (struct histogram){ .schema = 8 };
    EXPECT(histogram_check(&h, &e) == OK);
    h = (struct histogram){ .schema = HISTOGRAM_CUSTOM };
    EXPECT(histogram_check(&h, &e) == OK);
}

TEST(histogram_check_refuses_broken_shapes)
{
    struct histogram h = exponential();
    struct hist_span back[] = { { -2, 2 }, { -1, 1 } }, far[] = { { INT32_MAX, 2 }, { 0, 1 } },
                     many[] = { { 0, UINT32_MAX }, { 0, 4 } };
    double negative[] = { 1, -2, 3 };

    h.schema = 9, refused(h, "schema 9");
    h.schema = -5, refused(h, "schema -5");
    h = exponential(), h.n_pos = 2, refused(h, "spans name 3 buckets");
    h = exponential(), h.pos_spans = back, refused(h, "span 1 has the negative gap -1");
    h = exponential(), h.pos_spans = far, refused(h, "too large");
    h = exponential(), h.pos_spans = many, refused(h, "positive");
    h = exponential(), h.pos = negative, refused(h, "bucket 1 has the negative count -2");
    h = exponential(), h.count = -1, refused(h, "count -1");
    h = exponential(), h.zero_count = -1, refused(h, "zero bucket");
    h = exponential(), h.zero_threshold = -1, refused(h, "threshold");
    h = exponential(), h.zero_threshold = NAN, refused(h, "threshold");
    h = exponential(), h.n_custom = 2, h.custom = custom_bounds, refused(h, "custom bounds");
    h = exponential(), h.n_pos_spans = HISTOGRAM_SPANS_MAX + 1, refused(h, "spans");
    h = exponential(), h.n_neg = HISTOGRAM_BUCKETS_MAX + 1, refused(h, "buckets");
    h = exponential(), h.reset = 9, refused(h, "reset");
}

TEST(histogram_check_refuses_broken_custom_buckets)
{
    struct histogram h = custom();
    double equal[] = { 1, 1 }, endless[] = { 1, INFINITY };
    struct hist_span below[] = { { -1, 3 } }, beyond[] = { { 1, 3 } };

    h.n_neg = 1, h.n_neg_spans = 1, h.neg = neg, h.neg_spans = neg_spans, refused(h, "negative buckets");
    h = custom(), h.zero_count = 1, refused(h, "zero bucket");
    h = custom(), h.custom = equal, refused(h, "not above");
    h = custom(), h.custom = endless, refused(h, "not finite");
    h = custom(), h.pos_spans = below, refused(h, "below 0");
    h = custom(), h.pos_spans = beyond, refused(h, "bucket 3 with 2 custom bounds");
    arena_release(&arena);
}

TESTS(CASE(histogram_pack_is_exact_to_the_bit), CASE(histogram_copy_shares_nothing),
      CASE(histogram_unpack_refuses_every_cut_and_every_wrong_size),
      CASE(histogram_check_takes_what_is_well_formed), CASE(histogram_check_refuses_broken_shapes),
      CASE(histogram_check_refuses_broken_custom_buckets))
