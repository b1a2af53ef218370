/* insight.h - advice with evidence: what the figures of a stretch of time suggest, and the arithmetic behind
 * it.
 *
 * Each function is one kind of advice, and pure: it takes figures and gives figures, so that every claim in a
 * report can be worked out by hand. docs/reports.md has the formulas. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/str.h"

/* ---- text with evidence ---- */

enum insight_side { INSIGHT_ABOVE, INSIGHT_BELOW };

/* A rule of thumb over series: for each series that `expr` gives and that is beyond the threshold, one
 * insight. */
struct insight_rule {
    const char *id, *area, *severity; /* critical, high, warning, info */
    const char *metric;               /* that is spoken of */
    const char *expr;                 /* PromQL; $w: the window */
    enum insight_side side;
    double threshold;
    const char *unit;
    const char *subject; /* label that names what it is about; NULL: the system */
    const char *text;    /* what is wrong, after the subject */
    const char *action;
};
extern const struct insight_rule insight_rules[];
extern const size_t insight_rules_count;
static inline bool insight_holds(const struct insight_rule *r, double value)
{
    return r->side == INSIGHT_ABOVE ? value > r->threshold : value < r->threshold;
}

/* ---- a cheaper backend of equal quality ---- */

struct insight_backend {
    struct str name;
    int64_t requests, nano_usd;
    double quality, success; /* 0 to 1; NAN: not known */
};
struct insight_move {
    size_t from, to;     /* backends */
    int64_t saving_nano; /* if all requests of `from` had cost what those of `to` do */
};
#define INSIGHT_REQUESTS_MIN  20   /* of either: fewer say nothing */
#define INSIGHT_QUALITY_SLACK 0.02 /* as much worse still counts as equal */
#define INSIGHT_SAVING_MIN    0.05 /* of what `from` costs */

/* For each backend the move that saves most; how many, dearest first. out: room for n. */
size_t insight_cheaper(const struct insight_backend *, size_t n, struct insight_move *out);

/* ---- prompts that are much longer than the others ---- */

#define INSIGHT_PROMPTS_MIN 20
struct insight_outliers {
    double median, limit; /* beyond: third quartile and three times the distance of the quartiles, and twice
                             the median */
    size_t n;             /* beyond */
    double excess;        /* their sum above the median */
};
/* Sorts `values`. False: too few to tell. */
bool insight_outliers(double *values, size_t n, struct insight_outliers *);

/* ---- what a cache of prompt prefixes could give ---- */

/* Prompts come in the order of time, as blocks; a block could have come from a cache when it and all before
 * it were the beginning of an earlier prompt. */
#define INSIGHT_BLOCK_BYTES 1024
#define INSIGHT_BLOCKS_MAX  (1u << 22) /* remembered; what comes after is only compared */
struct insight_prefixes {
    struct map seen;
    uint64_t prompts, blocks, repeated;
};
void insight_prefixes_init(struct insight_prefixes *);
void insight_prefixes_release(struct insight_prefixes *);
void insight_prefix_ids(struct insight_prefixes *, const int64_t *ids,
                        size_t n);                                      /* ids of blocks, as recorded */
void insight_prefix_text(struct insight_prefixes *, struct str prompt); /* whole blocks of its bytes */
double insight_prefix_share(const struct insight_prefixes *);           /* 0 to 1 */
