/* annotate.h - warnings and infos a query collects on its way: what Prometheus calls annotations.
 *
 * Every text ends in the (line:column) of the expression meant and is kept once; what the store says that the
 * answer lacks stands before them. Threads: notes_add from any. */
#pragma once
#include <pthread.h>

#include "base/map.h"
#include "query/promql/engine.h"

#define NOTES_SHOWN 10   /* of each kind; a last line counts the rest */
#define NOTES_KEPT  1000 /* distinct ones remembered, a ceiling on what strange data can make grow */

enum note_id {
    NOTE_INVALID_QUANTILE,        /* number */
    NOTE_INVALID_RATIO,           /* number, text: capped to */
    NOTE_BAD_BUCKET_LABEL,        /* metric, text: value of le */
    NOTE_MIXED_FLOATS_HISTOGRAMS, /* metric */
    NOTE_MIXED_AGGREGATION,
    NOTE_MIXED_CLASSIC_NATIVE,      /* metric */
    NOTE_NOT_COUNTER,               /* metric */
    NOTE_NOT_GAUGE,                 /* metric */
    NOTE_MIXED_EXPONENTIAL_CUSTOM,  /* metric, may be empty */
    NOTE_INCOMPATIBLE_BUCKETS,      /* text: operator */
    NOTE_RESET_COLLISION,           /* text: addition, subtraction, aggregation */
    NOTE_SORT_IN_RANGE,             /* text: function */
    NOTE_START_OVERLAP,             /* metric */
    NOTE_POSSIBLE_NON_COUNTER,      /* metric */
    NOTE_POSSIBLE_NON_COUNTER_TYPE, /* metric, text: the type */
    NOTE_FORCED_MONOTONICITY,       /* metric, text: function */
    NOTE_INCOMPATIBLE_TYPES,        /* text: float + histogram; metric: operator */
    NOTE_HISTOGRAM_IGNORED,         /* text: aggregation */
    NOTE_HISTOGRAM_IGNORED_RANGE,   /* metric */
    NOTE_QUANTILE_NAN,              /* metric, text: function */
    NOTE_QUANTILE_NAN_SKEW,         /* metric, text: function */
    NOTE_FRACTION_NAN,              /* metric */
    NOTE_CUSTOM_RECONCILED,         /* text: addition, subtraction, aggregation */
    NOTE_FROM_SUMMARIES,            /* text: a time; metric: width of the buckets */
    NOTE_EXPIRED,                   /* text: a time */
};

struct note {
    enum note_id id;
    uint32_t pos;
    struct str metric, text;
    double number;
};

struct notes {
    pthread_mutex_t mu; /* guards all below */
    struct str query;
    struct map seen;
    struct arena arena;
    struct str *texts[2]; /* warnings, infos */
    size_t n[2], cap[2], skipped[2];
    struct call_notes lost; /* of the store; its own lock */
};

void notes_init(struct notes *, struct str query);
void notes_release(struct notes *);
bool notes_any(struct notes *);
void notes_add(struct notes *, struct note);
void notes_finish(struct notes *, struct arena *, struct annotations *out);
