/* histogram_ops.h - arithmetic on native histograms.
 *
 * To be calculated with, a histogram is taken apart into a struct hwork: two sorted lists of (index, count),
 * each count with its compensation (Neumaier), so that large sums lose nothing. hwork_done puts it together
 * again, without empty buckets. Different resolutions meet at the coarser one, different zero buckets at the
 * wider one, different custom bounds at those they share. */
#pragma once
#include "base/arena.h"
#include "model/histogram.h"

struct ksum { /* a compensated sum */
    double s, c;
};

static inline void ksum_add(struct ksum *k, double v)
{
    double t = k->s + v;
    if (isinf(t))
        k->c = 0;
    else if (fabs(k->s) >= fabs(v))
        k->c += (k->s - t) + v;
    else
        k->c += (v - t) + k->s;
    k->s = t;
}
static inline double ksum_value(struct ksum k)
{
    return isinf(k.s) ? k.s : k.s + k.c;
}

struct hside { /* sorted by index */
    size_t n;
    int32_t *index;
    struct ksum *count;
};

struct hwork {
    struct arena *arena; /* scratch */
    int32_t schema;
    uint8_t reset;
    double zero_threshold;
    struct ksum zero, count, sum;
    struct hside pos, neg;
    const double *custom;
    uint32_t n_custom;
};

enum {                         /* what hwork_add has to say */
       HWORK_RECONCILED = 1,   /* custom bounds differed */
       HWORK_COLLISION = 2,    /* one was reset, the other was not */
       HWORK_INCOMPATIBLE = 4, /* exponential and custom: nothing was done */
};

void hwork_init(struct hwork *, struct arena *scratch, const struct histogram *);
void hwork_clear_counts(struct hwork *);                                 /* keeps schema and bounds */
int hwork_add(struct hwork *, const struct histogram *, double factor);  /* factor -1 subtracts */
int hwork_add_work(struct hwork *, const struct hwork *, double factor); /* with all compensations */
struct hwork hwork_copy(const struct hwork *);
void hwork_scale(struct hwork *, double factor);
void hwork_divide(struct hwork *, double by); /* by 0: buckets are gone */
bool hwork_overflows(const struct hwork *);
struct histogram *hwork_done(const struct hwork *, struct arena *);

/* Sum or mean of many. Zeroed to begin with; `told` gathers what hwork_add said. */
struct hist_mean {
    struct hwork sum;
    size_t n;
    bool moving; /* the sum would overflow: it is a mean now */
    bool saw_reset, saw_none;
    int told;
};
void hist_mean_add(struct hist_mean *, struct arena *scratch, const struct histogram *, bool mean);
struct histogram *hist_mean_done(struct hist_mean *, bool mean, struct arena *); /* n > 0 */

static inline bool hist_is_custom(const struct histogram *h)
{
    return h->schema == HISTOGRAM_CUSTOM;
}
bool hist_equal(const struct histogram *, const struct histogram *, struct arena *scratch);
bool hist_was_reset(const struct histogram *cur, const struct histogram *prev,
                    struct arena *scratch); /* looks at the counts */
bool hist_reset_or_told(const struct histogram *cur, const struct histogram *prev,
                        struct arena *scratch); /* or a hint says so */

/* All populated buckets in rising order of value; the zero bucket among them when populated. */
struct hbucket {
    double lower, upper, count;
};
size_t hist_buckets(const struct histogram *, struct arena *, struct hbucket **out);
double hist_bound(int32_t index, int32_t schema); /* upper bound of an exponential bucket */

/* Only what is below (upper) or above the value. Interpolates inside the bucket that is cut. */
struct histogram *hist_trim(const struct histogram *, double at, bool keep_below, struct arena *scratch,
                            struct arena *);
/* {count:4, sum:5, (1,2]:4} */
struct str hist_text(const struct histogram *, struct arena *scratch, struct arena *);
