/* aggregate.h - what the aggregation operators share: series sorted into groups. */
#pragma once
#include "query/promql/eval.h"

struct group {
    struct labels labels;
    bool drop_name;
    size_t *members; /* series of the input, in their order */
    size_t n;
    bool has_hists;
};

struct aggregation {
    struct eval *ev;
    const struct node *node;
    const struct series_matrix *in;
    const double *param; /* a value per step; NULL when there is none */
    struct str label;    /* of count_values */
    bool hides_label;    /* without(label): only the counts remain */
    struct group *groups;
    size_t n_groups;
    struct series_matrix *out;
    struct arena scratch;
};

void aggregation_note(struct aggregation *, enum note_id, struct str metric, struct str text);

/* aggregate_select.c: operators that choose or spread series. */
int aggregate_topk(struct aggregation *, struct err *); /* topk, bottomk */
int aggregate_limitk(struct aggregation *, struct err *);
int aggregate_limit_ratio(struct aggregation *, struct err *);
int aggregate_quantile(struct aggregation *, struct err *);
int aggregate_count_values(struct aggregation *, struct err *);
