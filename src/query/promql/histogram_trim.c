/* histogram_trim.c - the operators </ and >/: what of a histogram lies below or above a value; and histograms
 * as text.
 *
 * A bucket that is cut is interpolated, the sum is estimated anew from the middles of what is left. Of a
 * bucket without a finite width nothing can be kept in part: it stays whole when its known end is on the kept
 * side, else it goes. The first custom bucket begins at zero when its end is positive. */
#include <math.h>

#include "base/check.h"
#include "base/float.h"
#include "query/promql/histogram_ops.h"

struct cut {
    double at;
    bool below; /* keep what is below */
};

struct rest { /* what is left of a bucket: so much, around there */
    double count, middle;
};

static double share_linear(double lower, double upper, double at)
{
    return (at - lower) / (upper - lower);
}

static double middle_exponential(double lower, double upper)
{
    return copysign(sqrt(lower * upper), upper);
}

static struct rest cut_linear(struct hbucket b, struct cut c)
{
    double share = share_linear(b.lower, b.upper, c.at);
    if (c.below) return (struct rest){ b.count * share, (b.lower + c.at) / 2 };
    return (struct rest){ b.count * (1 - share), (c.at + b.upper) / 2 };
}

static struct rest cut_exponential(struct hbucket b, struct cut c)
{
    double low = log2(fabs(b.lower)), up = log2(fabs(b.upper)), at = log2(fabs(c.at));
    double share = b.lower >= 0 ? (at - low) / (up - low) : 1 - (at - up) / (low - up);
    if (c.below) return (struct rest){ b.count * share, middle_exponential(b.lower, c.at) };
    return (struct rest){ b.count * (1 - share), middle_exponential(c.at, b.upper) };
}

/* (-Inf, upper] or (lower, +Inf]. */
static struct rest cut_infinite(struct hbucket b, struct cut c)
{
    struct rest none = { 0, 0 };
    if (b.lower == -INFINITY && b.upper == INFINITY) return none;
    if (b.upper == INFINITY) return c.below ? none : (struct rest){ b.count, c.at };
    if (b.upper > 0 && c.at >= 0) return cut_linear((struct hbucket){ 0, b.upper, b.count }, c);
    return c.below && b.upper <= 0 ? (struct rest){ b.count, c.at } : none;
}

static double middle_whole(struct hbucket b, bool linear)
{
    if (b.lower == -INFINITY && b.upper == INFINITY) return 0;
    if (b.lower == -INFINITY) return b.upper > 0 ? b.upper / 2 : b.upper;
    if (b.upper == INFINITY) return b.lower;
    return linear ? (b.lower + b.upper) / 2 : middle_exponential(b.lower, b.upper);
}

static struct rest cut_bucket(struct hbucket b, struct cut c, bool linear)
{
    bool whole = c.below ? b.upper <= c.at : b.lower >= c.at;
    bool gone = c.below ? b.lower >= c.at : b.upper <= c.at;
    if (whole) return (struct rest){ b.count, middle_whole(b, linear) };
    if (gone) return (struct rest){ 0, 0 };
    if (isinf(b.lower) || isinf(b.upper)) return cut_infinite(b, c);
    return linear ? cut_linear(b, c) : cut_exponential(b, c);
}

struct trim {
    struct cut cut;
    struct ksum count, sum;
    bool changed;
};

static double trim_one(struct trim *t, struct hbucket b, bool linear)
{
    struct rest r = cut_bucket(b, t->cut, linear);
    if (r.count != b.count) t->changed = true;
    ksum_add(&t->count, r.count);
    if (r.count != 0) ksum_add(&t->sum, r.count * r.middle);
    return r.count;
}

static void trim_side(struct trim *t, const struct hwork *w, struct hside *s, double sign)
{
    for (size_t i = 0; i < s->n; i++) {
        int32_t index = s->index[i];
        struct hbucket b = { 0, 0, s->count[i].s };
        bool custom = w->schema == HISTOGRAM_CUSTOM;
        if (custom) {
            b.lower = index > 0 ? w->custom[index - 1] : -INFINITY;
            b.upper = (uint32_t)index < w->n_custom ? w->custom[index] : INFINITY;
        } else {
            double near = hist_bound(index - 1, w->schema), far = hist_bound(index, w->schema);
            b.lower = sign > 0 ? near : -far;
            b.upper = sign > 0 ? far : -near;
        }
        s->count[i] = (struct ksum){ trim_one(t, b, custom), 0 };
    }
}

static void trim_zero(struct trim *t, struct hwork *w)
{
    struct hbucket b = { -w->zero_threshold, w->zero_threshold, w->zero.s };
    if (w->neg.n == 0 && w->pos.n > 0)
        b.lower = 0;
    else if (w->pos.n == 0 && w->neg.n > 0)
        b.upper = 0;
    if (w->zero.s != 0) w->zero = (struct ksum){ trim_one(t, b, true), 0 };
}

struct histogram *hist_trim(const struct histogram *h, double at, bool keep_below, struct arena *scratch,
                            struct arena *a)
{
    struct hwork w;
    struct trim t = { { at, keep_below }, { 0, 0 }, { 0, 0 }, false };

    hwork_init(&w, scratch, h);
    for (size_t i = 0; hist_is_custom(h) && i < w.pos.n; i++)
        if (w.pos.index[i] < 0 || (uint32_t)w.pos.index[i] > w.n_custom)
            w.pos.count[i].s = 0; /* no such bucket */
    if (!hist_is_custom(h)) trim_zero(&t, &w);
    trim_side(&t, &w, &w.neg, -1);
    trim_side(&t, &w, &w.pos, 1);
    if (t.changed) {
        w.count = t.count;
        w.sum = t.sum;
    }
    return hwork_done(&w, a);
}

/* ---- text ---- */

static void number(struct buf *b, double v)
{
    char text[FLOAT_TEXT_MAX];
    buf_add(b, text, float_text(v, text));
}

struct str hist_text(const struct histogram *h, struct arena *scratch, struct arena *a)
{
    struct buf b = BUF_INIT(1u << 20);
    struct hbucket *buckets;
    size_t n = hist_buckets(h, scratch, &buckets);

    buf_cs(&b, "{count:");
    number(&b, h->count);
    buf_cs(&b, ", sum:");
    number(&b, h->sum);
    for (size_t i = 0; i < n; i++) {
        bool zero = !hist_is_custom(h) && buckets[i].lower <= 0 && buckets[i].upper >= 0;
        bool negative = !hist_is_custom(h) && buckets[i].upper < 0;
        buf_cs(&b, zero || negative ? ", [" : ", (");
        number(&b, buckets[i].lower);
        buf_char(&b, ',');
        number(&b, buckets[i].upper);
        buf_cs(&b, negative ? "):" : "]:");
        number(&b, buckets[i].count);
    }
    buf_char(&b, '}');
    struct str out = arena_str(a, buf_view(&b));
    buf_release(&b);
    return out;
}
