/* aggregate.c - by, without, and the operators that make one series of a group: sum, avg, count, group, min,
 * max, stddev, stdvar.
 *
 * Series are sorted into groups once, by a hash of the labels that count; then each group is reduced column
 * by column: member after member, all steps in one loop. */
#include "query/promql/aggregate.h"

#include <math.h>

#include "base/check.h"
#include "query/promql/histogram_ops.h"
#include "query/promql/parse.h"
#include "query/promql/quantile.h"

void aggregation_note(struct aggregation *a, enum note_id id, struct str metric, struct str text)
{
    notes_add(&a->ev->q->notes, (struct note){ id, a->node->child->at.pos, metric, text, 0 });
}

/* ---- groups ---- */

static uint64_t key_hash(const struct node *n, struct labels l)
{
    return n->without ? labels_hash_without(l, n->grouping, n->n_grouping)
                      : labels_hash_on(l, n->grouping, n->n_grouping);
}

struct key_ctx {
    const struct aggregation *a;
    struct labels labels;
};

static bool same_key(void *ctx, uint64_t g)
{
    const struct key_ctx *c = ctx;
    const struct node *n = c->a->node;
    struct labels of = c->a->in->at[c->a->groups[g].members[0]].labels;
    return n->without ? labels_eq_without(of, c->labels, n->grouping, n->n_grouping)
                      : labels_eq_on(of, c->labels, n->grouping, n->n_grouping);
}

static struct group *group_add(struct aggregation *a, size_t *cap, const struct mseries *s)
{
    const struct node *n = a->node;
    struct arena *arena = &a->ev->q->arena;
    a->groups = arena_grow(arena, a->groups, a->n_groups, cap, sizeof *a->groups);
    struct group *g = &a->groups[a->n_groups++];
    *g = (struct group){ 0 };
    g->labels = n->without ? labels_without(arena, s->labels, n->grouping, n->n_grouping)
                           : labels_keep(arena, s->labels, n->grouping, n->n_grouping);
    return g;
}

/* Group of each series; members follow when the sizes are known. */
static void find_groups(struct aggregation *a)
{
    struct arena *arena = &a->ev->q->arena;
    bool keeps_name = !a->node->without && names_has(a->node->grouping, a->node->n_grouping, STR(LABEL_NAME));
    size_t *group_of = arena_array(arena, a->in->n, sizeof *group_of), cap = 0;
    struct map seen;

    map_init(&seen, 16);
    for (size_t i = 0; i < a->in->n; i++) {
        const struct mseries *s = &a->in->at[i];
        uint64_t hash = key_hash(a->node, s->labels);
        uint64_t *found = map_find(&seen, hash, same_key, &(struct key_ctx){ a, s->labels });
        if (found == NULL) {
            map_add(&seen, hash, a->n_groups);
            struct group *fresh = group_add(a, &cap, s);
            fresh->members = arena_alloc(arena, sizeof i);
            fresh->members[0] = i; /* for same_key */
        }
        group_of[i] = found ? *found : a->n_groups - 1;
        struct group *g = &a->groups[group_of[i]];
        g->n++;
        g->drop_name |= keeps_name && s->drop_name;
        g->has_hists |= s->h != NULL;
    }
    map_release(&seen);
    for (size_t g = 0; g < a->n_groups; g++) {
        a->groups[g].members = arena_array(arena, a->groups[g].n, sizeof(size_t));
        a->groups[g].n = 0;
    }
    for (size_t i = 0; i < a->in->n; i++) {
        struct group *g = &a->groups[group_of[i]];
        g->members[g->n++] = i;
    }
}

/* ---- sum, avg ---- */

static void sum_floats(struct aggregation *a, const struct group *g, double *v, bool mean)
{
    size_t steps = a->ev->n;
    struct ksum *sum = arena_zero(&a->scratch, steps * sizeof *sum);
    uint32_t *count = arena_zero(&a->scratch, steps * sizeof *count);

    for (size_t m = 0; m < g->n; m++) {
        const double *in = a->in->at[g->members[m]].v;
        for (size_t i = 0; i < steps; i++) {
            if (is_stale(in[i])) continue;
            ksum_add(&sum[i], in[i]);
            count[i]++;
        }
    }
    for (size_t i = 0; i < steps; i++) {
        if (count[i] == 0) continue;
        if (!mean)
            v[i] = ksum_value(sum[i]);
        else if (isfinite(sum[i].s))
            v[i] = sum[i].s / count[i] + sum[i].c / count[i];
        else
            v[i] = INFINITY; /* perhaps only the sum is too large: see below */
    }
    double *values = arena_array(&a->scratch, g->n, sizeof *values);
    for (size_t i = 0; mean && i < steps; i++) {
        if (count[i] == 0 || isfinite(sum[i].s)) continue;
        size_t n = 0;
        for (size_t m = 0; m < g->n; m++)
            if (has_float(&a->in->at[g->members[m]], i)) values[n++] = a->in->at[g->members[m]].v[i];
        v[i] = mean_values(values, n);
    }
}

static void sum_hists_told(struct aggregation *a, const struct hist_mean *m)
{
    if (m->told & HWORK_RECONCILED) aggregation_note(a, NOTE_CUSTOM_RECONCILED, STR(""), STR("aggregation"));
    if (m->saw_reset && m->saw_none) aggregation_note(a, NOTE_RESET_COLLISION, STR(""), STR("aggregation"));
}

/* One step of a group that has histograms somewhere. */
static void sum_step(struct aggregation *a, const struct group *g, size_t step, struct mseries *out,
                     bool mean)
{
    struct hist_mean hists = { 0 };
    double *values = arena_array(&a->scratch, g->n, sizeof *values);
    size_t n = 0;

    for (size_t m = 0; m < g->n; m++) {
        const struct mseries *s = &a->in->at[g->members[m]];
        if (has_hist(s, step)) {
            int before = hists.told;
            hist_mean_add(&hists, &a->scratch, s->h[step], mean);
            if ((hists.told & ~before) & HWORK_INCOMPATIBLE)
                aggregation_note(a, NOTE_MIXED_EXPONENTIAL_CUSTOM, labels_get(s->labels, LABEL_NAME),
                                 STR(""));
        } else if (has_float(s, step)) {
            values[n++] = s->v[step];
        }
    }
    if (n > 0 && hists.n > 0) {
        aggregation_note(a, NOTE_MIXED_AGGREGATION, STR(""), STR(""));
    } else if (hists.n > 0 && !(hists.told & HWORK_INCOMPATIBLE)) {
        sum_hists_told(a, &hists);
        hist_row(a->ev->q, out, a->ev->n)[step] = hist_mean_done(&hists, mean, &a->ev->q->arena);
    } else if (n > 0) {
        struct ksum sum = { 0, 0 };
        for (size_t k = 0; k < n; k++) ksum_add(&sum, values[k]);
        out->v[step] = mean ? mean_values(values, n) : ksum_value(sum);
    }
}

static int sum_group(struct aggregation *a, const struct group *g, struct mseries *out, struct err *e)
{
    bool mean = a->node->agg == AGG_AVG;
    if (!g->has_hists) {
        sum_floats(a, g, out->v, mean);
        return OK;
    }
    for (size_t i = 0; i < a->ev->n; i++) {
        sum_step(a, g, i, out, mean);
        arena_reset(&a->scratch);
        int rc = eval_check(a->ev, e);
        if (rc < 0) return rc;
    }
    return OK;
}

/* ---- the others ---- */

static int count_group(struct aggregation *a, const struct group *g, struct mseries *out, struct err *e)
{
    (void)e;
    bool only_one = a->node->agg == AGG_GROUP;
    for (size_t m = 0; m < g->n; m++) {
        const struct mseries *s = &a->in->at[g->members[m]];
        for (size_t i = 0; i < a->ev->n; i++)
            if (has_sample(s, i)) out->v[i] = is_stale(out->v[i]) || only_one ? 1 : out->v[i] + 1;
    }
    return OK;
}

/* Histograms have no order and no spread here. */
static void note_ignored(struct aggregation *a, const struct mseries *s)
{
    for (size_t i = 0; s->h && i < a->ev->n; i++) {
        if (s->h[i] == NULL) continue;
        aggregation_note(a, NOTE_HISTOGRAM_IGNORED, STR(""), promql_agg_text(a->node->agg));
        return;
    }
}

static int extreme_group(struct aggregation *a, const struct group *g, struct mseries *out, struct err *e)
{
    (void)e;
    bool max = a->node->agg == AGG_MAX;
    double *v = out->v;
    for (size_t m = 0; m < g->n; m++) {
        const struct mseries *s = &a->in->at[g->members[m]];
        note_ignored(a, s);
        for (size_t i = 0; i < a->ev->n; i++) {
            if (!has_float(s, i)) continue;
            if (isnan(v[i]) || (max ? s->v[i] > v[i] : s->v[i] < v[i])) v[i] = s->v[i]; /* ABSENT is a NaN */
        }
    }
    return OK;
}

static int spread_group(struct aggregation *a, const struct group *g, struct mseries *out, struct err *e)
{
    (void)e;
    size_t steps = a->ev->n;
    double *mean = arena_zero(&a->scratch, steps * sizeof *mean),
           *sum = arena_zero(&a->scratch, steps * sizeof *sum);
    uint32_t *count = arena_zero(&a->scratch, steps * sizeof *count);

    for (size_t m = 0; m < g->n; m++) {
        const struct mseries *s = &a->in->at[g->members[m]];
        note_ignored(a, s);
        for (size_t i = 0; i < steps; i++) {
            if (!has_float(s, i)) continue;
            double v = s->v[i], delta = v - mean[i];
            mean[i] += delta / ++count[i];
            sum[i] += isfinite(v) ? delta * (v - mean[i]) : NAN;
        }
    }
    for (size_t i = 0; i < steps; i++)
        if (count[i]) out->v[i] = a->node->agg == AGG_STDVAR ? sum[i] / count[i] : sqrt(sum[i] / count[i]);
    return OK;
}

static int reduce(struct aggregation *a,
                  int (*group)(struct aggregation *, const struct group *, struct mseries *, struct err *),
                  struct err *e)
{
    int rc = eval_room(a->ev, a->n_groups, e);
    for (size_t g = 0; g < a->n_groups && rc == OK; g++) {
        struct mseries *out = matrix_add(a->ev->q, a->out, a->groups[g].labels, a->groups[g].drop_name);
        rc = group(a, &a->groups[g], out, e);
        if (rc == OK) rc = eval_check(a->ev, e);
        arena_reset(&a->scratch);
    }
    matrix_drop_empty(a->out);
    return rc;
}

static int aggregate(struct aggregation *a, struct err *e)
{
    switch (a->node->agg) {
    case AGG_SUM:
    case AGG_AVG: return reduce(a, sum_group, e);
    case AGG_COUNT:
    case AGG_GROUP: return reduce(a, count_group, e);
    case AGG_MIN:
    case AGG_MAX: return reduce(a, extreme_group, e);
    case AGG_STDDEV:
    case AGG_STDVAR: return reduce(a, spread_group, e);
    case AGG_TOPK:
    case AGG_BOTTOMK: return aggregate_topk(a, e);
    case AGG_LIMITK: return aggregate_limitk(a, e);
    case AGG_LIMIT_RATIO: return aggregate_limit_ratio(a, e);
    case AGG_QUANTILE: return aggregate_quantile(a, e);
    case AGG_COUNT_VALUES: return aggregate_count_values(a, e);
    }
    return err_set(e, ERR_EXEC, "unknown aggregation");
}

int eval_aggregate(struct eval *ev, const struct node *n, struct series_matrix *out, struct err *e)
{
    struct series_matrix in;
    struct aggregation a = {
        .ev = ev, .node = n, .in = &in, .out = out, .scratch = ARENA_INIT(ev->q->max_memory)
    };
    int rc = OK;

    matrix_init(out, ev->n);
    if (n->param && n->param->type == PROMQL_STRING)
        a.label = node_string(n->param);
    else if (n->param)
        rc = eval_scalar(ev, n->param, &a.param, e);
    if (rc == OK) rc = eval_node(ev, n->child, &in, e);
    if (rc == OK) {
        find_groups(&a);
        rc = aggregate(&a, e);
    }
    arena_release(&a.scratch);
    return rc;
}
